//! What making pages ready ahead of the appenders is worth: the slowest of many appends through the mapping, over four segments, as sparse files,
//! allocated, warmed, and pinned.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use pagelog_commit_log::{LogOptions, Route, Storage, Warm};
use pagelog_os::process::{self, Scope};
use pagelog_segment::Directory;

use super::BENCH;
use super::engine::{Engine, NEVER, PINNED, WARM};
use super::prepared::Prepared;
use crate::figure::{Aim, Figure};
use crate::plot::{LinePlot, Plot, Point, Scale, Series};
use crate::report::Report;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const RECORD_SIZE: usize = 1024;
const SEGMENTS: u64 = 4;
/// The default: what it costs to make so large a file ready, and to write it to the disk meanwhile, is in the figure.
const SEGMENT_SIZE: usize = 1 << 30;
const SPARSE: &str = "sparse";
const ALLOCATED: &str = "as allocated";
const WARMED: &str = "warmed";
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

/// Of the appending thread: pages that it had to bring in, or that the kernel had written to the disk after they had been made ready.
const FAULTS: Metric = Metric {
    name: "page faults a thousand appends",
    unit: "faults",
    read: |sample| sample.faults as f64 * 1e3 / sample.operations as f64,
};

const LOW: [Metric; 3] = [Metric::P50, Metric::P99, Metric::P999];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Report> {
    let case = "append without waiting, mapped";
    if !settings.wants(case) {
        return Ok(Report::default());
    }
    eprintln!("storage: {case}");
    let contender =
        |name, files, warm| Contender::new(name, move || appends(settings, files, warm));
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            contender(PAGELOG, Files::Allocated, Some(PINNED)),
            contender(WARMED, Files::Allocated, Some(WARM)),
            contender(ALLOCATED, Files::Allocated, None),
            contender(SPARSE, Files::Sparse, None),
        ],
    )?;
    let own = format!("{case}, warmed and pinned");
    let mut figures = vec![Figure {
        limit: rounds.beside(ALLOCATED, &SLOWEST),
        aim: Some(Aim::RatioAtMost(0.1)),
        ..rounds.figure(BENCH, format!("{own}: slowest"), &SLOWEST)?
    }];
    figures.push(Figure {
        limit: rounds.beside(ALLOCATED, &P9999),
        ..rounds.figure(BENCH, format!("{own}: p99.99"), &P9999)?
    });
    figures.push(Figure {
        limit: rounds.beside(ALLOCATED, &FAULTS),
        ..rounds.figure(BENCH, format!("{own}: {}", FAULTS.name), &FAULTS)?
    });
    for name in [WARMED, ALLOCATED, SPARSE] {
        for metric in [&SLOWEST, &P9999, &FAULTS] {
            let spread = rounds.spread(name, metric)?;
            let case = format!("{case}, {name}: {}", metric.name);
            figures.push(Figure::new(BENCH, case, metric.unit, spread));
        }
    }
    let plots = vec![plot(&rounds)];
    Ok(Report { figures, plots })
}

fn plot(rounds: &Rounds) -> Plot {
    let metrics: Vec<&Metric> = LOW.iter().chain([&P9999, &SLOWEST]).collect();
    let point = |name: &str, metric: &Metric| rounds.spread(name, metric).ok().map(Point::from);
    let series = |(name, shown): (&str, &str)| Series {
        name: shown.to_owned(),
        points: metrics.iter().map(|metric| point(name, metric)).collect(),
    };
    let contenders = [
        (SPARSE, SPARSE),
        (ALLOCATED, "allocated"),
        (WARMED, WARMED),
        (PAGELOG, "warmed and pinned"),
    ];
    let drawing = LinePlot {
        title: "An append of 1 KiB into the mapping: its tail, by what was done ahead".into(),
        across: "the share of appends that took at most so long".into(),
        places: metrics
            .iter()
            .map(|metric| metric.name.to_owned())
            .collect(),
        up: "us, median of the rounds and its 95 % interval".into(),
        scale: Scale::Logarithmic,
        series: contenders.into_iter().map(series).collect(),
    };
    Plot {
        name: "storage-tail-by-warm-up",
        svg: drawing.svg(),
    }
}

/// How the blocks of segments come to be.
#[derive(Clone, Copy)]
enum Files {
    Allocated,
    /// Only when they are written to, which the log never does: what it would cost.
    Sparse,
}

fn storage(path: &Path, files: Files) -> Result<Arc<dyn Storage>> {
    let directory = Directory::open(path)?;
    Ok(match files {
        Files::Allocated => Arc::new(directory),
        Files::Sparse => Arc::new(Prepared::sparse(directory)),
    })
}

/// Appends through four segments, each begun when those behind it are ready, as a producer that leaves the machine time to breathe finds them.
fn appends(settings: &Settings, files: Files, warm: Option<Warm>) -> Result<Sample> {
    let segment_size = settings.scaled(SEGMENT_SIZE) as u64;
    let options = LogOptions {
        warm,
        ..LogOptions::new(segment_size, Route::Mapped, 1 << 20)
    };
    let open = |path: &Path| storage(path, files);
    let engine = Engine::start_on(&settings.directory, open, options, NEVER)?;
    let stream = engine.stream(0);
    let payload = [0x5a; RECORD_SIZE];
    let mut sample = Sample::empty();
    for segment in 1..=SEGMENTS {
        engine.wait_ready()?;
        let faults = faults()?;
        let began = Instant::now();
        while engine.log.appended().0 < segment * segment_size - (64 << 10) {
            let append = Instant::now();
            engine.append(&stream, &payload)?;
            sample.record(append.elapsed().as_nanos(), RECORD_SIZE as u64);
        }
        sample.wall += began.elapsed();
        sample.faults += self::faults()? - faults;
    }
    engine.stop()?;
    Ok(sample)
}

/// How many page faults this thread has had.
fn faults() -> Result<u64> {
    let usage = process::usage(Scope::Thread)?;
    Ok(usage.minor_faults + usage.major_faults)
}
