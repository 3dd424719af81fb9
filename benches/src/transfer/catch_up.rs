//! A consumer that catches up on one partition of many when nothing of the log is in memory: what the broker reads for a byte that
//! it delivers.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pagelog_os::file::{FileAdvice, advise};
use pagelog_os::process::Process;

use super::BENCH;
use super::short_memory::ShortMemory;
use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_frame};
use crate::figure::{Aim, Figure};
use crate::pagelog::{Flush, Pagelog};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const BATCH_SIZE: usize = 1024;
/// Requests that write a batch to each partition of a topic.
const REQUESTS: usize = 1_000;
/// With the consumer's own, a thousand for each topic at most: a broker has no more than 100,000.
const PARTITIONS: usize = 999;
/// Partitions, topics that have them, and after how many requests the consumer's own one gets a batch.
const CASES: [(&str, usize, usize); 2] = [("1,000", 1, 1), ("100,000", 100, 5)];
/// What the consumer takes at a time, as clients do.
const FETCH_SIZE: i32 = 1 << 20;
/// What may stay in memory of the log, in bytes.
const RESIDENT_MAX: u64 = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(10);
const ONE: Topic = Topic {
    name: "one",
    partitions: 1,
    settings: Vec::new(),
};

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, topics, every) in CASES {
        let case = format!("cold catch-up of one of {name} partitions");
        if settings.wants(&case) {
            eprintln!("transfer: {case}");
            figures.extend(one(settings, &case, topics, every)?);
        }
    }
    Ok(figures)
}

fn one(settings: &Settings, case: &str, topics: usize, every: usize) -> Result<Vec<Figure>> {
    let pagelog = settings.pagelog(Flush::Sync)?;
    fill(
        settings,
        &mut Client::connect(pagelog.address)?,
        topics,
        every,
    )?;
    let expected = settings.scaled(REQUESTS).div_ceil(every) as u64;
    let broker = Process::Id(pagelog.server.id());
    let (mut read, mut speed) = (Vec::new(), Vec::new());
    for _ in 0..settings.rounds {
        let_go(&pagelog)?;
        let before = broker.io_counters()?.device_read_bytes;
        let sample = catch_up(&mut Client::connect(pagelog.address)?)?;
        ensure!(
            sample.operations == expected,
            "{} batches",
            sample.operations
        );
        let bytes = broker.io_counters()?.device_read_bytes - before;
        read.push(bytes as f64 / sample.bytes as f64);
        speed.push(sample.megabytes_a_second());
    }
    pagelog.stop()?;
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

/// Writes to all partitions in turn, and to the consumer's own one now and then.
fn fill(settings: &Settings, client: &mut Client, topics: usize, every: usize) -> Result<()> {
    let count = settings.scaled(PARTITIONS);
    let partitions: Vec<i32> = (0..i32::try_from(count)?).collect();
    let batch = batch::of_size(BATCH_SIZE);
    client.create(&ONE)?;
    let mut frames = Vec::new();
    for number in 0..topics {
        let name: &'static str = format!("many-{number}").leak();
        client.create(&Topic {
            name,
            partitions: i32::try_from(count)?,
            settings: Vec::new(),
        })?;
        frames.push(produce_frame(name, &partitions, &batch, -1)?);
    }
    let own = produce_frame(ONE.name, &[0], &batch, -1)?;
    for request in 0..settings.scaled(REQUESTS) {
        if request % every == 0 {
            client.exchange(&own)?;
        }
        client.exchange(&frames[request % topics])?;
    }
    Ok(())
}

/// Has the kernel drop the pages of all files of the log. The broker lets go of those that it has mapped when the consumer before has
/// left, soon after.
fn let_go(pagelog: &Pagelog) -> Result<()> {
    let began = Instant::now();
    loop {
        for entry in fs::read_dir(pagelog.data())? {
            // A file that is written under another name first may have got its own meanwhile.
            if let Ok(file) = File::open(entry?.path()) {
                file.sync_all()?;
                advise(&file, 0..file.metadata()?.len(), FileAdvice::DontNeed)?;
            }
        }
        let left = ShortMemory::new(pagelog, 0)?.resident()?;
        if left <= RESIDENT_MAX {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "{left} bytes stay in memory");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Reads the partition from its first record on.
fn catch_up(client: &mut Client) -> Result<Sample> {
    let mut sample = Sample::empty();
    let started = Instant::now();
    let mut next = 0;
    loop {
        let asked = Instant::now();
        let frame = fetch_frame(ONE.name, &[(0, next)], FETCH_SIZE, FETCH_SIZE)?;
        let (_, response) = client.fetch(&frame)?;
        let first = response
            .responses
            .first()
            .and_then(|topic| topic.partitions.first());
        let first = first.context("no partition")?;
        let records = first.records.clone().unwrap_or_default();
        let mut rest = &records[..];
        while let Some(parsed) = batch::parse(rest) {
            ensure!(parsed.whole && parsed.base_offset == next, "offset {next}");
            next += i64::from(parsed.count);
            sample.record(asked.elapsed().as_nanos(), parsed.size as u64);
            rest = &rest[parsed.size..];
        }
        if next >= first.high_watermark {
            break;
        }
        ensure!(!records.is_empty(), "nothing at offset {next}");
    }
    sample.wall = started.elapsed();
    Ok(sample)
}
