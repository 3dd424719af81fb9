//! The crash test: the broker is killed with SIGKILL at random moments under load, and every acknowledged record
//! must be there, once, in order; producer ids are never given out twice, topics come back.
//!
//! ```text
//!  producers ──┐                     ┌── moment: when to kill
//!  consumer ───┼── world (ledger) ───┤
//!  administrator┤                    └── round: start, wait, kill
//!  litter ──────┘
//! ```
//!
//! A kill keeps the page cache, so this says nothing about power loss: the crate `testing` does.

mod administrator;
mod consumer;
mod ledger;
mod litter;
mod moment;
mod producer;
mod sabotage;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::broker::{PATIENCE, Setup};
use crate::command;
use crate::random::Random;
use crate::wire::Connection;
use administrator::Administrator;
use litter::Litter;
use moment::Moment;
use producer::Producer;
use world::{TOPIC, World};

/// Producers at a time: as many as make the flush thread gather, few enough for two cores.
const PRODUCERS: u32 = 6;
/// Partitions of the topic that they send to.
const PARTITIONS: u32 = 4;
/// Kills on one data directory; then a new one, so that replays stay short.
const KILLS_PER_DIRECTORY: u32 = 20;
/// No batch of the producers is larger.
const MESSAGE_SIZE_MAX: &str = "kafka.message.max.bytes=49152";

/// How often to kill, and from which seed.
#[derive(Args)]
pub(crate) struct Options {
    /// How many times the broker is killed.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Decides all that is random but the order of threads; printed at the start of every run.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only the load and the checks, without kills, against a broker that runs already.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "rounds")]
    bootstrap: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            rounds: 200,
            seed: None,
            bootstrap: None,
        }
    }
}

/// Runs the crash test, after the test that it finds what it looks for.
///
/// # Errors
/// Something acknowledged is lost, comes twice or out of order, or the broker does not start again.
pub(crate) fn run(options: &Options) -> Result<()> {
    if let Some(address) = &options.bootstrap {
        return run_against(address);
    }
    let broker = command::release_broker()?;
    sabotage::self_test(&broker)?;
    let seed = options.seed.unwrap_or_else(Random::seed_from_clock);
    println!("crash test: {} kills, seed {seed}", options.rounds);
    kill_many(&broker, options.rounds, seed).with_context(|| {
        format!(
            "the crash test failed; again: cargo xtask kill --rounds {} --seed {seed}",
            options.rounds
        )
    })
}

fn kill_many(broker: &Path, rounds: u32, seed: u64) -> Result<()> {
    let started = Instant::now();
    let mut random = Random::new(seed);
    let mut totals = Totals::default();
    while totals.kills < rounds {
        let kills = KILLS_PER_DIRECTORY.min(rounds - totals.kills);
        let segment_size = [1 << 16, 1 << 17, 1 << 18, 1 << 20][usize::try_from(random.below(4))?];
        let flush = if random.one_in(4) { "interval" } else { "sync" };
        let directory =
            one_directory(broker, kills, segment_size, flush, &mut random, &mut totals)?;
        directory.close()?;
        println!("{totals} after {:.0} s", started.elapsed().as_secs_f64());
    }
    println!("crash test: nothing lost, nothing twice, nothing out of order: {totals}");
    Ok(())
}

/// What a run has done so far.
#[derive(Debug, Default)]
struct Totals {
    kills: u32,
    acknowledged: u64,
    resent: u64,
    read: usize,
    producer_ids: usize,
    slowest_start: Duration,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} kills, {} records acknowledged, {} read, {} batches sent again, {} producer ids, slowest start {} ms",
            self.kills,
            self.acknowledged,
            self.read,
            self.resent,
            self.producer_ids,
            self.slowest_start.as_millis()
        )
    }
}

/// Kills `kills` times on a new data directory, then lets everyone finish and settles the account.
fn one_directory(
    binary: &Path,
    kills: u32,
    segment_size: u32,
    flush: &str,
    random: &mut Random,
    totals: &mut Totals,
) -> Result<tempfile::TempDir> {
    let segment_size = format!("segment.bytes={segment_size}");
    println!("-- {kills} kills, --flush {flush} --set {segment_size}");
    let directory = directory()?;
    let setup = Setup::new(binary, directory.path());
    let setup = setup.with(&[
        "--flush",
        flush,
        "--set",
        &segment_size,
        "--set",
        MESSAGE_SIZE_MAX,
        // What counts in old segments is moved all the while.
        "--set",
        "kafka.log.retention.check.interval.ms=30",
    ]);
    match rounds(&setup, kills, random, totals) {
        Ok(()) => Ok(directory),
        Err(error) => Err(error.context(format!(
            "data and log are kept in {}",
            directory.keep().display()
        ))),
    }
}

