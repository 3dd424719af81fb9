//! How much memory does an idle broker hold that is not a file's?

use std::time::Duration;

use anyhow::{Context, Result};

use crate::figure::{Aim, Figure};
use crate::pagelog::Flush;
use crate::settings::Settings;
use crate::statistics::Spread;

const BENCH: &str = "memory";
/// How long a broker is left alone before it is asked, so that its threads have settled.
const IDLE: Duration = Duration::from_millis(500);

/// Runs the bench: anonymous and shared memory that is resident, the pinned ring included.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    eprintln!("memory: idle");
    let life = || -> Result<f64> {
        let pagelog = settings.pagelog(Flush::Sync)?;
        std::thread::sleep(IDLE);
        let bytes = pagelog.server.anonymous_memory()?;
        pagelog.stop()?;
        Ok(bytes as f64 / f64::from(1 << 20))
    };
    let values = (0..settings.rounds)
        .map(|_| life())
        .collect::<Result<Vec<_>>>()?;
    let value = Spread::of(values).context("no rounds")?;
    let case = "idle broker: anonymous and shared, resident".into();
    Ok(vec![Figure {
        aim: Some(Aim::ValueAtMost(40.0)),
        ..Figure::new(BENCH, case, "MiB", value)
    }])
}
