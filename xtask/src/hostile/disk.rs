//! A disk that is full, a directory that cannot be written, files that someone has changed by hand.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pagelog_kafka::codec::offset_commit::{OffsetCommitPartition, OffsetCommitTopic};
use pagelog_kafka::codec::offset_fetch::OffsetFetchTopic;
use pagelog_kafka::codec::{
    ErrorCode, OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
};

use crate::broker::{PATIENCE, Setup};
use crate::command;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// The topic of these tests.
const TOPIC: &str = "lines";

/// Who commits in these tests, without a member.
const GROUP: &str = "readers";

/// The version of OffsetCommit and OffsetFetch.
const COMMIT: i16 = 5;

/// Small segments, so that a little data fills several.
const SMALL: [&str; 4] = [
    "--set",
    "segment.bytes=1048576",
    "--set",
    "kafka.message.max.bytes=65536",
];

/// The user that owns nothing: `nobody`.
const NOBODY: &str = "65534";

/// Whether this process may mount and change its user.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Sends batches of about 32 KiB, each with a record that tells its number, until one is refused; says how many were
/// acknowledged, and what the refusal was.
fn fill(
    connection: &mut Connection,
    from: u64,
    count_max: u64,
) -> Result<(u64, Option<ErrorCode>)> {
    for number in from..from + count_max {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(32 << 10, 0x5a);
        let batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &[value]);
        let id = connection.send_batch(TOPIC, 0, -1, &batch)?;
        match connection.receive_batch_answer(id)? {
            Ok(offset) => ensure!(
                u64::try_from(offset)? == number,
                "record {number} is at {offset}"
            ),
            Err(error) => return Ok((number - from, Some(error))),
        }
    }
    Ok((count_max, None))
}

fn create_topic(address: &str) -> Result<Connection> {
    let mut connection = Connection::open(address)?;
    let error = connection.create_topic(TOPIC, 1)?;
    ensure!(
        error == ErrorCode::NONE,
        "the topic is not created: {error}"
    );
    Ok(connection)
}

