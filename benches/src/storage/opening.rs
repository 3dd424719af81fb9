//! What an opening costs: with many segments beside few, and after a crash beside reading the same bytes once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use pagelog_commit_log::{
    AppendError, Derived, Entry, IndexWork, Log, LogOptions, Opened, StreamId, SyncSide,
};
use pagelog_segment::Directory;
use tempfile::TempDir;

use super::BENCH;
use super::engine::{SEGMENT_SIZE, STAGED, entry};
use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_error_at, produce_frame};
use crate::figure::{Aim, Figure};
use crate::limit::replay;
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const RECORD_SIZE: usize = 16 << 10;
/// So that the segments of a quick run are large enough.
const PAYLOAD_SIZE_MAX: u32 = 64 << 10;
/// So small that 64 of them fit where a disk is small; what is in them is not read.
const SEGMENT_SIZE_SMALL: u64 = 16 << 20;
const MANY: u64 = 64;
const FEW: &str = "4 segments";
const FEW_COUNT: u64 = 4;
const STREAMS: u32 = 100;
const READ: &str = "read and CRC";
const FETCHED_SIZE: usize = 4 << 30;
const TOPIC: &str = "fetched";

const WALL: Metric = Metric {
    name: "wall",
    unit: "ms",
    read: |sample| sample.wall.as_secs_f64() * 1e3,
};
const RATE: Metric = Metric {
    name: "rate",
    unit: "GB/s",
    read: Sample::gigabytes_a_second,
};

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (case, run) in [
        ("open, 64 segments, closed cleanly", many as Case),
        ("open, 1 GiB in one segment, after kill -9", unclean),
        (
            "start to first fetch after kill -9, 4 GiB in 100 partitions",
            first_fetch,
        ),
    ] {
        if settings.wants(case) {
            eprintln!("storage: {case}");
            figures.push(run(settings, case)?);
        }
    }
    Ok(figures)
}

type Case = fn(&Settings, &str) -> Result<Figure>;

/// Derives nothing but a count.
#[derive(Debug, Default)]
struct Counter(u64);

impl Derived for Counter {
    fn restore(&mut self, told: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0 = u64::from_le_bytes(told.try_into()?);
        Ok(())
    }

    fn take(&mut self, _: &Entry<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0 += 1;
        Ok(())
    }
}

/// A log on the disk that is opened again and again.
struct Reopened {
    directory: TempDir,
    options: LogOptions,
}

impl Reopened {
    fn new(parent: &Path, segment_size: u64) -> Result<Reopened> {
        let directory = tempfile::Builder::new().prefix("log-").tempdir_in(parent)?;
        Ok(Reopened {
            directory,
            options: LogOptions::new(segment_size, STAGED, PAYLOAD_SIZE_MAX),
        })
    }

    fn open(&self, counter: &mut Counter) -> Result<Opened> {
        let storage = Arc::new(Directory::open(self.directory.path())?);
        Ok(Log::open_at_checkpoint(storage, self.options, counter)?)
    }

    /// Appends until `end` is reached.
    fn fill(&self, end: u64) -> Result<Opened> {
        let mut opened = self.open(&mut Counter::default())?;
        let payload = [0x5a; RECORD_SIZE];
        let mut number = 0;
        while opened.log.appended().0 < end {
            let stream = opened.log.stream(StreamId(1 + number % STREAMS));
            match opened.log.append(&stream, &entry(&payload)) {
                Ok(_) => number += 1,
                Err(AppendError::Busy(busy)) => {
                    flush(&mut opened.sync)?;
                    opened
                        .log
                        .wait_room(busy, std::time::Duration::from_millis(1));
                }
                Err(error) => return Err(error.into()),
            }
        }
        flush(&mut opened.sync)?;
        Ok(opened)
    }

    /// How long an opening takes that is followed by a clean stop.
    fn opening(&self) -> Result<Sample> {
        let mut counter = Counter::default();
        let began = Instant::now();
        let opened = self.open(&mut counter)?;
        let mut sample = Sample::empty();
        sample.wall = began.elapsed();
        sample.operations = 1;
        ensure!(opened.recovery.from_checkpoint, "every entry was read");
        stop(opened, counter.0)?;
        Ok(sample)
    }

    fn segment(&self) -> PathBuf {
        self.directory.path().join(format!("{:020}.log", 0))
    }
}

fn flush(sync: &mut SyncSide) -> Result<()> {
    sync.write()?;
    sync.sync()?;
    Ok(())
}

