//! What making pages ready ahead of the appenders is worth: the slowest of many appends through the mapping, over four segments, as sparse files,
//! allocated, warmed, and pinned; and how much of that is the append's own, beside a thread that only stores into memory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use pagelog_commit_log::{LogOptions, Route, Storage, Warm};
use pagelog_flush::Policy;
use pagelog_os::process::{self, Scope};
use pagelog_os::{Mapping, Populate};
use pagelog_segment::Directory;

use super::BENCH;
use super::engine::{Engine, NEVER, PINNED, WARM, WINDOW};
use super::prepared::Prepared;
use super::put_off::PutOff;
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
/// So that four of them take seconds at a pace.
const PACED_SEGMENT_SIZE: usize = 256 << 20;
const SPARSE: &str = "sparse";
const ALLOCATED: &str = "as allocated";
const WARMED: &str = "warmed";
/// What the machine does to whoever stores as much, into pinned memory that is no file's.
const MEMORY: &str = "memory alone";
const MEMORY_SIZE: usize = 16 << 20;
/// Only so slow an append is asked whether it was put off its processor: the question takes longer than an append.
const SLOW: Duration = Duration::from_micros(20);
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

/// Less the time in which the appender was ready to run and had no processor.
const SLOWEST_UNHINDERED: Metric = Metric {
    name: "slowest, waits for a processor left out",
    unit: "us",
    read: |sample| sample.unhindered_microseconds_at(1.0),
};
const P9999_UNHINDERED: Metric = Metric {
    name: "p99.99, waits for a processor left out",
    unit: "us",
    read: |sample| sample.unhindered_microseconds_at(0.9999),
};

/// Of the appending thread: pages that it had to bring in, or that the kernel had written to the disk after they had been made ready.
const FAULTS: Metric = Metric {
    name: "page faults a thousand appends",
    unit: "faults",
    read: |sample| sample.faults as f64 * 1e3 / sample.operations as f64,
};

const ALL: [&Metric; 5] = [
    &SLOWEST,
    &P9999,
    &SLOWEST_UNHINDERED,
    &P9999_UNHINDERED,
    &FAULTS,
];
const LOW: [Metric; 3] = [Metric::P50, Metric::P99, Metric::P999];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Report> {
    let mut report = at_once(settings)?;
    report.add(at_a_pace(settings)?);
    Ok(report)
}

/// At a rate that leaves the machine time to breathe, by the broker's defaults under interval flush.
fn at_a_pace(settings: &Settings) -> Result<Vec<Figure>> {
    let case = "append at 128 MB/s beside flushes, mapped";
    if !settings.wants(case) {
        return Ok(Vec::new());
    }
    eprintln!("storage: {case}");
    let contender = |name, warm| {
        let run = Appends {
            segment_size: settings.scaled(PACED_SEGMENT_SIZE) as u64,
            files: Files::Allocated,
            warm,
            policy: Policy::INTERVAL,
            gap: Duration::from_micros(8),
        };
        Contender::new(name, move || run.run(settings))
    };
    let contenders = vec![contender(PAGELOG, Some(WINDOW)), contender(ALLOCATED, None)];
    let rounds = Rounds::run(settings.rounds, contenders)?;
    let figure = |metric: &Metric| {
        Ok(Figure {
            limit: rounds.beside(ALLOCATED, metric),
            ..rounds.figure(BENCH, format!("{case}: {}", metric.name), metric)?
        })
    };
    let metrics = ALL.into_iter().chain([&Metric::P999]);
    metrics.map(figure).collect()
}

