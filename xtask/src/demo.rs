//! A real file through the broker, killed half-way.

use anyhow::Result;
use clap::Args;

/// Which file, and which port.
#[derive(Args)]
pub(crate) struct Options {}

/// Runs the demonstration.
pub(crate) fn run(_options: &Options) -> Result<()> {
    anyhow::bail!("the demonstration has not landed yet")
}
