//! Ten thousand consumers that are connected, a hundred of them at work: what an idle connection costs in memory.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::BENCH;
use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_frame};
use crate::figure::{Aim, Figure};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::Flush;
use crate::settings::Settings;
use crate::statistics::Spread;

const IDLE: usize = 10_000;
const ACTIVE: usize = 100;
/// Descriptors of both ends, and some.
const DESCRIPTORS: u64 = 16_384;
/// How long the active ones work before memory is looked at.
const WORK: Duration = Duration::from_millis(300);

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let idle = if settings.quick { IDLE / 50 } else { IDLE };
    let case = format!("{idle} connected consumers, {ACTIVE} active: memory per idle connection");
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
    let values = (0..settings.rounds)
        .map(|_| one(settings, idle))
        .collect::<Result<Vec<_>>>()?;
    Ok(vec![Figure {
        aim: Some(Aim::ValueAtMost(8.0)),
        ..Figure::new(BENCH, case, "KiB", Spread::of(values).context("no rounds")?)
    }])
}

/// One broker: kibibytes that each idle consumer has added while the same hundred were at work.
fn one(settings: &Settings, idle: usize) -> Result<f64> {
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
    active.run(Until::Elapsed(WORK), Receive::Discard)?;
    let before = pagelog.server.anonymous_memory()?;
    let consumers = (0..idle)
        .map(|_| {
            let mut consumer = Client::connect(pagelog.address)?;
            consumer.exchange(&frame)?;
            Ok(consumer)
        })
        .collect::<Result<Vec<Client>>>()?;
    active.run(Until::Elapsed(WORK), Receive::Discard)?;
    let after = pagelog.server.anonymous_memory()?;
    drop(consumers);
    pagelog.stop()?;
    Ok(after.saturating_sub(before) as f64 / 1024.0 / idle as f64)
}
