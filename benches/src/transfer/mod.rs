//! What each way of sending costs, beside a bare loop of the same system calls, and what the chooser makes of it.

mod answer;
mod bare;
mod catch_up;
mod cold;
mod counted;
mod grid;
mod idle;
mod receive;
mod short_memory;
mod target;

use anyhow::Result;

pub(crate) use counted::{Options as MoveOptions, send};

use crate::report::Report;
use crate::settings::Settings;

const BENCH: &str = "transfer";

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Report> {
    let mut report = Report::default();
    report.add(counted::run(settings)?);
    report.add(receive::run(settings)?);
    report.add(idle::run(settings)?);
    report.add(cold::run(settings)?);
    report.add(catch_up::run(settings)?);
    report.add(grid::run(settings)?);
    Ok(report)
}
