//! Running other programs: shown before they run, and a failure names the command.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The directory that holds everything that can be made again: `target/`, or what `CARGO_TARGET_DIR` says.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root().join(directory),
        None => root().join("target"),
    }
}

/// A `cargo` command in the root of the workspace; the cargo that runs this program.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(arguments);
    command
}

/// Prints the command, runs it with this program's own output, and fails unless it succeeds.
///
/// # Errors
/// The program cannot be started, or ends with another status than success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("\n==> {shown}");
    let start = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start: {shown}"))?;
    let seconds = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("failed after {seconds:.1} s ({status}): {shown}");
    }
    eprintln!("<== {seconds:.1} s");
    Ok(())
}

/// The command as one would type it, without the directory of the program.
fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(command.get_program());
    let mut shown = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}

/// The machine that the compiler runs on, as it names it.
///
/// # Errors
/// There is no `rustc`, or it does not say.
pub(crate) fn host_triple() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc -vV")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

/// Sends SIGTERM to a program that was started here.
///
/// # Errors
/// It is gone.
pub(crate) fn terminate(child: &Child) -> Result<()> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let id = id.context("the program has no process id")?;
    kill_process(id, Signal::TERM).with_context(|| format!("cannot signal process {}", child.id()))
}

/// Where a program of that name lies on the search path, if it does.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Builds the broker as a user runs it, and returns the path of the binary.
///
/// # Errors
/// The build fails.
pub(crate) fn release_broker() -> Result<PathBuf> {
    run(&mut cargo(&[
        "build",
        "--locked",
        "--release",
        "--package",
        "pagelog-broker",
    ]))?;
    Ok(target().join("release").join("pagelog"))
}
