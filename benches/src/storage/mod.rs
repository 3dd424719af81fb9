//! What the storage engine does without a broker, each figure beside its limit, and beside other logs.

mod ahead;
mod durable;
mod engine;
#[cfg(feature = "peers")]
mod peers;
mod writers;

use anyhow::Result;

use crate::figure::Figure;
use crate::settings::Settings;

const BENCH: &str = "storage";

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = durable::run(settings)?;
    figures.extend(ahead::run(settings)?);
    Ok(figures)
}