fn rounds(setup: &Setup, kills: u32, random: &mut Random, totals: &mut Totals) -> Result<()> {
    let world = Arc::new(World::default());
    create_topic(setup)?;
    let workers = Workers::start(&world, random.next()).and_litter(&world, random.next());
    for _ in 0..kills {
        let moment = Moment::choose(random);
        kill_once(setup, &world, moment, totals)
            .with_context(|| format!("kill {} ({moment:?})", totals.kills))?;
    }
    let broker = setup.start()?;
    totals.slowest_start = totals.slowest_start.max(broker.ready_after());
    world.move_to(Some(broker.address().to_owned()));
    settle(&world, workers, broker.address())?;
    // What is there after kills is there after a clean stop, too.
    broker.stop()?;
    let broker = setup.start()?;
    totals.read += consumer::read_again(broker.address(), &world, PARTITIONS)?;
    totals.resent += world.resent();
    totals.acknowledged += world.ledger().acknowledged_count();
    totals.producer_ids += world.ledger().producer_id_count();
    Ok(())
}

/// One life of the broker.
fn kill_once(setup: &Setup, world: &Arc<World>, moment: Moment, totals: &mut Totals) -> Result<()> {
    let mut broker = setup.spawn()?;
    moment.wait(&mut broker, world, &setup.data)?;
    totals.slowest_start = totals.slowest_start.max(broker.ready_after());
    ensure!(
        broker.is_alive() || matches!(moment, Moment::WhileStopping(_)),
        "the broker ended by itself: {}",
        broker.log()
    );
    world.move_to(None);
    broker.kill()?;
    totals.kills += 1;
    world
        .violation()
        .map_or(Ok(()), |violation| Err(anyhow::anyhow!(violation)))
}

/// Lets producers finish, reads to the end, and holds everything against the ledger.
fn settle(world: &Arc<World>, workers: Workers, address: &str) -> Result<()> {
    world.finish();
    workers.join_producers(world)?;
    workers.join_all(world);
    if let Some(violation) = world.violation() {
        bail!(violation);
    }
    consumer::read_to_end(address, world, PARTITIONS)?;
    world.ledger().settle()?;
    consumer::read_again(address, world, PARTITIONS)?;
    Ok(())
}

/// The first start on a new directory, to create the topic that must be there after every kill.
fn create_topic(setup: &Setup) -> Result<()> {
    let mut broker = setup.start()?;
    let error =
        Connection::open(broker.address())?.create_topic(TOPIC, i32::try_from(PARTITIONS)?)?;
    ensure!(error.0 == 0, "the topic is not created: {error}");
    broker.kill()?;
    Ok(())
}

/// The threads that work on one data directory.
struct Workers {
    producers: Vec<JoinHandle<()>>,
    others: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(world: &Arc<World>, seed: u64) -> Workers {
        let producer = |sender| {
            let producer = Producer::new(Arc::clone(world), sender, PARTITIONS, seed);
            thread::spawn(move || producer.run())
        };
        let administrator = Administrator::new(Arc::clone(world), seed);
        let reading = Arc::clone(world);
        Workers {
            producers: (0..PRODUCERS).map(producer).collect(),
            others: vec![
                thread::spawn(move || administrator.run()),
                thread::spawn(move || consumer::follow(&reading, PARTITIONS)),
            ],
        }
    }

    /// Has litter between what they write. It goes on when the producers are done, so the end of the log is litter then.
    fn and_litter(mut self, world: &Arc<World>, seed: u64) -> Workers {
        let litter = Litter::new(Arc::clone(world), seed);
        self.others.push(thread::spawn(move || litter.run()));
        self
    }

    /// Waits until every producer has everything acknowledged.
    fn join_producers(&self, world: &Arc<World>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self
            .producers
            .iter()
            .any(|producer| !producer.is_finished())
        {
            if Instant::now() > deadline && world.violation().is_none() {
                bail!("a producer waits for an answer that does not come");
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Ends everyone. A panic of one of them is a violation.
    fn join_all(self, world: &Arc<World>) {
        world.end();
        for thread in self.producers.into_iter().chain(self.others) {
            if thread.join().is_err() {
                world.report("a thread of the test panicked".to_owned());
            }
        }
    }
}

/// The load and the checks against a broker that is not ours to kill.
fn run_against(address: &str) -> Result<()> {
    let world = Arc::new(World::default());
    let error = Connection::open(address)?.create_topic(TOPIC, i32::try_from(PARTITIONS)?)?;
    ensure!(error.0 == 0, "the topic is not created: {error}");
    thread::sleep(Duration::from_secs(2));
    let workers = Workers::start(&world, Random::seed_from_clock());
    world.move_to(Some(address.to_owned()));
    thread::sleep(Duration::from_secs(5));
    settle(&world, workers, address)?;
    let ledger = world.ledger();
    println!(
        "{} records acknowledged, {} read, as it should be",
        ledger.acknowledged_count(),
        ledger.seen_count()
    );
    Ok(())
}

/// A directory for data and log, under `target/`.
fn directory() -> Result<tempfile::TempDir> {
    let parent = command::target().join("kill");
    std::fs::create_dir_all(&parent)?;
    Ok(tempfile::tempdir_in(parent)?)
}
