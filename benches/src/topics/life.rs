//! Partitions are made, written to, and there again after a stop and after `kill -9`.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{BENCH, count, named, once};
use crate::batch;
use crate::client::{Client, Topic, produce_error_at, produce_frame};
use crate::figure::Figure;
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::{Flush, Pagelog};
use crate::settings::Settings;
use crate::statistics::Spread;

/// Topics that one request makes.
const MADE_AT_ONCE: usize = 100;
/// Connections that write, each to all partitions of a topic by one request.
const WRITERS: usize = 10;
/// Requests for metadata; few, since an answer about all has megabytes.
const QUESTIONS: usize = 11;

/// A filled broker that was stopped and started, and what it took.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings, topics: &[Topic]) -> Result<(Pagelog, Vec<Figure>)> {
    let all = named(count(topics));
    let pagelog = settings.pagelog(Flush::Sync)?;
    let idle = pagelog.server.anonymous_memory()?;
    let mut figures = Vec::new();
    let mut tell = |what: &str, unit, value| -> Result<()> {
        figures.push(once(format!("{all} partitions: {what}"), unit, value)?);
        Ok(())
    };
    let made = make(&pagelog, topics)?;
    tell("made", "s", made.as_secs_f64())?;
    let memory = pagelog.server.anonymous_memory()?.saturating_sub(idle);
    let each = memory as f64 / count(topics) as f64;
    tell("memory of each, made", "bytes", each)?;
    let written = write(&pagelog, topics)?;
    tell("a record to each", "s", written.as_secs_f64())?;
    let memory = pagelog.server.anonymous_memory()?.saturating_sub(idle);
    let each = memory as f64 / count(topics) as f64;
    tell("memory of each, written to", "bytes", each)?;
    let pagelog = pagelog.kill_and_restart(&settings.broker, Flush::Sync)?;
    let start = pagelog.server.start.as_secs_f64() * 1e3;
    tell("start to ready after kill -9", "ms", start)?;
    let pagelog = pagelog.stop_and_restart(&settings.broker, Flush::Sync)?;
    let start = pagelog.server.start.as_secs_f64() * 1e3;
    tell("start to ready after a stop", "ms", start)?;
    let memory = pagelog.server.anonymous_memory()?.saturating_sub(idle);
    let each = memory as f64 / count(topics) as f64;
    tell("memory of each, started again", "bytes", each)?;
    let whole = metadata(&pagelog, None, count(topics))?;
    figures.push(Figure::new(
        BENCH,
        format!("metadata of {all} partitions"),
        "ms",
        whole,
    ));
    let part = metadata(&pagelog, Some(&topics[..1]), count(&topics[..1]))?;
    let case = format!("metadata of a topic of 100 among {all} partitions");
    figures.push(Figure::new(BENCH, case, "ms", part));
    Ok((pagelog, figures))
}

fn make(pagelog: &Pagelog, topics: &[Topic]) -> Result<Duration> {
    let mut client = Client::connect(pagelog.address)?;
    let begun = Instant::now();
    for some in topics.chunks(MADE_AT_ONCE) {
        client.create_all(some)?;
    }
    Ok(begun.elapsed())
}

fn write(pagelog: &Pagelog, topics: &[Topic]) -> Result<Duration> {
    let batch = batch::of_values(1, 100);
    let exchange = |topic: &Topic| -> Result<Exchange> {
        let partitions: Vec<i32> = (0..topic.partitions).collect();
        Ok(Exchange {
            frame: produce_frame(topic.name, &partitions, &batch, -1)?.into(),
            expect: Expect::NoErrorAt(produce_error_at(topic.name)),
            bytes: (batch.len() * partitions.len()) as u64,
        })
    };
    let mut scripts = vec![Vec::new(); WRITERS.min(topics.len())];
    let writers = scripts.len();
    for (number, topic) in topics.iter().enumerate() {
        scripts[number % writers].push(exchange(topic)?);
    }
    // Every connection sends each of its requests once.
    let longest = scripts.iter().map(Vec::len).max().unwrap_or(0);
    ensure!(
        longest * writers == topics.len(),
        "the topics are to be shared out evenly"
    );
    let mut load = ClosedLoop::connect(pagelog.address, scripts)?;
    let begun = Instant::now();
    for _ in 0..longest {
        load.run(Until::Count(writers as u64), Receive::Copy)?;
    }
    Ok(begun.elapsed())
}

fn metadata(pagelog: &Pagelog, topics: Option<&[Topic]>, count: usize) -> Result<Spread> {
    let mut client = Client::connect(pagelog.address)?;
    let mut ask = || -> Result<f64> {
        let begun = Instant::now();
        let named = client.metadata(topics)?;
        ensure!(named == count, "{named} partitions instead of {count}");
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    ask()?;
    let times = (0..QUESTIONS).map(|_| ask()).collect::<Result<Vec<_>>>()?;
    Spread::of(times).ok_or_else(|| anyhow::anyhow!("no answers"))
}
