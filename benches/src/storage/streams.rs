//! The same durable appends to one stream, to a thousand and to a hundred thousand; and what a stream costs in memory and in files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result};
use pagelog_commit_log::{Log, LogOptions, Opened, Stream, StreamId};
use pagelog_flush::Policy;
use pagelog_os::Allocations;
use pagelog_segment::Directory;

use super::BENCH;
use super::engine::{Engine, PAYLOAD_SIZE_MAX, STAGED, entry};
use super::writers::round;
use crate::figure::{Aim, Beside, Figure};
use crate::plot::{LinePlot, Plot, Point, Scale, Series};
use crate::report::Report;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const RECORD_SIZE: usize = 1024;
const WRITERS: usize = 64;
const ONE: &str = "one stream";
const RATE: Metric = Metric {
    name: "rate",
    unit: "records/s",
    read: Sample::rate,
};
const COUNTS: [usize; 2] = [1_000, 100_000];

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Report> {
    let mut report = Report::default();
    let mut points = Vec::new();
    for count in COUNTS {
        let case = format!("durable, {WRITERS} writers, {} streams", grouped(count));
        if settings.wants(&case) {
            eprintln!("storage: {case}");
            let rounds = rates(settings, count)?;
            if points.is_empty() {
                points.push(("1".to_owned(), rounds.spread(ONE, &RATE)?));
            }
            points.push((grouped(count), rounds.spread(PAGELOG, &RATE)?));
            report.add(vec![Figure {
                limit: rounds.beside(ONE, &RATE),
                aim: Some(Aim::RatioAtLeast(0.9)),
                ..rounds.figure(BENCH, format!("{case}: rate"), &RATE)?
            }]);
        }
    }
    let case = format!("{} streams", grouped(COUNTS[1]));
    if settings.wants(&case) {
        eprintln!("storage: {case}");
        report.add(costs(settings, &case, COUNTS[1])?);
    }
    if points.len() == 1 + COUNTS.len() {
        report.plots.push(plot(&points));
    }
    Ok(report)
}

fn rates(settings: &Settings, count: usize) -> Result<Rounds> {
    let engines = [1, count].map(|count| -> Result<_> {
        let engine = Engine::start(&settings.directory, STAGED, Policy::Sync)?;
        let numbers = 0..u32::try_from(settings.scaled(count).max(1))?;
        let streams: Vec<Arc<Stream>> = numbers.map(|number| engine.stream(number)).collect();
        Ok((engine, streams))
    });
    let [one, many] = engines;
    let (one, many) = (one?, many?);
    let run = |(engine, streams): &(Engine, Vec<Arc<Stream>>)| {
        let payload = [0x5a; RECORD_SIZE];
        let next = AtomicUsize::new(0);
        round(WRITERS, settings.round, RECORD_SIZE, |_| {
            // One after the other: no append meets the stream of the one before.
            let stream = &streams[next.fetch_add(1, Relaxed) % streams.len()];
            engine.append_durably(stream, &payload)
        })
    };
    let contenders = vec![
        Contender::new(PAGELOG, || run(&many)),
        Contender::new(ONE, || run(&one)),
    ];
    let rounds = Rounds::run(settings.rounds, contenders)?;
    one.0.stop()?;
    many.0.stop()?;
    Ok(rounds)
}

/// What streams cost that were all written to, when files tell where their entries lie.
struct Costs {
    /// Memory that stays taken, in bytes.
    memory: f64,
    files: f64,
}

fn costs(settings: &Settings, case: &str, count: usize) -> Result<Vec<Figure>> {
    let count = settings.scaled(count);
    let (mut memory, mut files, mut ratios, mut files_of_one) = (vec![], vec![], vec![], 0.0);
    for _ in 0..settings.rounds {
        let one = cost(settings, 1, count)?;
        let many = cost(settings, count, count)?;
        memory.push((many.memory - one.memory) / (count - 1) as f64);
        files.push(many.files);
        ratios.push(many.files / one.files);
        files_of_one = one.files;
    }
    let spread = |values| Spread::of(values).context("no rounds");
    let figure =
        |what: &str, unit, value| Figure::new(BENCH, format!("{case}: {what}"), unit, value);
    Ok(vec![
        Figure {
            aim: Some(Aim::ValueAtMost(300.0)),
            ..figure("memory of each", "bytes", spread(memory)?)
        },
        Figure {
            limit: Some(Beside {
                name: ONE,
                value: files_of_one,
                ratio: spread(ratios)?,
            }),
            aim: Some(Aim::RatioAtMost(1.0)),
            ..figure("files on disk", "files", spread(files)?)
        },
    ])
}

/// Appends `records` to `streams` in turn, and has files tell of all of them.
fn cost(settings: &Settings, streams: usize, records: usize) -> Result<Costs> {
    let directory = tempfile::Builder::new()
        .prefix("log-")
        .tempdir_in(&settings.directory)?;
    let storage = Arc::new(Directory::open(directory.path())?);
    let options = LogOptions::new(64 << 20, STAGED, PAYLOAD_SIZE_MAX);
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
    let before = Allocations::of_this_thread();
    for record in 0..records {
        let stream = log.stream(StreamId(u32::try_from(record % streams)? + 1));
        log.append(&stream, &entry(b"a record"))?;
        if record % 1_000 == 0 {
            sync.write()?;
        }
    }
    sync.write()?;
    sync.sync()?;
    // What the index would keep for entries to come goes too.
    log.set_index_memory(0);
    log.index_all()?;
    let taken = Allocations::of_this_thread().since(before);
    Ok(Costs {
        memory: taken.taken_bytes as f64 - taken.returned_bytes as f64,
        files: std::fs::read_dir(directory.path())?.count() as f64,
    })
}

fn plot(points: &[(String, Spread)]) -> Plot {
    let drawing = LinePlot {
        title: format!("Durable appends of 1 KiB by {WRITERS} writers, by the number of streams"),
        across: "streams".into(),
        places: points.iter().map(|(count, _)| count.clone()).collect(),
        up: "records a second, median and its 95 % interval".into(),
        scale: Scale::Linear,
        series: vec![Series {
            name: "pagelog, staged, sync".into(),
            points: points
                .iter()
                .map(|(_, spread)| Some(Point::from(*spread)))
                .collect(),
        }],
    };
    Plot {
        name: "storage-rate-by-streams",
        svg: drawing.svg(),
    }
}

fn grouped(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        _ => format!("{},{:03}", count / 1_000, count % 1_000),
    }
}
