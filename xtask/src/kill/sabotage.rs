//! The test of the test: a broker that loses what it acknowledged must be found out.
//!
//! The end of the log is overwritten with zeroes between a kill and the next start. To the broker that is the torn
//! tail of a crash, which it rightly cuts; to the ledger, records that were acknowledged are gone.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::world::World;
use super::{Workers, consumer, create_topic, directory};
use crate::broker::Setup;
use crate::random::Random;

/// How much of the end is overwritten: several entries.
const WIPED: u64 = 2_000;

/// Runs a load, kills, wipes the end of the log, and insists that the ledger complains.
///
/// # Errors
/// It does not complain.
pub(crate) fn self_test(broker: &Path) -> Result<()> {
    let directory = directory()?;
    let setup = Setup::new(broker, directory.path()).with(&[
        "--set",
        "segment.bytes=1048576",
        "--set",
        super::MESSAGE_SIZE_MAX,
    ]);
    create_topic(&setup)?;
    let world = Arc::new(World::default());
    let mut broker = setup.start()?;
    world.move_to(Some(broker.address().to_owned()));
    let workers = Workers::start(&world, Random::seed_from_clock());
    thread::sleep(Duration::from_millis(300));
    super::settle(&world, workers, broker.address()).context("before anything was wiped")?;
    broker.kill()?;
    wipe_end(&setup.data)?;
    match complaint(&setup, &world)? {
        Some(complaint) => println!("crash test: finds a wiped end of the log: {complaint}"),
        None => bail!("the crash test does not notice that the end of the log was wiped"),
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

/// Overwrites the last bytes of the log that are not zero.
fn wipe_end(data: &Path) -> Result<()> {
    let mut segments: Vec<PathBuf> = fs::read_dir(data)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    for path in segments.iter().rev() {
        let mut file = File::options().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let Some(end) = bytes.iter().rposition(|byte| *byte != 0) else {
            continue;
        };
        let end = end as u64 + 1;
        ensure!(end > WIPED, "{} holds too little to wipe", path.display());
        file.seek(SeekFrom::Start(end - WIPED))?;
        file.write_all(&vec![0; usize::try_from(WIPED)?])?;
        return Ok(());
    }
    bail!("no segment in {}", data.display())
}
