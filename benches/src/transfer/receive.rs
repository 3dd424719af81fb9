//! What does it cost to receive long batches into the log, and how near is that to a bare `recv` into a mapping?
//!
//! The broker runs under interval flush, so that its bytes land in the mappings of its segments. *Into warm pages*: each turn begins when
//! all that lies ahead of the appends is warm, and nothing is flushed; what counts is what the threads that serve sockets have used.
//! *All in all*: the broker with its defaults, and all that its process has used counts, warm-up and flushes included, whichever thread did
//! it and when: from the end of one of its turns to the end of the next one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::BENCH;
use crate::batch;
use crate::client::{Client, Topic, produce_error_at, produce_frame};
use crate::figure::{Aim, Figure};
use crate::limit::receive::{FILE_SIZE, THREADS};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::process::{self, Server};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

/// Connections with one request in flight each.
const CONNECTIONS: usize = 4;
/// Records of a batch, and what the value of each takes: 256 KiB with what goes with them.
const RECORDS: u32 = 254;
const VALUE_SIZE: usize = 1024;
/// Requests of a turn.
const REQUESTS: usize = 256;
/// About the size of the answer to a Produce of one partition.
const ANSWER_SIZE: usize = 64;

const BARE: &str = "recv into a mapping";
const BARE_SUM: &str = "recv into a mapping, and a CRC-32C";

/// Nothing is flushed meanwhile, and whole segments are warm.
const WARM: [(&str, &str); 4] = [
    ("flush.interval.ms", "86400000"),
    ("flush.thorough.ms", "86400000"),
    ("segment.bytes", "128MiB"),
    ("warm.ahead", "whole"),
];
const _: () = assert!(FILE_SIZE == 128 << 20, "the bare side's files are as large");

/// A server is settled when it has used less than this in each of so many pauses.
const SETTLED: (Duration, Duration, usize) =
    (Duration::from_micros(500), Duration::from_millis(20), 5);
/// How long that is waited for.
const SETTLE_MAX: Duration = Duration::from_secs(20);

const COST: Metric = Metric {
    name: "processor",
    unit: "s/GB",
    read: Sample::processor_a_gigabyte,
};
const RATE: Metric = Metric {
    name: "rate",
    unit: "MB/s",
    read: Sample::megabytes_a_second,
};

/// What counts of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The threads that serve sockets, in a turn that finds everything ready.
    Serving,
    /// All.
    All,
}

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (name, counted, with) in [
        (
            "receive 256 KiB batches into warm pages",
            Counted::Serving,
            &WARM[..],
        ),
        ("receive 256 KiB batches, all in all", Counted::All, &[]),
    ] {
        if settings.wants(name) {
            eprintln!("transfer: {name}");
            let rounds = rounds(settings, counted, with).context(name)?;
            figures.extend(rows(name, counted, &rounds)?);
        }
    }
    Ok(figures)
}

fn rounds(settings: &Settings, counted: Counted, with: &[(&str, &str)]) -> Result<Rounds> {
    let topic = Topic {
        name: "receive",
        partitions: 1,
        settings: Vec::new(),
    };
    let batch = batch::of_values(RECORDS, VALUE_SIZE);
    let exchange = Exchange {
        frame: produce_frame(topic.name, &[0], &batch, 1)?.into(),
        expect: Expect::NoErrorAt(produce_error_at(topic.name)),
        bytes: batch.len() as u64,
    };
    let pagelog = settings.pagelog_with(Flush::Interval, with)?;
    Client::connect(pagelog.address)?.create(&topic)?;
    let bare = |flags: &[&str]| -> Result<Server> {
        let directory = settings.directory.display().to_string();
        let sizes = [exchange.frame.len(), ANSWER_SIZE].map(|size| size.to_string());
        let all = ["receive", &directory, &sizes[0], &sizes[1]];
        let all = all.iter().chain(flags).map(|word| (*word).to_owned());
        settings.bare(&all.collect::<Vec<_>>())
    };
    let bare_servers = match counted {
        Counted::Serving => vec![(BARE, bare(&[])?), (BARE_SUM, bare(&["--checksum"])?)],
        Counted::All => vec![(BARE, bare(&["--sync"])?)],
    };
    let own = (pagelog.address, pagelog.server.id(), "reactor-");
    let mut contenders = vec![contender(settings, PAGELOG, own, counted, &exchange)?];
    for (name, server) in &bare_servers {
        let bare = (process::address(&server.ready)?, server.id(), THREADS);
        contenders.push(contender(settings, name, bare, counted, &exchange)?);
    }
    let rounds = Rounds::run(settings.rounds, contenders)?;
    pagelog.stop()?;
    Ok(rounds)
}

fn contender<'a>(
    settings: &Settings,
    name: &'static str,
    (address, id, threads): (SocketAddr, u32, &'static str),
    counted: Counted,
    exchange: &Exchange,
) -> Result<Contender<'a>> {
    let mut load = ClosedLoop::connect(address, vec![vec![exchange.clone()]; CONNECTIONS])?;
    let (requests, quick) = (settings.scaled(REQUESTS) as u64, settings.quick);
    let used = move || match counted {
        Counted::Serving => process::processor_time_of(id, threads),
        Counted::All => process::processor_time(id),
    };
    let mut before = used()?;
    Ok(Contender::new(name, move || {
        if counted == Counted::Serving && !quick {
            settle(id)?;
            before = used()?;
        }
        let mut sample = load.run(Until::Count(requests), Receive::Copy)?;
        let after = used()?;
        sample.processor = after - before;
        before = after;
        Ok(sample)
    }))
}

/// Waits until a server has nothing left to do.
fn settle(id: u32) -> Result<()> {
    let (most, pause, times) = SETTLED;
    let (begun, mut quiet) = (Instant::now(), 0);
    let mut before = process::processor_time(id)?;
    while quiet < times && begun.elapsed() < SETTLE_MAX {
        std::thread::sleep(pause);
        let now = process::processor_time(id)?;
        quiet = if now - before < most { quiet + 1 } else { 0 };
        before = now;
    }
    Ok(())
}

fn rows(name: &str, counted: Counted, rounds: &Rounds) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for metric in [COST, RATE] {
        for limit in [BARE, BARE_SUM] {
            let Some(beside) = rounds.beside(limit, &metric) else {
                continue;
            };
            let judged = counted == Counted::Serving && limit == BARE && metric.name == COST.name;
            figures.push(Figure {
                limit: Some(beside),
                aim: judged.then_some(Aim::RatioAtMost(1.25)),
                ..rounds.figure(BENCH, format!("{name}: {}", metric.name), &metric)?
            });
        }
    }
    Ok(figures)
}
