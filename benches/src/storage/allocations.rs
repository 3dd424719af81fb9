//! What an append, a write and a sync take from the heap once the log has run for a while: nothing.

use anyhow::{Context, Result, bail};
use pagelog_commit_log::{IndexWork, Log, LogOptions, Opened, Route};
use pagelog_os::Allocations;
use pagelog_segment::Directory;
use std::sync::Arc;

use super::BENCH;
use super::engine::{PAYLOAD_SIZE_MAX, SEGMENT_SIZE, STAGED, entry};
use crate::figure::{Aim, Figure};
use crate::settings::Settings;
use crate::statistics::Spread;

const RECORDS: u64 = 200_000;
/// Appended before each write and sync.
const BATCH: u64 = 64;
/// So little that memory is written into a file many times in a run.
const INDEX_MEMORY: usize = 256 << 10;

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, route) in [("staged", STAGED), ("mapped", Route::Mapped)] {
        let case = format!("allocations, {name}");
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            let count = settings.scaled(RECORDS as usize) as u64;
            let values = (0..settings.rounds)
                .map(|_| one(settings, route, count))
                .collect::<Result<Vec<_>>>()?;
            let value = Spread::of(values).context("no rounds")?;
            figures.push(Figure {
                aim: Some(Aim::ValueAtMost(0.0)),
                ..Figure::new(BENCH, case, "a million records", value)
            });
        }
    }
    Ok(figures)
}

/// Allocations of appending, writing and syncing, a million records, in the second half of a run.
fn one(settings: &Settings, route: Route, records: u64) -> Result<f64> {
    let directory = tempfile::Builder::new()
        .prefix("log-")
        .tempdir_in(&settings.directory)?;
    let storage = Arc::new(Directory::open(directory.path())?);
    let options = LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX);
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
    log.set_index_memory(INDEX_MEMORY);
    let stream = log.stream(pagelog_commit_log::StreamId(1));
    let payload = [0x5a; 1024];
    let mut allocations = 0;
    for batch in 0..records / BATCH {
        let before = Allocations::of_this_thread();
        for _ in 0..BATCH {
            log.append(&stream, &entry(&payload))?;
        }
        sync.write()?;
        sync.sync()?;
        if batch >= records / BATCH / 2 {
            allocations += Allocations::of_this_thread().since(before).count;
        }
        index(&log)?;
    }
    Ok(allocations as f64 * 1e6 / (records as f64 / 2.0))
}

/// The work of another thread, at a moment of its own.
fn index(log: &Log) -> Result<()> {
    loop {
        match log.index_next() {
            Ok(IndexWork::Nothing) => return Ok(()),
            Ok(_) => {}
            Err(error) => bail!(error),
        }
    }
}
