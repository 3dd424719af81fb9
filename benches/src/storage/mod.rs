//! What the storage engine does without a broker, each figure beside its limit, and beside other logs.

mod ahead;
mod allocations;
mod beside_syncs;
mod cold;
mod deleting;
mod device_bytes;
mod durable;
mod durable_plots;
mod engine;
mod file_systems;
mod indexing;
mod opening;
#[cfg(feature = "peers")]
mod peers;
mod prepared;
mod put_off;
mod streams;
mod unwaited;
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
    report.add(unwaited::run(settings)?);
    report.add(ahead::run(settings)?);
    report.add(streams::run(settings)?);
    report.add(beside_syncs::run(settings)?);
    report.add(deleting::run(settings)?);
    report.add(device_bytes::run(settings)?);
    report.add(indexing::run(settings)?);
    report.add(cold::run(settings)?);
    report.add(allocations::run(settings)?);
    report.add(opening::run(settings)?);
    Ok(report)
}
