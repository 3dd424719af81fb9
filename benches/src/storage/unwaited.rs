//! An append that waits for no disk: header, checksum and index included, beside the bare copy into such a mapping.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_commit_log::{LogOptions, Route};

use super::BENCH;
use super::engine::{Engine, NEVER, WARM};
use crate::figure::{Aim, Figure};
use crate::limit::memcpy::WarmMapping;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const COPY: &str = "copy into a warm mapping";
const ONE: &str = "one writer";
const SPEED: Metric = Metric {
    name: "speed",
    unit: "GB/s",
    read: Sample::gigabytes_a_second,
};
/// A quarter of the default, so that a round takes a second.
const SEGMENT_SIZE: usize = 256 << 20;

/// Bytes of a record, writers, and the share of the limit that is aimed at.
const CASES: [(usize, usize, Option<f64>); 4] = [
    (1 << 10, 1, Some(0.5)),
    (16 << 10, 1, Some(0.75)),
    (1 << 10, 2, None),
    (16 << 10, 2, None),
];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (size, writers, aim) in CASES {
        let plural = if writers == 1 { "" } else { "s" };
        let case = format!("append, {} KiB, {writers} writer{plural}", size >> 10);
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            figures.extend(one(settings, &case, size, writers, aim)?);
        }
    }
    Ok(figures)
}

fn one(
    settings: &Settings,
    case: &str,
    size: usize,
    writers: usize,
    aim: Option<f64>,
) -> Result<Vec<Figure>> {
    let segment_size = settings.scaled(SEGMENT_SIZE);
    // Of the first segment, which is warm then, most is filled.
    let count = (segment_size / 8 * 7 / (size + 128)) as u64;
    let mapping = WarmMapping::of_size(&settings.directory, segment_size)?;
    let mut contenders = vec![
        Contender::new(PAGELOG, || appends(settings, size, writers, count)),
        Contender::new(COPY, || mapping.copies(size, count)),
    ];
    if writers > 1 {
        let alone = || appends(settings, size, 1, count);
        contenders.push(Contender::new(ONE, alone));
    }
    let rounds = Rounds::run(settings.rounds, contenders)?;
    let beside = [Some(COPY), (writers > 1).then_some(ONE)];
    let figure = |limit: &'static str| -> Result<Figure> {
        Ok(Figure {
            limit: rounds.beside(limit, &SPEED),
            aim: aim.map(Aim::RatioAtLeast),
            ..rounds.figure(BENCH, format!("{case}: speed"), &SPEED)?
        })
    };
    beside.into_iter().flatten().map(figure).collect()
}

/// A new log, warmed, and `count` records appended to it.
fn appends(settings: &Settings, size: usize, writers: usize, count: u64) -> Result<Sample> {
    let options = LogOptions {
        warm: Some(WARM),
        ..LogOptions::new(settings.scaled(SEGMENT_SIZE) as u64, Route::Mapped, 1 << 20)
    };
    let engine = Engine::start_with(&settings.directory, options, NEVER)?;
    engine.wait_ready()?;
    let payload = vec![0x5a; size];
    let each = count / writers as u64;
    let start = Barrier::new(writers + 1);
    let append = |number: u32| -> Result<()> {
        let stream = engine.stream(number);
        start.wait();
        (0..each).try_for_each(|_| engine.append(&stream, &payload).map(drop))
    };
    let wall = std::thread::scope(|scope| -> Result<Duration> {
        let append = &append;
        let threads = (0..writers as u32)
            .map(|number| std::thread::Builder::new().spawn_scoped(scope, move || append(number)))
            .collect::<Result<Vec<_>, _>>()
            .context("start a writer")?;
        start.wait();
        let started = Instant::now();
        for thread in threads {
            let joined = thread.join();
            ensure!(joined.is_ok(), "a writer panicked");
            joined.unwrap_or(Ok(()))?;
        }
        Ok(started.elapsed())
    })?;
    engine.stop()?;
    let operations = each * writers as u64;
    Ok(Sample {
        wall,
        operations,
        bytes: operations * size as u64,
        ..Sample::empty()
    })
}
