//! What telling where ten million small entries lie costs, in memory and on the disk, and how quickly one is found.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_commit_log::{IndexWork, Log, LogOptions, Offset, Position, Stream};
use pagelog_flush::Policy;

use super::BENCH;
use super::engine::{Engine, PAYLOAD_SIZE_MAX, SEGMENT_SIZE, STAGED};
use crate::figure::{Aim, Figure};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

/// With its header an entry has 128 bytes.
const PAYLOAD: [u8; 48] = [0x5a; 48];
const ENTRIES: usize = 10_000_000;
const STREAMS: usize = 10_000;
/// Look-ups in a round.
const LOOK_UPS: usize = 100_000;

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let case = "index of ten million entries";
    if !settings.wants(case) {
        return Ok(Vec::new());
    }
    eprintln!("storage: {case}");
    let size = settings.scaled(SEGMENT_SIZE as usize) as u64;
    let options = LogOptions::new(size, STAGED, PAYLOAD_SIZE_MAX);
    let engine = Engine::start_with(&settings.directory, options, Policy::Sync)?;
    let numbers = 0..u32::try_from(settings.scaled(STREAMS))?;
    let streams: Vec<Arc<Stream>> = numbers.map(|number| engine.stream(number)).collect();
    let memory = append_all(&engine, &streams, settings.scaled(ENTRIES))?;
    engine.log.index_all()?;
    let bytes = index_bytes(&engine)?;

    let once = |value: f64| Spread::of(vec![value]).context("one value");
    let figure =
        |what: &str, unit, value| Figure::new(BENCH, format!("{case}: {what}"), unit, value);
    let mut figures = vec![
        Figure {
            aim: Some(Aim::ValueAtMost(64.0)),
            ..figure(
                "anonymous memory",
                "MiB",
                once(memory as f64 / f64::from(1 << 20))?,
            )
        },
        Figure {
            aim: Some(Aim::ValueAtMost(24.0)),
            ..figure(
                "an entry on the disk",
                "bytes",
                once(bytes as f64 / settings.scaled(ENTRIES) as f64)?,
            )
        },
    ];
    let sealed = Position(size);
    let samples = (0..=settings.rounds)
        .map(|round| look_ups(&engine.log, &streams, sealed, round as u64))
        .collect::<Result<Vec<_>>>()?;
    for (what, share, aim) in [
        ("look-up, p50", 0.5, Some(2.0)),
        ("look-up, p99", 0.99, None),
    ] {
        let values = samples[1..]
            .iter()
            .map(|sample| sample.microseconds_at(share));
        figures.push(Figure {
            aim: aim.map(Aim::ValueAtMost),
            ..figure(
                what,
                "us",
                Spread::of(values.collect()).context("no rounds")?,
            )
        });
    }
    engine.stop()?;
    Ok(figures)
}

/// Appends to all streams in turn while another thread does the index's work, as a broker does. Answers by how much this process's anonymous
/// memory was larger than before, at most.
fn append_all(engine: &Engine, streams: &[Arc<Stream>], count: usize) -> Result<u64> {
    let before = anonymous()?;
    let (done, most) = (AtomicBool::new(false), AtomicU64::new(before));
    let log = &engine.log;
    std::thread::scope(|scope| -> Result<()> {
        let indexer = scope.spawn(|| -> Result<()> {
            while !done.load(Relaxed) {
                while log.index_next()? != IndexWork::Nothing {}
                log.wait_index_work(Duration::from_millis(10));
            }
            Ok(())
        });
        let watcher = scope.spawn(|| -> Result<()> {
            while !done.load(Relaxed) {
                most.fetch_max(anonymous()?, Relaxed);
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(())
        });
        let appended = (0..count).try_for_each(|number| {
            let stream = &streams[number % streams.len()];
            engine.append(stream, &PAYLOAD).map(drop)
        });
        let end = log.appended();
        log.durable().wait(end, None);
        done.store(true, Relaxed);
        for thread in [indexer, watcher] {
            let joined = thread.join();
            ensure!(joined.is_ok(), "a thread panicked");
            joined.unwrap_or(Ok(()))?;
        }
        appended
    })?;
    Ok(most.load(Relaxed) - before)
}

fn anonymous() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let word = line.and_then(|line| line.split_whitespace().next());
    Ok(word
        .context("no RssAnon in /proc/self/status")?
        .parse::<u64>()?
        * 1024)
}

/// The files that are neither a segment nor the log's own few.
fn index_bytes(engine: &Engine) -> Result<u64> {
    let mut bytes = 0;
    for file in fs::read_dir(engine.path())? {
        let file = file?;
        let name = file.file_name();
        if name.to_string_lossy().ends_with(".index") || name.to_string_lossy().ends_with(".run") {
            bytes += file.metadata()?.len();
        }
    }
    ensure!(bytes > 0, "no index was written");
    Ok(bytes)
}

/// Looks entries up in the first segment, which is full, one at a time and each elsewhere.
fn look_ups(log: &Log, streams: &[Arc<Stream>], sealed: Position, seed: u64) -> Result<Sample> {
    let mut sample = Sample::empty();
    let until = log.durable().get();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let started = Instant::now();
    let most = sealed.0 / 128 / streams.len() as u64;
    for _ in 0..LOOK_UPS {
        // Any numbers that are far apart.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let stream = &streams[(state >> 32) as usize % streams.len()];
        let offset = Offset((state % most.max(1)) as i64);
        let before = Instant::now();
        let found = log.entries(stream, offset, until, 1)?;
        sample.record(before.elapsed().as_nanos(), 0);
        let holds = found.first().is_some_and(|one| one.base_offset == offset);
        // The last offsets of the segment are not the same in all streams.
        ensure!(
            holds || offset.0 as u64 + 2 >= most,
            "{offset:?} is not found"
        );
    }
    sample.wall = started.elapsed();
    Ok(sample)
}
