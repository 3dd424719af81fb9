//! What the storage engine does without a broker, each figure beside its limit, and beside other logs.

mod ahead;
mod durable;
mod durable_plots;
mod engine;
mod opening;
#[cfg(feature = "peers")]
mod peers;
mod writers;

use anyhow::Result;

use crate::report::Report;
use crate::settings::Settings;

const BENCH: &str = "storage";

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Report> {
    let mut report = durable::run(settings)?;
    report.add(ahead::run(settings)?);
    report.add(opening::run(settings)?);
    Ok(report)
}
