//! What deleting a large file costs those who append beside it: bit by bit, as a segment that leaves the run goes, and at once.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_flush::Policy;
use pagelog_segment::{Directory, Position, Segments, SegmentsOptions, StorageFile};

use super::BENCH;
use super::engine::{Engine, SEGMENT_SIZE, STAGED};
use crate::figure::Figure;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const CASE: &str = "durable append beside a deletion";
const RECORD_SIZE: usize = 1024;
const STEP_SIZE: usize = 1 << 20;
const AT_ONCE: &str = "deleted at once";
const NOTHING: &str = "nothing deleted";
const READY_TIMEOUT: Duration = Duration::from_secs(120);

const SLOWEST: Metric = Metric {
    name: "slowest",
    unit: "us",
    read: |sample| sample.microseconds_at(1.0),
};

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    if !settings.wants(CASE) {
        return Ok(Vec::new());
    }
    eprintln!("storage: {CASE}");
    let size = settings.scaled(SEGMENT_SIZE as usize) as u64;
    let engine = Engine::start(&settings.directory, STAGED, Policy::Sync)?;
    engine.wait_ready()?;
    // A run of its own on the same disk: what leaves it is not what is appended to.
    let place = tempfile::tempdir_in(&settings.directory)?;
    let mut run = Run::start(place.path(), size)?;
    let single = place.path().join("at-once");
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, || {
                run.remove_front()?;
                appends(settings, &engine, || run.segments.leaving() == 0)
            }),
            Contender::new(AT_ONCE, || {
                let file = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .open(&single)?;
                pagelog_os::file::allocate(&file, size)?;
                fill(size, |at, step| pagelog_os::file::write_at(&file, at, step))?;
                file.sync_all()?;
                drop(file);
                thread::scope(|scope| {
                    let removing = scope.spawn(|| fs::remove_file(&single));
                    let sample = appends(settings, &engine, || removing.is_finished());
                    removing.join().ok().context("the deletion panicked")??;
                    sample
                })
            }),
            Contender::new(NOTHING, || appends(settings, &engine, || true)),
        ],
    )?;
    engine.stop()?;
    let mut figures = Vec::new();
    for metric in [SLOWEST, Metric::P999, Metric::P50] {
        for (text, other) in [("", AT_ONCE), (", without one", NOTHING)] {
            figures.push(Figure {
                limit: rounds.beside(other, &metric),
                ..rounds.figure(BENCH, format!("{CASE}: {}{text}", metric.name), &metric)?
            });
        }
    }
    Ok(figures)
}

/// A run of segments of which the first is filled, and leaves.
struct Run {
    segments: Segments,
}

impl Run {
    fn start(place: &Path, size: u64) -> Result<Run> {
        let directory = Arc::new(Directory::open(place.join("run"))?);
        let segments = Segments::open(directory, SegmentsOptions::of_size(size))?;
        segments.start_ahead(Position(0))?;
        let run = Run { segments };
        run.take()?;
        Ok(run)
    }

    fn take(&self) -> Result<()> {
        self.segments.wait_next(READY_TIMEOUT)?;
        self.segments.take_next()?;
        Ok(())
    }

    /// Fills the first segment, and has it leave once nothing else is made beside it.
    fn remove_front(&mut self) -> Result<()> {
        self.take()?;
        let base = {
            let all = self.segments.snapshot();
            let front = all.first().context("the run is empty")?;
            let file: &dyn StorageFile = &**front.file();
            fill(front.size(), |at, step| file.write_at(at, step))?;
            file.sync_data()?;
            front.base()
        };
        let began = Instant::now();
        while self.segments.ready() < 2 {
            ensure!(
                began.elapsed() < READY_TIMEOUT,
                "the next segments are never ready"
            );
            thread::sleep(Duration::from_millis(1));
        }
        Ok(self.segments.remove_front(base)?)
    }
}

/// Writes bytes from the begin up to `size`.
fn fill(size: u64, mut write: impl FnMut(u64, &[u8]) -> std::io::Result<usize>) -> Result<()> {
    let step = vec![1; STEP_SIZE];
    let mut at = 0;
    while at < size {
        let left = usize::try_from(size - at).unwrap_or(STEP_SIZE);
        at += write(at, &step[..left.min(STEP_SIZE)])? as u64;
    }
    Ok(())
}

/// One appender, whose every record is durable before the next: for a round, and until what goes on beside it has ended.
fn appends(
    settings: &Settings,
    engine: &Engine,
    mut has_ended: impl FnMut() -> bool,
) -> Result<Sample> {
    let stream = engine.stream(0);
    let payload = [0x5a; RECORD_SIZE];
    let mut sample = Sample::empty();
    let started = Instant::now();
    while started.elapsed() < settings.round || !has_ended() {
        let append = Instant::now();
        engine.append_durably(&stream, &payload)?;
        sample.record(append.elapsed().as_nanos(), RECORD_SIZE as u64);
    }
    sample.wall = started.elapsed();
    Ok(sample)
}
