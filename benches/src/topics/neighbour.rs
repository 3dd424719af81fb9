//! What do others notice of a client that polls all partitions by each of its requests?

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{BENCH, at_end, count, first_partition, named};
use crate::client::{Client, Topic, poll_frame};
use crate::figure::Figure;
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Pagelog;
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::settings::Settings;

/// More than there are reactors on any machine that this runs on, so that some share the poller's.
const NEIGHBOURS: usize = 16;
const ALONE: &str = "alone";

const SLOWEST: Metric = Metric {
    name: "slowest",
    unit: "us",
    read: |sample| sample.latency.max() as f64 / 1e3,
};

/// Neighbours that fetch from a partition each with nothing new, alone and beside the client that polls all.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings, pagelog: &Pagelog, topics: &[Topic]) -> Result<Vec<Figure>> {
    let all = poll_frame(at_end(topics), Duration::ZERO)?;
    let frame = poll_frame(at_end(&[first_partition(&topics[0])]), Duration::ZERO)?;
    let (size, _) = Client::connect(pagelog.address)?.fetch(&frame)?;
    let exchange = Exchange {
        frame: frame.into(),
        expect: Expect::Size(size),
        bytes: 0,
    };
    let scripts = vec![vec![exchange]; NEIGHBOURS];
    let neighbours = RefCell::new(ClosedLoop::connect(pagelog.address, scripts)?);
    let quiet = || {
        let mut neighbours = neighbours.borrow_mut();
        neighbours.run(Until::Elapsed(settings.round), Receive::Copy)
    };
    let beside_the_poller = || {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let poller = scope.spawn(|| poll_until(pagelog, &all, &stop));
            let sample = quiet();
            stop.store(true, Ordering::Relaxed);
            let polls = poller.join().ok().context("the poller panicked")??;
            ensure!(polls > 0, "not one poll was answered");
            sample
        })
    };
    let rounds = Rounds::run(
        settings.rounds,
        vec![
            Contender::new(PAGELOG, beside_the_poller),
            Contender::new(ALONE, quiet),
        ],
    )?;
    let case = format!("beside a poll of {} partitions", named(count(topics)));
    [Metric::P50, Metric::P99, SLOWEST]
        .iter()
        .map(|metric| {
            Ok(Figure {
                limit: rounds.beside(ALONE, metric),
                ..rounds.figure(BENCH, format!("{case}: {}", metric.name), metric)?
            })
        })
        .collect()
}

fn poll_until(pagelog: &Pagelog, frame: &[u8], stop: &AtomicBool) -> Result<u64> {
    let mut client = Client::connect(pagelog.address)?;
    let mut polls = 0;
    while !stop.load(Ordering::Relaxed) {
        client.exchange(frame)?;
        polls += 1;
    }
    Ok(polls)
}
