//! What does a broker with a hundred thousand partitions cost, and what does it cost its clients?

mod life;
mod neighbour;
mod polls;
mod waiting;

use anyhow::{Context, Result};

use crate::client::Topic;
use crate::figure::Figure;
use crate::settings::Settings;
use crate::statistics::Spread;

const BENCH: &str = "topics";

/// Topics, each with [`PARTITIONS`].
const TOPICS: usize = 1_000;

/// Partitions of a topic.
const PARTITIONS: i32 = 100;

/// Runs the bench: one broker is filled, restarted, and asked all the rest.
///
/// # Errors
/// The first thing that fails.
pub(crate) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let topics = topics(if settings.quick { TOPICS / 100 } else { TOPICS });
    eprintln!("topics: {} partitions", count(&topics));
    let (pagelog, mut figures) = life::run(settings, &topics)?;
    eprintln!("topics: polls");
    figures.extend(polls::run(settings, &pagelog, &topics).context("polls")?);
    eprintln!("topics: neighbours");
    figures.extend(neighbour::run(settings, &pagelog, &topics).context("neighbours")?);
    eprintln!("topics: waiting");
    figures.extend(waiting::run(settings, &pagelog, &topics).context("waiting")?);
    pagelog.stop()?;
    Ok(figures)
}

fn topics(count: usize) -> Vec<Topic> {
    let topic = |number| Topic {
        name: format!("topic-{number:04}").leak(),
        partitions: PARTITIONS,
        settings: Vec::new(),
    };
    (0..count).map(topic).collect()
}

/// How many partitions they have.
fn count(topics: &[Topic]) -> usize {
    topics.len() * PARTITIONS as usize
}

/// How many partitions a row is about, as people write it.
fn named(count: usize) -> String {
    let text = count.to_string();
    match text.len() {
        ..=3 => text,
        size => format!("{},{}", &text[..size - 3], &text[size - 3..]),
    }
}

/// The offset behind the only record of each partition.
const END: i64 = 1;

/// These, each at its end.
fn at_end(topics: &[Topic]) -> impl Iterator<Item = (&Topic, i64)> {
    topics.iter().map(|topic| (topic, END))
}

/// The first partition alone.
fn first_partition(topic: &Topic) -> Topic {
    Topic {
        partitions: 1,
        ..topic.clone()
    }
}

/// A figure of one measurement; more than one life of such a broker would take minutes.
fn once(case: String, unit: &'static str, value: f64) -> Result<Figure> {
    let value = Spread::of(vec![value]).context("not a number")?;
    Ok(Figure::new(BENCH, case, unit, value))
}