fn at_once(settings: &Settings) -> Result<Report> {
    let case = "append without waiting, mapped";
    if !settings.wants(case) {
        return Ok(Report::default());
    }
    eprintln!("storage: {case}");
    let contender = |name, files, warm| {
        let run = Appends {
            segment_size: settings.scaled(SEGMENT_SIZE) as u64,
            files,
            warm,
            policy: NEVER,
            gap: Duration::ZERO,
        };
        Contender::new(name, move || run.run(settings))
    };
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            contender(PAGELOG, Files::Allocated, Some(PINNED)),
            contender(WARMED, Files::Allocated, Some(WARM)),
            contender(ALLOCATED, Files::Allocated, None),
            contender(SPARSE, Files::Sparse, None),
            Contender::new(MEMORY, move || stores(settings)),
        ],
    )?;
    let own = format!("{case}, warmed and pinned");
    let mut figures = vec![Figure {
        limit: rounds.beside(ALLOCATED, &SLOWEST),
        aim: Some(Aim::RatioAtMost(0.1)),
        ..rounds.figure(BENCH, format!("{own}: slowest"), &SLOWEST)?
    }];
    for metric in [&P9999, &SLOWEST_UNHINDERED, &P9999_UNHINDERED, &FAULTS] {
        figures.push(Figure {
            limit: rounds.beside(ALLOCATED, metric),
            ..rounds.figure(BENCH, format!("{own}: {}", metric.name), metric)?
        });
    }
    for name in [WARMED, ALLOCATED, SPARSE, MEMORY] {
        for metric in ALL {
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
        (MEMORY, MEMORY),
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
#[derive(Clone, Copy)]
struct Appends {
    segment_size: u64,
    files: Files,
    warm: Option<Warm>,
    policy: Policy,
    /// From one append to the next, in the mean: some at a time, and a sleep.
    gap: Duration,
}

/// How many appends there are between two sleeps.
const BETWEEN_SLEEPS: u32 = 256;

impl Appends {
    fn run(&self, settings: &Settings) -> Result<Sample> {
        let options = LogOptions {
            warm: self.warm,
            ..LogOptions::new(self.segment_size, Route::Mapped, 1 << 20)
        };
        let open = |path: &Path| storage(path, self.files);
        let engine = Engine::start_on(&settings.directory, open, options, self.policy)?;
        let stream = engine.stream(0);
        let payload = [0x5a; RECORD_SIZE];
        let mut timed = Timed::new()?;
        for segment in 1..=SEGMENTS {
            engine.wait_ready()?;
            timed.begin()?;
            let mut number = 0;
            while engine.log.appended().0 < segment * self.segment_size - (64 << 10) {
                self.keep_pace(timed.began, number);
                number += 1;
                timed.one(|| engine.append(&stream, &payload).map(drop))?;
            }
            timed.end()?;
        }
        engine.stop()?;
        Ok(timed.sample)
    }

    fn keep_pace(&self, began: Instant, number: u32) {
        if !self.gap.is_zero() && number.is_multiple_of(BETWEEN_SLEEPS) {
            let due = self.gap * number;
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
    }
}

/// Stores as many bytes by turns through a piece of memory that is there.
fn stores(settings: &Settings) -> Result<Sample> {
    let memory = Mapping::anonymous(MEMORY_SIZE)?;
    memory.populate(0..MEMORY_SIZE, Populate::Write)?;
    let payload = [0x5a; RECORD_SIZE];
    let count = SEGMENTS as usize * settings.scaled(SEGMENT_SIZE) / RECORD_SIZE;
    let mut timed = Timed::new()?;
    timed.begin()?;
    for number in 0..count {
        let at = number * RECORD_SIZE % MEMORY_SIZE;
        timed.one(|| Ok(memory.copy_in(at, &payload)?))?;
    }
    timed.end()?;
    Ok(timed.sample)
}

/// Times what one thread does, and asks what of it the thread has itself to thank for.
struct Timed {
    sample: Sample,
    put_off: PutOff,
    began: Instant,
    faults: u64,
}

impl Timed {
    fn new() -> Result<Timed> {
        Ok(Timed {
            sample: Sample::empty(),
            put_off: PutOff::new()?,
            began: Instant::now(),
            faults: 0,
        })
    }

    fn begin(&mut self) -> Result<()> {
        self.put_off.since_last()?;
        self.faults = faults()?;
        self.began = Instant::now();
        Ok(())
    }

    fn one(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let began = Instant::now();
        work()?;
        let took = began.elapsed();
        self.sample.record(took.as_nanos(), RECORD_SIZE as u64);
        // What it was put off for since the last slow one was so in short pieces, or in this one.
        let put_off = match took >= SLOW {
            true => self.put_off.since_last()?,
            false => Duration::ZERO,
        };
        let own = took.saturating_sub(put_off);
        self.sample.record_unhindered(own.as_nanos());
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        self.sample.wall += self.began.elapsed();
        self.sample.faults += faults()? - self.faults;
        Ok(())
    }
}

/// How many page faults this thread has had.
fn faults() -> Result<u64> {
    let usage = process::usage(Scope::Thread)?;
    Ok(usage.minor_faults + usage.major_faults)
}
