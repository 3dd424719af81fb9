//! `cargo xtask test`: sets up what the tests need, then runs all of it. The last line says what was skipped.
//!
//! Order: what fails fastest comes first. Rust tests, the unsafe code under a sanitizer, real clients, bad input, system calls, the crash test, the benches once.

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, release_broker, run as run_command};
use crate::{bench, clients, hostile, kill, sanitize, setup, strace};

/// What `cargo xtask test` can be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Fail when a tool is missing, instead of saying at the end what was skipped.
    #[arg(long)]
    require_all: bool,
    /// Leave out the Rust tests, which `cargo xtask ci` has just run.
    #[arg(long)]
    after_ci: bool,
}

/// Runs everything.
///
/// # Errors
/// A test fails, a build fails, or `--require-all` was given and a tool is missing.
pub(crate) fn run(options: &Options) -> Result<()> {
    let tools = setup::prepare()?;
    let skipped = setup::summary(&tools.missing);
    if options.require_all && !tools.missing.is_empty() {
        anyhow::bail!(skipped);
    }
    if !options.after_ci {
        run_command(&mut cargo(&["test", "--locked", "--workspace"]))?;
    }
    sanitize::run(&sanitize::Options::default())?;
    let broker = release_broker()?;
    clients::run(&tools, &broker)?;
    hostile::run(&broker)?;
    if tools.strace.is_some() {
        strace::run(tools.strace.as_deref(), &broker)?;
    }
    kill::run(&kill::Options::default())?;
    bench::smoke()?;
    println!("{skipped}");
    Ok(())
}
