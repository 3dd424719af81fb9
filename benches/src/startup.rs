//! How long from the start of the process to `ready`: on an empty directory, and after `kill -9`?

use anyhow::{Context, Result};

use crate::batch;
use crate::client::{Client, Topic, produce_error_at, produce_frame};
use crate::figure::{Aim, Figure};
use crate::limit::replay;
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::{Flush, Pagelog};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const BENCH: &str = "startup";
/// Bytes in the log when it is killed, in batches of [`BATCH_SIZE`].
const LOG_SIZE: usize = 512 << 20;
const BATCH_SIZE: usize = 16 << 10;
const READ: &str = "read and CRC";
const WALL: Metric = Metric {
    name: "wall",
    unit: "ms",
    read: |sample| sample.wall.as_secs_f64() * 1e3,
};
const PROCESSOR: Metric = Metric {
    name: "processor",
    unit: "ms",
    read: |sample| sample.processor.as_secs_f64() * 1e3,
};

/// Runs the bench.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = vec![empty(settings)?];
    figures.extend(recovery(settings)?);
    Ok(figures)
}

fn empty(settings: &Settings) -> Result<Figure> {
    eprintln!("startup: empty directory");
    let start = || -> Result<f64> {
        let pagelog = settings.pagelog(Flush::Sync)?;
        let start = pagelog.server.start.as_secs_f64() * 1e3;
        pagelog.stop()?;
        Ok(start)
    };
    start()?; // the binary is in the page cache after the first
    let starts = (0..2 * settings.rounds)
        .map(|_| start())
        .collect::<Result<Vec<_>>>()?;
    let value = Spread::of(starts).context("no rounds")?;
    Ok(Figure {
        aim: Some(Aim::ValueAtMost(50.0)),
        ..Figure::new(BENCH, "start to ready, empty directory".into(), "ms", value)
    })
}

/// Fills a log once, then kills and restarts again and again: every start replays all of it, since
/// a start that was not stopped well knows no clean end.
fn recovery(settings: &Settings) -> Result<Vec<Figure>> {
    let size = settings.scaled(LOG_SIZE);
    eprintln!("startup: kill -9 with {} MiB", size >> 20);
    let mut pagelog = Some(settings.pagelog(Flush::Sync)?);
    let first = pagelog.as_ref().context("a broker")?;
    fill(first, size)?;
    let segment = first
        .segments()?
        .into_iter()
        .next()
        .context("no segment in the data")?;
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, || {
                let killed = pagelog.take().context("a broker")?;
                let again = killed.kill_and_restart(&settings.broker, Flush::Sync)?;
                let mut sample = Sample::empty();
                sample.wall = again.server.start;
                sample.processor = again.processor_time()?;
                (sample.operations, sample.bytes) = (1, size as u64);
                pagelog = Some(again);
                Ok(sample)
            }),
            Contender::new(READ, || replay::read_and_checksum(&segment, size as u64)),
        ],
    )?;
    let case = format!(
        "start to ready after kill -9, {} MiB in 16 KiB batches",
        size >> 20
    );
    Ok(vec![
        Figure {
            limit: rounds.beside(READ, &WALL),
            ..rounds.figure(BENCH, case.clone(), &WALL)?
        },
        rounds.figure(BENCH, format!("{case}: processor"), &PROCESSOR)?,
    ])
}

fn fill(pagelog: &Pagelog, size: usize) -> Result<()> {
    let topic = Topic {
        name: "replayed",
        partitions: 1,
        settings: Vec::new(),
    };
    Client::connect(pagelog.address)?.create(&topic)?;
    let batch = batch::of_size(BATCH_SIZE);
    let exchange = Exchange {
        frame: produce_frame(topic.name, &[0], &batch, -1)?.into(),
        expect: Expect::NoErrorAt(produce_error_at(topic.name)),
        bytes: batch.len() as u64,
    };
    let mut load = ClosedLoop::connect(pagelog.address, vec![vec![exchange]; 16])?;
    load.run(Until::Count((size / BATCH_SIZE) as u64), Receive::Copy)?;
    Ok(())
}
