//! `cargo xtask sanitize`: tests under the address sanitizer, by default those of the crate that has the unsafe code.
//!
//! The toolchain brings the sanitizer's run time along, but switches it on by an unstable flag. The toolchain is pinned, so the flag
//! means the same everywhere; it is allowed for this one build, in a target directory of its own.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::{cargo, host_triple, run as run_command, target};

/// Faults of mapped files are tested too: their signals are ours, and not reports of the sanitizer.
const OPTIONS: &str = "handle_sigbus=0:handle_segv=0";

/// Whose tests.
#[derive(Args)]
pub(crate) struct Options {
    /// Packages by name (`--package` of cargo).
    #[arg(default_value = "pagelog-os")]
    packages: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            packages: vec!["pagelog-os".to_owned()],
        }
    }
}

/// Runs the tests; says so and does nothing where the toolchain has no sanitizer.
///
/// # Errors
/// A test fails, the sanitizer finds something, or it was not there when the tests ran.
pub(crate) fn run(options: &Options) -> Result<()> {
    let triple = host_triple()?;
    if !has_run_time(&triple)? {
        println!("sanitize: skipped, this toolchain has no address sanitizer for {triple}");
        return Ok(());
    }
    ensure_watched(options, &triple)?;
    run_command(tests(options, &triple).env("ASAN_OPTIONS", OPTIONS))?;
    println!("sanitize: nothing found");
    Ok(())
}

fn tests(options: &Options, triple: &str) -> Command {
    let mut command = cargo(&["test", "--locked", "--quiet", "--lib", "--tests"]);
    for package in &options.packages {
        command.args(["--package", package]);
    }
    command
        .args(["--target", triple, "--target-dir"])
        .arg(target().join("sanitize"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address");
    command
}

/// That the tests really run under it: asked for its options, it lists them, and a program without it says nothing.
fn ensure_watched(options: &Options, triple: &str) -> Result<()> {
    let mut command = tests(options, triple);
    command.args(["--", "--list"]).env("ASAN_OPTIONS", "help=1");
    let Output { status, stderr, .. } = command.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "the tests cannot be built:\n{said}");
    ensure!(
        said.contains("flags for AddressSanitizer"),
        "the tests were built without the address sanitizer: it did not list its flags"
    );
    Ok(())
}

fn has_run_time(triple: &str) -> Result<bool> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()
        .context("cannot run rustc --print sysroot")?;
    let sysroot = String::from_utf8(output.stdout).context("rustc's sysroot is not UTF-8")?;
    let libraries = Path::new(sysroot.trim()).join(format!("lib/rustlib/{triple}/lib"));
    let entries = std::fs::read_dir(&libraries)
        .with_context(|| format!("cannot read {}", libraries.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        if name.to_string_lossy().ends_with("_rt.asan.a") {
            return Ok(true);
        }
    }
    Ok(false)
}
