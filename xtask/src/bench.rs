//! `cargo xtask bench`: builds the broker and the load generator, and runs the figures that are named.

use anyhow::Result;
use clap::Args;

/// Which figures.
#[derive(Args)]
pub(crate) struct Options {}

/// Runs the benches.
pub(crate) fn run(_options: &Options) -> Result<()> {
    anyhow::bail!("the benches have not landed yet")
}
