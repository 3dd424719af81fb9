//! `cargo xtask soak`: the Rust tests again and again, each time with other random histories.
//!
//! The checks of a change use the one seed of `.cargo/config.toml`, so that they say the same everywhere; what that seed
//! never meets, and races that come once in a hundred runs, are looked for here.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::command::{cargo, run as run_command};
use crate::random::Random;

/// The variable that property tests take their seed from.
const SEED_VARIABLE: &str = "PROPTEST_RNG_SEED";

/// For how long, and of which packages.
#[derive(Args)]
pub(crate) struct Options {
    /// Packages by name (`--package` of cargo); the whole workspace when none is given.
    packages: Vec<String>,
    /// Minutes after which no further round is begun.
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Only this one round.
    #[arg(long)]
    seed: Option<u64>,
}

/// Runs round after round.
///
/// # Errors
/// A test fails; the error says how to run the same round again.
pub(crate) fn run(options: &Options) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(60 * options.minutes);
    let mut rounds = 0;
    while rounds == 0 || (options.seed.is_none() && Instant::now() < end) {
        round(
            options,
            options.seed.unwrap_or_else(Random::seed_from_clock),
        )?;
        rounds += 1;
    }
    println!("soak: {rounds} rounds, nothing found");
    Ok(())
}

fn round(options: &Options, seed: u64) -> Result<()> {
    let mut test = cargo(&["test", "--locked"]);
    if options.packages.is_empty() {
        test.arg("--workspace");
    }
    for package in &options.packages {
        test.args(["--package", package]);
    }
    let result = run_command(test.env(SEED_VARIABLE, seed.to_string()));
    result.with_context(|| format!("again with: cargo xtask soak --seed {seed}"))
}
