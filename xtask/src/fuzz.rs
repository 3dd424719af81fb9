//! `cargo xtask fuzz`: runs the fuzz targets, coverage-guided, on the stable toolchain.
//!
//! Every binary of the package `pagelog-fuzz` is a target. They are libFuzzer programs, built into a target directory
//! of their own with the compiler's coverage pass; what they find is kept under `target/fuzz/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{self, cargo, host_triple, run as run_command};

/// The compiler's coverage pass, as `cargo fuzz --sanitizer none` asks for it, with the checks of a debug build.
const COVERAGE_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks";

/// What a target may hold: a decoder that believes a count would pass this.
const MEMORY_LIMIT_MIB: u32 = 1024;

/// What one input may take before it counts as an endless loop.
const INPUT_SECONDS: u32 = 10;

/// Which targets, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// The targets by name; all of them when none is given.
    targets: Vec<String>,
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// What the changes to inputs follow from; another one each time when it is not given.
    #[arg(long)]
    seed: Option<u32>,
}

impl Options {
    /// Every target, for `seconds` each, with the same changes to inputs each time.
    pub(crate) fn smoke(seconds: u32) -> Options {
        Options {
            targets: Vec::new(),
            seconds,
            seed: Some(1),
        }
    }
}

/// Builds the targets and runs them one after the other.
///
/// # Errors
/// An unknown target, a build that fails, or an input that makes a target fail (its file is named above).
pub(crate) fn run(options: &Options) -> Result<()> {
    let known = targets()?;
    if let Some(unknown) = options
        .targets
        .iter()
        .find(|target| !known.contains(target))
    {
        bail!("no fuzz target {unknown}; there are: {}", known.join(", "));
    }
    let chosen = if options.targets.is_empty() {
        &known
    } else {
        &options.targets
    };
    let directory = command::target().join("fuzz");
    build(&directory)?;
    for target in chosen {
        run_target(&directory, target, options)?;
    }
    println!(
        "fuzz: {} targets, {} s each, nothing found",
        chosen.len(),
        options.seconds
    );
    Ok(())
}

/// The names of the binaries of `pagelog-fuzz`, from `cargo metadata`.
fn targets() -> Result<Vec<String>> {
    let output = cargo(&["metadata", "--locked", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata says no JSON")?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    let fuzz = packages
        .iter()
        .find(|package| package["name"] == "pagelog-fuzz")
        .context("no package pagelog-fuzz")?;
    let targets = fuzz["targets"]
        .as_array()
        .context("pagelog-fuzz has no targets")?;
    let binaries = targets.iter().filter(|target| target["kind"][0] == "bin");
    Ok(binaries
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect())
}

/// Builds all targets with coverage; the flags reach the dependencies too, so that what they decode is guided as well.
fn build(directory: &Path) -> Result<()> {
    // With `--target`, build scripts and proc macros are built without the flags.
    let host = host_triple()?;
    let mut build = cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "pagelog-fuzz",
        "--bins",
    ]);
    // A smoke run is seconds long: the build has to be quick, not the last tenth of the code.
    for quick in ["lto=false", "codegen-units=16", "debug=0", "opt-level=1"] {
        build
            .arg("--config")
            .arg(format!("profile.release.{quick}"));
    }
    build
        .args(["--target", &host, "--target-dir"])
        .arg(directory);
    run_command(build.env("RUSTFLAGS", COVERAGE_FLAGS))
}

/// The target triple of this machine, as the compiler names it.
/// Runs one target over its kept inputs and the seeds of `fuzz/seeds/NAME`, then on for as long as asked.
fn run_target(directory: &Path, target: &str, options: &Options) -> Result<()> {
    let binary = directory.join(host_triple()?).join("release").join(target);
    let corpus = create(directory.join("corpus").join(target))?;
    let artifacts = create(directory.join("artifacts").join(target))?;
    let mut command = Command::new(binary);
    command
        .arg(format!("-max_total_time={}", options.seconds))
        // 0 is libFuzzer's word for a seed of its own.
        .arg(format!("-seed={}", options.seed.unwrap_or(0)))
        .arg(format!("-rss_limit_mb={MEMORY_LIMIT_MIB}"));
    command
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .args(["-print_final_stats=1", "-verbosity=0"]);
    command
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(corpus);
    let seeds = command::root().join("fuzz").join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    run_command(&mut command)
}

/// Creates the directory and returns its path.
fn create(directory: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory)
}
