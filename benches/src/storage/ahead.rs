//! What making pages ready ahead of the appenders is worth: the slowest of many appends through the mapping, over four segments.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pagelog_commit_log::{LogOptions, Route, Warm};
use pagelog_flush::{Interval, Policy};
use pagelog_segment::State;

use super::BENCH;
use super::engine::Engine;
use crate::figure::{Aim, Figure};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const RECORD_SIZE: usize = 1024;
const SEGMENTS: u64 = 4;
/// A quarter of the default, so that a round takes seconds.
const SEGMENT_SIZE: usize = 256 << 20;
const ALLOCATED: &str = "as allocated";
const WARMED: &str = "warmed";
const READY_TIMEOUT: Duration = Duration::from_secs(120);

const SLOWEST: Metric = Metric {
    name: "slowest",
    unit: "us",
    read: |sample| sample.microseconds_at(1.0),
};
const P9999: Metric = Metric {
    name: "p99.99",
    unit: "us",
    read: |sample| sample.microseconds_at(0.9999),
};

const WARM: Warm = Warm {
    window: None,
    bytes_per_second: None,
    flush_every: None,
    pin_window: 0,
    pin_max: 0,
};
/// No sync while it is measured: what it would cost is another question.
const NEVER: Policy = Policy::Interval(Interval {
    interval: Duration::from_secs(3600),
    pages_least: 1,
    thorough: Duration::from_secs(3600),
    write_interval: Duration::from_secs(3600),
    write_pages_least: 1,
});
const PINNED: Warm = Warm {
    pin_window: 16 << 20,
    pin_max: 48 << 20,
    ..WARM
};

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let case = "append without waiting, mapped";
    if !settings.wants(case) {
        return Ok(Vec::new());
    }
    eprintln!("storage: {case}");
    let contender = |name, warm| Contender::new(name, move || appends(settings, warm));
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            contender(PAGELOG, Some(PINNED)),
            contender(WARMED, Some(WARM)),
            contender(ALLOCATED, None),
        ],
    )?;
    let mut figures = vec![Figure {
        limit: rounds.beside(ALLOCATED, &SLOWEST),
        aim: Some(Aim::RatioAtMost(0.1)),
        ..rounds.figure(
            BENCH,
            format!("{case}, warmed and pinned: slowest"),
            &SLOWEST,
        )?
    }];
    figures.push(rounds.figure(BENCH, format!("{case}, warmed and pinned: p99.99"), &P9999)?);
    for name in [WARMED, ALLOCATED] {
        for metric in [&SLOWEST, &P9999] {
            let spread = rounds.spread(name, metric)?;
            let case = format!("{case}, {name}: {}", metric.name);
            figures.push(Figure::new(BENCH, case, metric.unit, spread));
        }
    }
    Ok(figures)
}

/// Appends through four segments, each begun when those behind it are ready, as a producer that leaves the machine time to breathe finds them.
fn appends(settings: &Settings, warm: Option<Warm>) -> Result<Sample> {
    let segment_size = settings.scaled(SEGMENT_SIZE) as u64;
    let options = LogOptions {
        warm,
        ..LogOptions::new(segment_size, Route::Mapped, 1 << 20)
    };
    let engine = Engine::start_with(&settings.directory, options, NEVER)?;
    let stream = engine.stream(0);
    let payload = [0x5a; RECORD_SIZE];
    let mut sample = Sample::empty();
    for segment in 1..=SEGMENTS {
        wait_ready(&engine)?;
        let began = Instant::now();
        while engine.log.appended().0 < segment * segment_size - (64 << 10) {
            let append = Instant::now();
            engine.append(&stream, &payload)?;
            sample.record(append.elapsed().as_nanos(), RECORD_SIZE as u64);
        }
        sample.wall += began.elapsed();
    }
    engine.stop()?;
    Ok(sample)
}

fn wait_ready(engine: &Engine) -> Result<()> {
    let began = Instant::now();
    let is_ready = || {
        let warm = engine.log.warm_up();
        engine.log.segments_ready() == 2 && warm.iter().all(|one| one.state == State::Done)
    };
    while !is_ready() {
        ensure!(
            began.elapsed() < READY_TIMEOUT,
            "the next segments are never ready"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
