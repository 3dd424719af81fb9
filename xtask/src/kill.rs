//! The crash test: SIGKILL at random moments under load.

use anyhow::Result;
use clap::Args;

/// How often to kill, and from which seed.
#[derive(Args, Default)]
pub(crate) struct Options {}

/// Runs the crash test.
pub(crate) fn run(_options: &Options) -> Result<()> {
    anyhow::bail!("the crash test has not landed yet")
}
