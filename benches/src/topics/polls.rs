//! What a Fetch of many partitions costs that have nothing new: the most that a fetch session (KIP-227) could save.
//!
//! A session leaves out of request and answer what has not changed. A Fetch of one partition stands for the best of sessions, which names
//! one and answers one.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

use super::{BENCH, at_end, count, first_partition, named};
use crate::client::{Client, Topic, poll_frame};
use crate::figure::Figure;
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Pagelog;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::settings::Settings;

const ONE: &str = "1 partition";

const PROCESSOR: Metric = Metric {
    name: "broker's processor",
    unit: "us",
    read: |sample| sample.processor.as_secs_f64() * 1e6 / sample.operations as f64,
};

/// Runs the polls of rising numbers of partitions.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings, pagelog: &Pagelog, topics: &[Topic]) -> Result<Vec<Figure>> {
    let first = [first_partition(&topics[0])];
    let one = RefCell::new(load(pagelog, &first)?);
    let mut figures = Vec::new();
    for topic_count in [1, 10, 100, 1_000] {
        let Some(some) = topics.get(..topic_count) else {
            break;
        };
        let many = RefCell::new(load(pagelog, some)?);
        let round = |load: &RefCell<ClosedLoop>| -> Result<_> {
            let before = pagelog.processor_time()?;
            let mut sample = load
                .borrow_mut()
                .run(Until::Elapsed(settings.round), Receive::Copy)?;
            sample.processor = pagelog.processor_time()? - before;
            Ok(sample)
        };
        let rounds = Rounds::run(
            settings.rounds,
            vec![
                Contender::new(PAGELOG, || round(&many)),
                Contender::new(ONE, || round(&one)),
            ],
        )?;
        let case = format!("Fetch of {} partitions, nothing new", named(count(some)));
        for metric in [&Metric::P50, &PROCESSOR] {
            figures.push(Figure {
                limit: rounds.beside(ONE, metric),
                ..rounds.figure(BENCH, format!("{case}: {}", metric.name), metric)?
            });
        }
    }
    Ok(figures)
}

/// One connection that fetches from the ends of `topics` again and again, without waiting; the answer was decoded before.
fn load(pagelog: &Pagelog, topics: &[Topic]) -> Result<ClosedLoop> {
    let frame = poll_frame(at_end(topics), Duration::ZERO)?;
    let (size, answer) = Client::connect(pagelog.address)?.fetch(&frame)?;
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    for partition in partitions {
        let is_empty = partition.records.as_ref().is_none_or(Bytes::is_empty);
        ensure!(partition.error_code == 0 && is_empty, "{partition:?}");
    }
    let exchange = Exchange {
        frame: frame.into(),
        expect: Expect::Size(size),
        bytes: 0,
    };
    ClosedLoop::connect(pagelog.address, vec![vec![exchange]]).context("connect")
}
