//! Readers that wait for records in all partitions: what do they cost while nothing comes, and how soon do they hear of what does?

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{BENCH, END, at_end, count, first_partition, named, once};
use crate::batch;
use crate::client::{Client, Topic, poll_frame, produce_frame};
use crate::figure::{Beside, Figure};
use crate::pagelog::Pagelog;
use crate::settings::Settings;
use crate::statistics::Spread;

/// Topics that one reader waits for: with all of them, fewer connections than a process has descriptors by default.
const TOPICS_EACH: usize = 2;
/// No reader's time ends within the bench.
const FOR_EVER: Duration = Duration::from_secs(600);
/// How often the reader that waits alone, and the one that waits for everything, are woken.
const WAKES: i64 = 11;
const ALONE: &str = "1 reader of 1 partition";

/// Readers that share all partitions, then one that waits for all of them.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings, pagelog: &Pagelog, topics: &[Topic]) -> Result<Vec<Figure>> {
    let (last, rest) = topics.split_last().context("no topic")?;
    let last = first_partition(last);
    let settling = settling(settings);
    let everything = wakes(pagelog, rest, &last, END, settling)?;
    let alone = wakes(pagelog, &[], &last, END + WAKES, settling)?;
    let (crowd, idle) = crowd(settings, pagelog, rest)?;
    let beside = |value: &Spread| {
        Some(Beside {
            name: ALONE,
            value: alone.median,
            ratio: Spread::of(vec![value.median / alone.median])?,
        })
    };
    let figure = |case: String, value: Spread| Figure {
        limit: beside(&value),
        ..Figure::new(BENCH, case, "ms", value)
    };
    let waiting = format!(
        "{} partitions waited for by {} readers",
        named(count(rest)),
        rest.len().div_ceil(TOPICS_EACH)
    );
    Ok(vec![
        once(
            format!("{waiting}: broker's processor while nothing comes"),
            "ms/s",
            idle,
        )?,
        figure(format!("{waiting}: record to reader"), crowd),
        figure(
            format!(
                "{} partitions waited for by one: record to reader",
                named(count(rest) + 1)
            ),
            everything,
        ),
    ])
}

/// How long readers are left alone, so that all of them wait; one that does not yet is only served sooner.
fn settling(settings: &Settings) -> Duration {
    Duration::from_millis(if settings.quick { 20 } else { 500 })
}

/// A reader of `rest` and of the one partition of `last`, to which a record comes again and again: milliseconds from before the record is sent
/// to after the reader's answer.
fn wakes(
    pagelog: &Pagelog,
    rest: &[Topic],
    last: &Topic,
    from: i64,
    settling: Duration,
) -> Result<Spread> {
    let mut reader = Client::connect(pagelog.address)?;
    let mut writer = Client::connect(pagelog.address)?;
    let mut times = Vec::new();
    for offset in from..from + WAKES {
        reader.send(&poll_frame(at_end(rest).chain([(last, offset)]), FOR_EVER)?)?;
        thread::sleep(settling);
        times.push(wake(&mut writer, &mut reader, last)?);
    }
    Spread::of(times).context("nobody was woken")
}

/// Every reader is woken once, one after the other; and the processor time of a second before that.
fn crowd(settings: &Settings, pagelog: &Pagelog, topics: &[Topic]) -> Result<(Spread, f64)> {
    let mut readers = Vec::new();
    for some in topics.chunks(TOPICS_EACH) {
        let mut reader = Client::connect(pagelog.address)?;
        reader.send(&poll_frame(at_end(some), FOR_EVER)?)?;
        readers.push((reader, &some[0]));
    }
    thread::sleep(settling(settings));
    let (before, begun) = (pagelog.processor_time()?, Instant::now());
    thread::sleep(settings.round);
    let used = pagelog.processor_time()? - before;
    let idle = used.as_secs_f64() * 1e3 / begun.elapsed().as_secs_f64();
    let mut writer = Client::connect(pagelog.address)?;
    let times = readers
        .iter_mut()
        .map(|(reader, topic)| wake(&mut writer, reader, topic))
        .collect::<Result<Vec<_>>>()?;
    Ok((Spread::of(times).context("nobody was woken")?, idle))
}

fn wake(writer: &mut Client, reader: &mut Client, topic: &Topic) -> Result<f64> {
    let record = produce_frame(topic.name, &[0], &batch::of_values(1, 100), 1)?;
    let begun = Instant::now();
    writer.send(&record)?;
    reader.receive()?;
    let time = begun.elapsed().as_secs_f64() * 1e3;
    writer.receive()?;
    Ok(time)
}
