//! `cargo xtask ci`: what every change must pass, the cheapest check first.
//!
//! The layer test is one of the workspace's own tests (`xtask/tests/layers.rs`), so `cargo test` holds it too.

use anyhow::Result;

use crate::command::{cargo, run as run_command};
use crate::fuzz;

/// Seconds per fuzz target: enough to run every target over its seeds, too short to find what is deep.
const FUZZ_SMOKE_SECONDS: u32 = 3;

/// Runs all checks; stops at the first that fails.
///
/// # Errors
/// A check fails.
pub(crate) fn run() -> Result<()> {
    run_command(&mut cargo(&["fmt", "--all", "--check"]))?;
    let clippy = [
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run_command(&mut cargo(&clippy))?;
    run_command(&mut cargo(&["build", "--locked", "--workspace"]))?;
    run_command(&mut cargo(&["test", "--locked", "--workspace"]))?;
    let mut documentation = cargo(&["doc", "--locked", "--workspace", "--no-deps"]);
    run_command(documentation.env("RUSTDOCFLAGS", "-D warnings"))?;
    fuzz::run(&fuzz::Options::smoke(FUZZ_SMOKE_SECONDS))?;
    println!("ci: every check passed");
    Ok(())
}
