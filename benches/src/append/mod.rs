//! What does a durable append cost, alone and in company, and how far is it from the disk's own limit?

mod case;
mod closed;
mod floor;
mod open;
mod sync_count;

use anyhow::{Context, Result};

use crate::figure::Figure;
use crate::settings::Settings;

const BENCH: &str = "append";

/// A part of the bench that has its own rounds.
type Part = fn(&Settings) -> Result<Vec<Figure>>;

/// The parts behind the cases of the closed loop.
const PARTS: [(&str, Part); 4] = [
    ("records a sync", sync_count::run),
    ("open loop", open::run),
    ("memcpy", floor::copies),
    ("generator", floor::generator),
];

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = cases(settings)?;
    for (name, part) in PARTS {
        if settings.wants(name) {
            eprintln!("append: {name}");
            figures.extend(part(settings).context(name)?);
        }
    }
    Ok(figures)
}

fn cases(settings: &Settings) -> Result<Vec<Figure>> {
    let kafka = settings.kafka()?;
    let mut figures = Vec::new();
    for case in case::CASES.iter().filter(|case| settings.wants(case.name)) {
        eprintln!("append: {}", case.name);
        figures.extend(closed::run(settings, case, kafka.as_ref()).context(case.name)?);
    }
    Ok(figures)
}
