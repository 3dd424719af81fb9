//! Catching up on one stream of many when nothing is in memory: what is read from the device for a byte that is delivered.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pagelog_commit_log::{LogOptions, Offset, Payload, Stream};
use pagelog_flush::Policy;
use pagelog_os::cache::count_pages;
use pagelog_os::file::{FileAdvice, advise, read_exact_at};
use pagelog_os::process::Process;

use super::BENCH;
use super::engine::{Engine, PAYLOAD_SIZE_MAX, STAGED};
use crate::figure::{Aim, Figure};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const RECORD_SIZE: usize = 1024;
/// Of all streams together.
const RECORDS: usize = 1_000_000;
const SEGMENT_SIZE: usize = 512 << 20;
/// What a reader is given at a time: all of it is under way at once.
const STEP_SIZE: u64 = 1 << 20;
/// Streams, and of how many records one is the reader's. The others share the rest.
const CASES: [(&str, usize, usize); 2] = [("1,000", 1_000, 1_000), ("100,000", 100_000, 5_000)];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, streams, every) in CASES {
        let case = format!("cold catch-up of one of {name} streams");
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            figures.extend(one(settings, &case, settings.scaled(streams), every)?);
        }
    }
    Ok(figures)
}

fn one(settings: &Settings, case: &str, streams: usize, every: usize) -> Result<Vec<Figure>> {
    let size = settings.scaled(SEGMENT_SIZE) as u64;
    let options = LogOptions::new(size, STAGED, PAYLOAD_SIZE_MAX);
    let engine = Engine::start_with(&settings.directory, options, Policy::Sync)?;
    fill(&engine, settings.scaled(RECORDS), streams, every)?;
    let stream = engine.stream(0);
    let expected = settings.scaled(RECORDS).div_ceil(every) as u64;
    let (mut read, mut speed) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let_go(&engine)?;
        let before = Process::Own.io_counters()?.device_read_bytes;
        let sample = catch_up(&engine, &stream)?;
        ensure!(
            sample.operations == expected,
            "{} records",
            sample.operations
        );
        let bytes = Process::Own.io_counters()?.device_read_bytes - before;
        read.push(bytes as f64 / sample.bytes as f64);
        speed.push(sample.megabytes_a_second());
    }
    engine.stop()?;
    let figure = |what: &str, unit, values| -> Result<Figure> {
        let value = Spread::of(values).context("no rounds")?;
        Ok(Figure::new(BENCH, format!("{case}: {what}"), unit, value))
    };
    Ok(vec![
        Figure {
            aim: Some(Aim::ValueAtMost(8.0)),
            ..figure("bytes read for one that is delivered", "bytes", read)?
        },
        figure("speed", "MB/s", speed)?,
    ])
}

/// Appends to all streams in turn, to the first one once in `every` records, and writes what tells where they lie.
fn fill(engine: &Engine, records: usize, streams: usize, every: usize) -> Result<()> {
    let all: Vec<Arc<Stream>> = (0..u32::try_from(streams)?)
        .map(|number| engine.stream(number))
        .collect();
    let payload = [0x5a; RECORD_SIZE];
    for record in 0..records {
        let number = match record % every {
            0 => 0,
            _ => 1 + record % (streams - 1),
        };
        engine.append(&all[number], &payload)?;
    }
    engine.log.durable().wait(engine.log.appended(), None);
    Ok(engine.log.index_all()?)
}

/// Has the kernel drop the pages of all files, but for the few that are mapped.
fn let_go(engine: &Engine) -> Result<()> {
    for entry in fs::read_dir(engine.path())? {
        let file = File::options().read(true).write(true).open(entry?.path())?;
        let size = file.metadata()?.len();
        file.sync_all()?;
        advise(&file, 0..size, FileAdvice::DontNeed)?;
        let left = count_pages(&file, 0..size)?.resident * 4096;
        ensure!(
            left <= size / 20 + (1 << 20),
            "{left} of {size} bytes stay in memory"
        );
    }
    Ok(())
}

/// Reads the stream from its first record on: places from the index, then all of a step at once, nothing beyond it.
fn catch_up(engine: &Engine, stream: &Stream) -> Result<Sample> {
    let mut sample = Sample::empty();
    let until = engine.log.durable().get();
    let started = Instant::now();
    let mut payload = [0; RECORD_SIZE];
    let mut next = Offset(0);
    loop {
        let places = engine.log.read(stream, next, until, STEP_SIZE, true)?;
        let Some(last) = places.last() else { break };
        next = Offset(last.base_offset.0 + i64::from(last.count));
        places.iter().try_for_each(ask)?;
        for place in &places {
            let read = Instant::now();
            read_exact_at(place.file.file(), place.at, &mut payload)?;
            sample.record(read.elapsed().as_nanos(), RECORD_SIZE as u64);
        }
    }
    sample.wall = started.elapsed();
    Ok(sample)
}

/// The kernel starts reading these pages and no others.
fn ask(place: &Payload) -> Result<()> {
    let range = place.at..place.at + u64::from(place.size);
    Ok(advise(place.file.file(), range, FileAdvice::WillNeed)?)
}
