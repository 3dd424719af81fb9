//! The test of the test: a broker that loses what it acknowledged must be found out.
//!
//! The end of the log is overwritten with zeroes between a kill and the next start. To the broker that is the torn
//! tail of a crash, which it rightly cuts; to the ledger, records that were acknowledged are gone.
//!
//! All of the log stays in one segment. Where one is sealed, a checkpoint says how much was durable; zeroes below that
//! are damage, not a torn tail, and the broker rightly refuses to start.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::world::World;
use super::{Workers, consumer, create_topic, directory};
use crate::broker::{PATIENCE, Setup};
use crate::random::Random;

/// How much of the end is overwritten: more than the control entries that may be the last.
const WIPED: u64 = 20_000;

/// So many batches are acknowledged before the kill; together they are far larger than [`WIPED`].
const ANSWERS: u64 = 400;

/// Far more than [`ANSWERS`] batches of the largest size, and what is under way beside them.
const SEGMENT_SIZE: &str = "segment.bytes=67108864";

/// Runs a load, kills, wipes the end of the log, and insists that the ledger complains.
///
/// # Errors
/// It does not complain.
pub(crate) fn self_test(broker: &Path) -> Result<()> {
    let directory = directory()?;
    let setup = Setup::new(broker, directory.path()).with(&[
        "--set",
        SEGMENT_SIZE,
        "--set",
        super::MESSAGE_SIZE_MAX,
    ]);
    create_topic(&setup)?;
    let world = Arc::new(World::default());
    let mut broker = setup.start()?;
    world.move_to(Some(broker.address().to_owned()));
    let workers = Workers::start(&world, Random::seed_from_clock());
    wait_answers(&world)?;
    super::settle(&world, workers, broker.address()).context("before anything was wiped")?;
    broker.kill()?;
    wipe_end(&setup.data)?;
    match complaint(&setup, &world)? {
        Some(complaint) => println!("crash test: finds a wiped end of the log: {complaint}"),
        None => bail!("the crash test does not notice that the end of the log was wiped"),
    }
    Ok(())
}

/// Waits until [`ANSWERS`] batches are acknowledged.
fn wait_answers(world: &World) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while world.answers() < ANSWERS && !world.is_over() {
        ensure!(
            Instant::now() < deadline,
            "{} of {ANSWERS} batches were acknowledged in {PATIENCE:?}",
            world.answers()
        );
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// What the ledger has to say about the log that was wiped.
fn complaint(setup: &Setup, world: &Arc<World>) -> Result<Option<String>> {
    let broker = setup
        .start()
        .context("the broker shall cut a torn tail and start")?;
    let outcome = consumer::read_again(broker.address(), world, super::PARTITIONS);
    Ok(outcome.err().map(|error| format!("{error:#}")))
}

/// Overwrites the last bytes of the log that are not zero: those of its first segment, where all of it is.
fn wipe_end(data: &Path) -> Result<()> {
    let mut segments: Vec<PathBuf> = fs::read_dir(data)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    let first = segments.iter().min();
    let path = first.with_context(|| format!("no segment in {}", data.display()))?;
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64 + 1;
    ensure!(end > WIPED, "{} holds too little to wipe", path.display());
    file.seek(SeekFrom::Start(end - WIPED))?;
    file.write_all(&vec![0; usize::try_from(WIPED)?])?;
    Ok(())
}