/// A clean stop, with indexes and a checkpoint.
fn stop(mut opened: Opened, count: u64) -> Result<()> {
    opened.sync.close()?;
    while opened.log.index_next()? != IndexWork::Nothing {}
    opened.log.index_all()?;
    let draft = opened.log.take_checkpoint(|| count.to_le_bytes().to_vec());
    opened
        .log
        .write_checkpoint(draft.context("nothing to tell")?)?;
    Ok(())
}

fn many(settings: &Settings, case: &str) -> Result<Figure> {
    let segment_size = settings.scaled(SEGMENT_SIZE_SMALL as usize) as u64;
    let log_of = |segments: u64| -> Result<Reopened> {
        let log = Reopened::new(&settings.directory, segment_size)?;
        stop(log.fill(segments * segment_size - segment_size / 2)?, 0)?;
        Ok(log)
    };
    let (many, few) = (log_of(MANY)?, log_of(FEW_COUNT)?);
    let contenders = vec![
        Contender::new(PAGELOG, || many.opening()),
        Contender::new(FEW, || few.opening()),
    ];
    let rounds = Rounds::run(4 * settings.rounds, contenders)?;
    Ok(Figure {
        limit: rounds.beside(FEW, &WALL),
        aim: Some(Aim::RatioAtMost(1.5)),
        ..rounds.figure(BENCH, case.to_owned(), &WALL)?
    })
}

fn unclean(settings: &Settings, case: &str) -> Result<Figure> {
    let size = settings.scaled(SEGMENT_SIZE as usize) as u64;
    let log = Reopened::new(&settings.directory, size)?;
    // Each opening appends an entry.
    let end = size - (1 << 20);
    drop(log.fill(end)?);
    let contenders = vec![
        Contender::new(PAGELOG, || {
            let began = Instant::now();
            let opened = log.open(&mut Counter::default())?;
            let mut sample = Sample::empty();
            sample.wall = began.elapsed();
            (sample.operations, sample.bytes) = (1, opened.recovery.end.0);
            ensure!(!opened.recovery.from_checkpoint, "not every entry was read");
            Ok(sample)
        }),
        Contender::new(READ, || replay::read_and_checksum(&log.segment(), end)),
    ];
    let rounds = Rounds::run(settings.rounds, contenders)?;
    Ok(Figure {
        limit: rounds.beside(READ, &RATE),
        aim: Some(Aim::RatioAtLeast(0.5)),
        ..rounds.figure(BENCH, case.to_owned(), &RATE)?
    })
}

/// The broker from its start to the answer to a Fetch of every partition.
fn first_fetch(settings: &Settings, case: &str) -> Result<Figure> {
    let mut pagelog = settings.pagelog(Flush::Sync)?;
    let partitions = STREAMS as i32;
    let topic = Topic {
        name: TOPIC,
        partitions,
        settings: Vec::new(),
    };
    Client::connect(pagelog.address)?.create(&topic)?;
    let batch = batch::of_size(RECORD_SIZE);
    let connections = (0..16).map(|connection| {
        let own = (0..partitions).filter(|partition| partition % 16 == connection);
        let exchange = |partition| -> Result<Exchange> {
            Ok(Exchange {
                frame: produce_frame(TOPIC, &[partition], &batch, -1)?.into(),
                expect: Expect::NoErrorAt(produce_error_at(TOPIC)),
                bytes: batch.len() as u64,
            })
        };
        own.map(exchange).collect::<Result<Vec<_>>>()
    });
    let connections = connections.collect::<Result<Vec<_>>>()?;
    let count = settings.scaled(FETCHED_SIZE) / batch.len();
    let mut load = ClosedLoop::connect(pagelog.address, connections)?;
    load.run(Until::Count(count as u64), Receive::Copy)?;
    drop(load);
    let all: Vec<_> = (0..partitions).map(|partition| (partition, 0)).collect();
    let frame = fetch_frame(TOPIC, &all, RECORD_SIZE as i32, 1 << 20)?;
    let mut seconds = Vec::new();
    for _ in 0..=settings.rounds {
        pagelog = pagelog.kill_and_restart(&settings.broker, Flush::Sync)?;
        let began = Instant::now();
        let (size, _) = Client::connect(pagelog.address)?.fetch(&frame)?;
        ensure!(size > RECORD_SIZE, "an answer of {size} bytes");
        seconds.push((pagelog.server.start + began.elapsed()).as_secs_f64());
    }
    pagelog.stop()?;
    let value = Spread::of(seconds.split_off(1)).context("no rounds")?;
    Ok(Figure {
        aim: Some(Aim::ValueAtMost(0.5)),
        ..Figure::new(BENCH, case.to_owned(), "s", value)
    })
}
