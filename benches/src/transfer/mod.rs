//! What each way of sending costs, beside a bare loop of the same system calls, and what the chooser makes of it.

mod answer;
mod bare;
mod grid;
mod target;

use anyhow::Result;

use crate::report::Report;
use crate::settings::Settings;

const BENCH: &str = "transfer";

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Report> {
    grid::run(settings)
}
