//! One reader far behind the tail, beside those at the tail: what it costs them, with cold ranges fetched off the reactors and without.
//!
//! The page cache may hold a tenth of what lies behind the tail, and the reader goes through all of it in each round.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::BENCH;
use super::short_memory::ShortMemory;
use crate::batch;
use crate::client::{Client, Topic, fetch_frame, produce_frame};
use crate::figure::{Aim, Figure};
use crate::load::{ClosedLoop, Exchange, Expect, Receive, Until};
use crate::pagelog::{Flush, Pagelog};
use crate::rounds::{Contender, Metric, PAGELOG, Rounds};
use crate::sample::Sample;
use crate::settings::Settings;

const ALONE: &str = "no reader behind";
const WAITS: &str = "net.cold.reads=wait";
const TAIL: Topic = Topic {
    name: "tail",
    partitions: 1,
    settings: Vec::new(),
};
const OLD: Topic = Topic {
    name: "old",
    partitions: 1,
    settings: Vec::new(),
};
/// Bytes that lie behind the tail.
const LOG_SIZE: usize = 1 << 30;
const BATCH_SIZE: usize = 1 << 20;
/// The log is so many times as large as what may stay in memory of it.
const TIMES: u64 = 10;
/// A round in which the tail says too little is longer.
const ROUND_MIN: Duration = Duration::from_millis(400);

/// Runs the part.
///
/// # Errors
/// The first thing that fails.
pub(super) fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let case = "a reader far behind beside one at the tail";
    if !settings.wants(case) {
        return Ok(Vec::new());
    }
    eprintln!("transfer: {case}");
    let shipped = Scene::new(settings, &[])?;
    let waiting = Scene::new(settings, &[("net.cold.reads", "wait")])?;
    let contenders = vec![
        Contender::new(PAGELOG, || shipped.round(settings, true)),
        Contender::new(WAITS, || waiting.round(settings, true)),
        Contender::new(ALONE, || shipped.round(settings, false)),
    ];
    let rounds = Rounds::run(settings.rounds, contenders)?;
    let mut figures = Vec::new();
    for metric in [Metric::P50, Metric::P99, Metric::P999] {
        let judged = metric.name == Metric::P99.name;
        figures.push(Figure {
            limit: rounds.beside(ALONE, &metric),
            aim: judged.then_some(Aim::RatioAtMost(1.3)),
            ..rounds.figure(
                BENCH,
                format!("{case}: {} at the tail", metric.name),
                &metric,
            )?
        });
        let name = format!("{case}, {WAITS}: {} at the tail", metric.name);
        figures.push(Figure {
            limit: rounds.pair(WAITS, ALONE, &metric),
            ..Figure::new(BENCH, name, metric.unit, rounds.spread(WAITS, &metric)?)
        });
    }
    let speed = Metric {
        name: "speed",
        unit: "MB/s",
        read: Sample::megabytes_a_second,
    };
    for (contender, words) in [(PAGELOG, "as shipped"), (WAITS, WAITS)] {
        let name = format!("{case}, {words}: speed of the reader behind");
        figures.push(Figure::new(
            BENCH,
            name,
            speed.unit,
            rounds.spread(contender, &speed)?,
        ));
    }
    shipped.pagelog.stop()?;
    waiting.pagelog.stop()?;
    Ok(figures)
}

/// A broker with a log that is long, and the requests that walk through it.
struct Scene {
    pagelog: Pagelog,
    memory: ShortMemory,
    script: Vec<Exchange>,
    /// Records at the tail.
    written: AtomicI64,
}

impl Scene {
    fn new(settings: &Settings, with: &[(&str, &str)]) -> Result<Scene> {
        let pagelog = settings.pagelog_with(Flush::Sync, with)?;
        let mut client = Client::connect(pagelog.address)?;
        client.create(&OLD)?;
        client.create(&TAIL)?;
        let batch = batch::of_size(BATCH_SIZE);
        let frame = produce_frame(OLD.name, &[0], &batch, 1)?;
        for _ in 0..settings.scaled(LOG_SIZE) / BATCH_SIZE {
            client.exchange(&frame)?;
        }
        let script = script(&mut client, settings.scaled(LOG_SIZE) / BATCH_SIZE)?;
        let memory = ShortMemory::new(&pagelog, settings.scaled(LOG_SIZE) as u64 / TIMES)?;
        Ok(Scene {
            pagelog,
            memory,
            script,
            written: AtomicI64::new(0),
        })
    }

