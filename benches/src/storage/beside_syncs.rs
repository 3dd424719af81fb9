//! Appends while syncs run without a pause: what each waits, how many there are, and what the flush thread costs, by both routes.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::{Result, bail};
use pagelog_commit_log::{LogOptions, Position, Route, WaitOutcome};
use pagelog_flush::Policy;

use super::BENCH;
use super::engine::{Engine, PAYLOAD_SIZE_MAX, SEGMENT_SIZE, STAGED, WARM_SYNCED};
use crate::figure::Figure;
use crate::process::thread_time;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const RECORD_SIZE: usize = 1024;
const MAPPED: &str = "mapped";
const IN_FLIGHT: [usize; 4] = [1, 64, 256, 4_096];

const METRICS: [Metric; 6] = [
    Metric::P50,
    Metric::P99,
    Metric::P999,
    Metric {
        name: "slowest",
        unit: "us",
        read: |sample| sample.microseconds_at(1.0),
    },
    Metric {
        name: "rate",
        unit: "records/s",
        read: Sample::rate,
    },
    Metric {
        name: "flush thread",
        unit: "s/million",
        read: Sample::processor_a_million,
    },
];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for in_flight in IN_FLIGHT {
        let case = format!("append beside syncs, {in_flight} in flight");
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            figures.extend(one(settings, &case, in_flight)?);
        }
    }
    Ok(figures)
}

fn one(settings: &Settings, case: &str, in_flight: usize) -> Result<Vec<Figure>> {
    let size = settings.scaled(SEGMENT_SIZE as usize) as u64;
    // Both in blocks that were written before: warming writes those of a new segment, which staging does not.
    let staged = LogOptions::new(size, STAGED, PAYLOAD_SIZE_MAX);
    let staged = Engine::start_used_again(&settings.directory, staged, Policy::Sync)?;
    let mapped = LogOptions {
        warm: Some(WARM_SYNCED),
        ..LogOptions::new(size, Route::Mapped, PAYLOAD_SIZE_MAX)
    };
    let mapped = Engine::start_used_again(&settings.directory, mapped, Policy::Sync)?;
    mapped.wait_ready()?;
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, || appends(settings, &staged, in_flight)),
            Contender::new(MAPPED, || appends(settings, &mapped, in_flight)),
        ],
    )?;
    staged.stop()?;
    mapped.stop()?;
    let figure = |metric: &Metric| -> Result<Figure> {
        Ok(Figure {
            limit: rounds.beside(MAPPED, metric),
            ..rounds.figure(BENCH, format!("{case}: {}", metric.name), metric)?
        })
    };
    METRICS.iter().map(figure).collect()
}

/// One appender, who waits for the oldest of his records only when `in_flight` are on their way.
fn appends(settings: &Settings, engine: &Engine, in_flight: usize) -> Result<Sample> {
    let stream = engine.stream(0);
    let payload = [0x5a; RECORD_SIZE];
    let mut ends = VecDeque::with_capacity(in_flight);
    let mut sample = Sample::empty();
    let before = thread_time(engine.flush_thread)?;
    let started = Instant::now();
    while started.elapsed() < settings.round {
        if ends.len() == in_flight {
            wait(engine, ends[0])?;
            let durable = engine.log.durable().get();
            while ends.front().is_some_and(|end| *end <= durable) {
                ends.pop_front();
            }
        }
        let append = Instant::now();
        let appended = engine.append(&stream, &payload)?;
        sample.record(append.elapsed().as_nanos(), RECORD_SIZE as u64);
        ends.push_back(appended.end);
    }
    sample.wall = started.elapsed();
    ends.back().map_or(Ok(()), |last| wait(engine, *last))?;
    sample.processor = thread_time(engine.flush_thread)? - before;
    Ok(sample)
}

fn wait(engine: &Engine, end: Position) -> Result<()> {
    match engine.log.durable().wait(end, None) {
        WaitOutcome::Reached => Ok(()),
        outcome => bail!("the log said {outcome:?}"),
    }
}
