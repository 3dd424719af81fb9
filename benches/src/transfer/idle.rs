//! Ten thousand consumers that are connected, a hundred of them at work: what an idle connection costs in memory, and the hundred in
//! time.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::BENCH;
use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_frame};
use crate::figure::{Aim, Beside, Figure};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::rounds::Metric;
use crate::sample::Sample;
use crate::settings::Settings;
use crate::statistics::Spread;

const IDLE: usize = 10_000;
const ACTIVE: usize = 100;
/// Descriptors of both ends, and some.
const DESCRIPTORS: u64 = 16_384;
/// How long the active ones work, at least, before memory is looked at.
const WORK: Duration = Duration::from_millis(300);

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let idle = if settings.quick { IDLE / 50 } else { IDLE };
    let case = format!("{idle} connected consumers, {ACTIVE} active");
    if !settings.wants(&case) {
        return Ok(Vec::new());
    }
    eprintln!("transfer: {case}");
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: Some(maximum.map_or(DESCRIPTORS, |most| most.min(DESCRIPTORS))),
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("the limit on open files")?;
    let lives = (0..settings.rounds)
        .map(|_| Life::new(settings, idle))
        .collect::<Result<Vec<_>>>()?;
    let memory = lives.iter().map(|life| life.idle_kibibytes);
    let mut figures = vec![Figure {
        aim: Some(Aim::ValueAtMost(8.0)),
        ..Figure::new(
            BENCH,
            format!("{case}: memory per idle connection"),
            "KiB",
            Spread::of(memory.collect()).context("no rounds")?,
        )
    }];
    for metric in [Metric::P50, Metric::P99] {
        figures.push(latency(&case, &metric, &lives)?);
    }
    Ok(figures)
}

/// How long the active ones wait for an answer, beside the same with nobody idle.
fn latency(case: &str, metric: &Metric, lives: &[Life]) -> Result<Figure> {
    let spread = |read: &dyn Fn(&Life) -> f64| {
        Spread::of(lives.iter().map(read).collect()).context("no rounds")
    };
    let among = |life: &Life| (metric.read)(&life.among);
    let alone = |life: &Life| (metric.read)(&life.alone);
    Ok(Figure {
        limit: Some(Beside {
            name: "the active alone",
            value: spread(&alone)?.median,
            ratio: spread(&|life| among(life) / alone(life))?,
        }),
        ..Figure::new(
            BENCH,
            format!("{case}: {} of the active", metric.name),
            metric.unit,
            spread(&among)?,
        )
    })
}

/// What one broker has shown.
struct Life {
    /// That each idle consumer has added while the same hundred were at work.
    idle_kibibytes: f64,
    alone: Sample,
    among: Sample,
}

impl Life {
    fn new(settings: &Settings, idle: usize) -> Result<Life> {
        let work = settings.round.max(WORK);
        let pagelog = settings.pagelog(Flush::Sync)?;
        let topic = Topic {
            name: "idle",
            partitions: 1,
            settings: Vec::new(),
        };
        let mut client = Client::connect(pagelog.address)?;
        client.create(&topic)?;
        let batch = batch::of_size(16 << 10);
        client.exchange(&produce_frame(topic.name, &[0], &batch, -1)?)?;
        let frame = fetch_frame(topic.name, &[(0, 0)], 1 << 20, 1 << 20)?;
        let (size, _) = client.fetch(&frame)?;
        let exchange = Exchange {
            frame: frame.clone().into(),
            expect: Expect::Size(size),
            bytes: batch.len() as u64,
        };
        let mut active = ClosedLoop::connect(pagelog.address, vec![vec![exchange]; ACTIVE])?;
        // The first time all is cold.
        active.run(Until::Elapsed(WORK), Receive::Discard)?;
        let alone = active.run(Until::Elapsed(work), Receive::Discard)?;
        let before = pagelog.server.anonymous_memory()?;
        let consumers = (0..idle)
            .map(|_| {
                let mut consumer = Client::connect(pagelog.address)?;
                consumer.exchange(&frame)?;
                Ok(consumer)
            })
            .collect::<Result<Vec<Client>>>()?;
        let among = active.run(Until::Elapsed(work), Receive::Discard)?;
        let after = pagelog.server.anonymous_memory()?;
        drop(consumers);
        pagelog.stop()?;
        Ok(Life {
            idle_kibibytes: after.saturating_sub(before) as f64 / 1024.0 / idle as f64,
            alone,
            among,
        })
    }
}