    /// One round: how long each record at the tail takes from its producer to its consumer.
    fn round(&self, settings: &Settings, behind: bool) -> Result<Sample> {
        self.memory.empty()?;
        let round = settings.round.max(ROUND_MIN);
        let address = self.pagelog.address;
        let behind = if behind { self.log_size() } else { 0 };
        let (over, read) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            let reader = scope.spawn(|| self.read_behind(behind, &over, &read));
            let memory = scope.spawn(|| self.memory.keep(&over));
            let failed = || reader.is_finished() && read.load(Relaxed) < behind;
            let goes_on = |elapsed| elapsed < round || read.load(Relaxed) < behind && !failed();
            let sample = tail(address, goes_on, &self.written);
            over.store(true, Relaxed);
            let panicked = |_| anyhow!("a thread of the round panicked");
            reader.join().map_err(panicked)??;
            memory.join().map_err(panicked)??;
            let mut sample = sample?;
            sample.bytes = read.load(Relaxed);
            Ok(sample)
        })
    }

    /// Bytes that the requests ask for, all together.
    fn log_size(&self) -> u64 {
        self.script.iter().map(|exchange| exchange.bytes).sum()
    }

    /// Goes through the log, again and again, until it is over; not at all where nothing is asked for.
    fn read_behind(&self, wanted: u64, over: &AtomicBool, read: &AtomicU64) -> Result<()> {
        if wanted == 0 {
            return Ok(());
        }
        let mut load = ClosedLoop::connect(self.pagelog.address, vec![self.script.clone()])?;
        while !over.load(Relaxed) {
            read.fetch_add(load.run(Until::Count(1), Receive::Discard)?.bytes, Relaxed);
        }
        Ok(())
    }
}

/// Fetches that go through the whole topic, a batch each.
fn script(client: &mut Client, batches: usize) -> Result<Vec<Exchange>> {
    let frame = |offset| fetch_frame(OLD.name, &[(0, offset)], 1, 1);
    let (_, response) = client.fetch(&frame(0)?)?;
    let first = response.responses.first();
    let records = first.and_then(|topic| topic.partitions.first()?.records.clone());
    let parsed = batch::parse(&records.context("no records")?).context("no batch")?;
    (0..batches as i64)
        .map(|index| {
            let offset = index * i64::from(parsed.count);
            let frame = frame(offset)?;
            // Numbers in the answer have as many bytes, whatever they are.
            let (size, _) = client.fetch(&frame)?;
            Ok(Exchange {
                frame: frame.into(),
                expect: Expect::Size(size),
                bytes: parsed.size as u64,
            })
        })
        .collect()
}

/// A consumer that waits at the end, and a producer: one record after the other.
fn tail(
    address: SocketAddr,
    goes_on: impl Fn(Duration) -> bool,
    written: &AtomicI64,
) -> Result<Sample> {
    let (mut producer, mut consumer) = (Client::connect(address)?, Client::connect(address)?);
    let batch = batch::of_values(1, 100);
    let produce = produce_frame(TAIL.name, &[0], &batch, -1)?;
    let mut sample = Sample::empty();
    let started = Instant::now();
    while goes_on(started.elapsed()) {
        let offset = written.fetch_add(1, Relaxed);
        let place = [(0, offset)];
        consumer.send(&fetch_frame(TAIL.name, &place, 1 << 20, 1 << 20)?)?;
        let began = Instant::now();
        producer.send(&produce)?;
        consumer.receive()?;
        sample.record(began.elapsed().as_nanos(), 0);
        producer.receive()?;
    }
    sample.wall = started.elapsed();
    Ok(sample)
}
