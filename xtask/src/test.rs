//! `cargo xtask test`: sets up what the tests need, then runs all of it. The last line says what was skipped.
//!
//! Order: what fails fastest comes first. Rust tests, then real clients, then the crash test.

use anyhow::Result;
use clap::Args;

use crate::command::{cargo, release_broker, run as run_command};
use crate::{clients, kill, setup};

/// What `cargo xtask test` can be told.
#[derive(Args)]
pub(crate) struct Options {
    /// Fail when a tool is missing, instead of saying at the end what was skipped.
    #[arg(long)]
    require_all: bool,
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
    run_command(&mut cargo(&["test", "--locked", "--workspace"]))?;
    let broker = release_broker()?;
    clients::run(&tools, &broker)?;
    kill::run(&kill::Options::default())?;
    println!("{skipped}");
    Ok(())
}