/// A file system of its own in memory; unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: &Path, mebibytes: u32) -> Result<Tmpfs> {
        fs::create_dir_all(at)?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(at);
        ensure!(mount.status()?.success(), "cannot mount a tmpfs");
        Ok(Tmpfs(at.to_path_buf()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// The disk fills up, writes are refused, reads go on; space comes back, writes go on; nothing acknowledged is lost.
pub(crate) fn full_disk(binary: &Path, directory: &Path) -> Result<()> {
    let disk = Tmpfs::mount(&directory.join("disk"), 24)?;
    let mut setup = Setup::new(binary, directory).with(&SMALL);
    setup.data = disk.0.join("data");
    let broker = setup.start()?;
    let mut connection = create_topic(broker.address())?;
    let (first, error) = fill(&mut connection, 0, 3)?;
    ensure!(error.is_none(), "refused while there was room: {error:?}");
    let ballast = disk.0.join("ballast");
    fill_up(&ballast)?;
    let (second, error) = fill(&mut connection, first, 10_000)?;
    let error = error.context("a full disk takes everything")?;
    let committed = commit_until_refused(&mut connection)?;
    ensure!(
        fetch_commit(&mut connection)? == committed,
        "what was committed last is not there"
    );
    println!(
        "      {} records of 32 KiB were acknowledged, then: {error}; {committed} offsets were committed after that",
        first + second
    );
    ensure!(
        count_records(broker.address())? == first + second,
        "what was acknowledged is not there"
    );
    fs::remove_file(&ballast)?;
    let third = wait_room(&mut connection, first + second)?;
    let count = first + second + third;
    ensure!(
        count_records(broker.address())? == count,
        "what was acknowledged is not there after there was room"
    );
    ensure!(
        fetch_commit(&mut connection)? == committed,
        "what was committed is lost since there is room"
    );
    let error = commit(&mut connection, committed + 1)?;
    ensure!(
        error == ErrorCode::NONE,
        "nothing can be committed: {error}"
    );
    drop(connection);
    broker.stop()?;
    let broker = setup.start()?;
    ensure!(
        count_records(broker.address())? == count,
        "what was acknowledged is not there after a restart"
    );
    let mut connection = Connection::open(broker.address())?;
    ensure!(
        fetch_commit(&mut connection)? == committed + 1,
        "what was committed is not there after a restart"
    );
    drop(connection);
    broker.stop()?;
    Ok(())
}

/// Commits 1, 2, 3, … until one is refused, which it is when not even so little has room; what was taken last.
fn commit_until_refused(connection: &mut Connection) -> Result<i64> {
    for offset in 1..200_000 {
        match commit(connection, offset)? {
            ErrorCode::NONE => {}
            ErrorCode::COORDINATOR_NOT_AVAILABLE => return Ok(offset - 1),
            error => bail!("a commit that finds no room is refused with {error}"),
        }
    }
    bail!("a full disk takes every commit")
}

fn commit(connection: &mut Connection, offset: i64) -> Result<ErrorCode> {
    let request = OffsetCommitRequest {
        group_id: GROUP,
        topics: vec![OffsetCommitTopic {
            name: TOPIC,
            partitions: vec![OffsetCommitPartition {
                index: 0,
                offset,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    let id = connection.send(COMMIT, &request)?;
    let mut frame = Vec::new();
    let response: OffsetCommitResponse = connection.receive(COMMIT, id, &mut frame)?;
    Ok(response.topics[0].partitions[0].error)
}

/// What is committed; 0 if nothing is.
fn fetch_commit(connection: &mut Connection) -> Result<i64> {
    let request = OffsetFetchRequest {
        group_id: GROUP,
        topics: Some(vec![OffsetFetchTopic {
            name: TOPIC,
            partition_indexes: vec![0],
        }]),
        ..Default::default()
    };
    let id = connection.send(COMMIT, &request)?;
    let mut frame = Vec::new();
    let response: OffsetFetchResponse = connection.receive(COMMIT, id, &mut frame)?;
    Ok(response.topics[0].partitions[0].offset.max(0))
}

/// Writes a file until there is no more room.
fn fill_up(path: &Path) -> Result<()> {
    let mut file = File::create(path)?;
    let zeroes = vec![1; 1 << 16];
    while file.write_all(&zeroes).is_ok() {}
    Ok(())
}

/// Waits until the broker takes records again, which it must find out by itself.
fn wait_room(connection: &mut Connection, from: u64) -> Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let (count, _) = fill(connection, from, 5)?;
        if count == 5 {
            return Ok(count);
        }
        ensure!(count == 0, "{count} of five records were taken");
        thread::sleep(Duration::from_millis(100));
    }
    bail!("the broker does not notice that there is room again")
}

/// Reads all records of the topic and insists that they count up from 0.
fn count_records(address: &str) -> Result<u64> {
    let mut connection = Connection::open(address)?;
    let mut next = 0;
    loop {
        let bytes = connection.fetch(TOPIC, 0, next, 0)?;
        let records = batch::decode_all(&bytes)?;
        let before = next;
        for (offset, value) in records {
            if offset < next {
                continue;
            }
            ensure!(
                value.get(..8) == Some(&u64::try_from(next)?.to_be_bytes()[..]),
                "record {next} is another"
            );
            next += 1;
        }
        if next == before {
            return Ok(u64::try_from(next)?);
        }
    }
}

/// A directory that the broker's user may not write to: it says so and ends.
pub(crate) fn forbidden_directory(binary: &Path, directory: &Path) -> Result<()> {
    let place = tempfile::tempdir()?;
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755))?;
    // Where the broker was built, another user may not be let in.
    let copy = place.path().join("pagelog");
    fs::copy(binary, &copy)?;
    let mut setup = Setup::new(&copy, directory);
    setup.data = place.path().join("data");
    fs::create_dir(&setup.data)?;
    let plain = setup.command();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"]);
    command.arg(plain.get_program()).args(plain.get_args());
    refused_as(
        &setup,
        command,
        &[&setup.data.display().to_string(), "ermission denied"],
    )
}

/// The data directory of a broker that runs: the second one says whose it is and ends.
pub(crate) fn directory_in_use(binary: &Path, directory: &Path) -> Result<()> {
    let setup = Setup::new(binary, directory);
    let broker = setup.start()?;
    let mut second = setup.clone();
    second.log = directory.join("second.log");
    refused(
        &second,
        &[&broker.id().to_string(), &setup.data.display().to_string()],
    )?;
    create_topic(broker.address()).context("the first broker was disturbed")?;
    broker.stop()?;
    Ok(())
}

/// A port that is taken: the broker says which and ends.
pub(crate) fn port_in_use(binary: &Path, directory: &Path) -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut setup = Setup::new(binary, directory);
    setup.port = taken.local_addr()?.port();
    refused(&setup, &[&setup.port.to_string()])
}

/// What someone does to a segment by hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    CutShort,
    Emptied,
    Overwritten,
    Removed,
}

/// Fills several segments, stops, damages one in the middle: the broker names it and does not start.
pub(crate) fn damaged_segment(binary: &Path, directory: &Path, damage: Damage) -> Result<()> {
    let setup = Setup::new(binary, directory).with(&SMALL);
    let broker = setup.start()?;
    let mut connection = create_topic(broker.address())?;
    fill(&mut connection, 0, 150)?;
    drop(connection);
    broker.stop()?;
    let segments = segments(&setup.data)?;
    ensure!(
        segments.len() >= 4,
        "150 records of 32 KiB lie in {} segments",
        segments.len()
    );
    let victim = &segments[1];
    damage.inflict(victim)?;
    if matches!(damage, Damage::Overwritten) {
        // With one, a start would not read so far back.
        remove_checkpoints(&setup.data)?;
    }
    let name = victim
        .file_name()
        .context("a segment without a name")?
        .to_string_lossy()
        .into_owned();
    // Damage inside is named by its place in the log, the file by its name.
    refused(
        &setup,
        &[name.trim_end_matches(".log").trim_start_matches('0')],
    )
}

impl Damage {
    fn inflict(self, path: &Path) -> Result<()> {
        match self {
            Damage::CutShort => File::options().write(true).open(path)?.set_len(500_000)?,
            Damage::Emptied => File::options().write(true).open(path)?.set_len(0)?,
            Damage::Removed => fs::remove_file(path)?,
            Damage::Overwritten => {
                let mut file = File::options().read(true).write(true).open(path)?;
                let mut bytes = [0; 64];
                file.seek(SeekFrom::Start(500_000))?;
                file.read_exact(&mut bytes)?;
                file.seek(SeekFrom::Start(500_000))?;
                file.write_all(&bytes.map(|byte| byte ^ 0xff))?;
            }
        }
        Ok(())
    }
}

fn remove_checkpoints(data: &Path) -> Result<()> {
    let checkpoints = files(data, "checkpoint")?;
    ensure!(!checkpoints.is_empty(), "a stop leaves a checkpoint");
    checkpoints.iter().try_for_each(fs::remove_file)?;
    Ok(())
}

fn segments(data: &Path) -> Result<Vec<PathBuf>> {
    files(data, "log")
}

/// The files whose names end so, in order.
fn files(data: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(data)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == ending)
    });
    paths.sort();
    Ok(paths)
}

/// Insists that the broker ends by itself, soon, with an error that says each of `said`.
fn refused(setup: &Setup, said: &[&str]) -> Result<()> {
    refused_as(setup, setup.command(), said)
}

fn refused_as(setup: &Setup, command: Command, said: &[&str]) -> Result<()> {
    let _ = fs::remove_file(&setup.log);
    let mut broker = setup.spawn_as(command)?;
    let status = broker.wait_end(PATIENCE).context("it was not refused")?;
    let log = broker.log();
    ensure!(!status.success(), "it ended with success:\n{log}");
    ensure!(
        status.code().is_some(),
        "it was killed by a signal ({status}):\n{log}"
    );
    ensure!(!log.contains("panicked"), "it panicked:\n{log}");
    for text in said {
        ensure!(
            log.contains(text),
            "the message does not name {text}:\n{log}"
        );
    }
    let message = log.lines().last().unwrap_or_default();
    println!("      says: {message}");
    Ok(())
}

/// Where the tests of this file put what they need.
pub(crate) fn directory() -> Result<tempfile::TempDir> {
    let parent = command::target().join("hostile");
    fs::create_dir_all(&parent)?;
    Ok(tempfile::tempdir_in(parent)?)
}
