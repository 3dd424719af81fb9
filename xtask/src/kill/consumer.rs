//! A reader that follows all partitions while the broker dies and comes back: what it was shown once stays.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use pagelog_kafka::codec::{ErrorCode, FetchRequest, FetchResponse, fetch};

use super::world::{TOPIC, World};
use crate::broker::PATIENCE;
use crate::wire::Connection;
use crate::wire::batch;

/// The version of Fetch that names topics and is flexible.
const VERSION: i16 = 12;

/// Follows all partitions until the test is over.
pub(crate) fn follow(world: &Arc<World>, partitions: u32) {
    while let Some((address, generation)) = world.wait_address() {
        match follow_one_life(world, &address, partitions) {
            Err(error) if error.is::<std::io::Error>() => {
                world.lost(generation, "the reader", &error)
            }
            Err(error) => world.report(format!("while reading: {error:#}")),
            Ok(()) => {}
        }
    }
}

fn follow_one_life(world: &Arc<World>, address: &str, partitions: u32) -> Result<()> {
    let mut connection = Connection::open(address)?;
    while !world.is_over() {
        if read_on(&mut connection, world, partitions)? == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Reads to the end of all partitions, when producers are done: each is asked until it gives no more and all that was
/// acknowledged has come. A record with acks=1 is acknowledged before it is durable, and shown only then. What does
/// not come in time is the ledger's to name.
///
/// # Errors
/// The broker is gone, or shows what it must not.
pub(crate) fn read_to_end(address: &str, world: &Arc<World>, partitions: u32) -> Result<()> {
    let mut connection = Connection::open(address)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if read_on(&mut connection, world, partitions)? > 0 {
            continue;
        }
        if world.ledger().has_seen_acknowledged() || Instant::now() > deadline {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Asks once for what follows in every partition, and enters it; says how many records came.
fn read_on(connection: &mut Connection, world: &Arc<World>, partitions: u32) -> Result<usize> {
    let offsets: Vec<i64> = (0..partitions)
        .map(|partition| world.ledger().next_offset(partition))
        .collect();
    let mut count = 0;
    fetch(connection, &offsets, |partition, offset, value| {
        // A batch is given whole: what lies before the offset in it has been seen.
        let mut ledger = world.ledger();
        if offset < ledger.next_offset(partition) {
            return ledger.see_again(partition, offset, value);
        }
        count += 1;
        ledger.see(partition, offset, value)
    })?;
    Ok(count)
}

/// Reads everything again from the beginning and compares; says how many records there were.
///
/// # Errors
/// The broker is gone, or shows something else than before.
pub(crate) fn read_again(address: &str, world: &Arc<World>, partitions: u32) -> Result<usize> {
    let mut connection = Connection::open(address)?;
    let mut offsets = vec![0; partitions as usize];
    let mut count = 0;
    loop {
        let before = count;
        let asked = offsets.clone();
        fetch(&mut connection, &asked, |partition, offset, value| {
            let next = &mut offsets[partition as usize];
            if offset < *next {
                return Ok(());
            }
            ensure!(
                offset == *next,
                "partition {partition}: offset {offset} where {next} was next"
            );
            *next += 1;
            count += 1;
            world.ledger().see_again(partition, offset, value)
        })?;
        if count == before {
            let seen = world.ledger().seen_count();
            ensure!(
                count == seen,
                "{count} records are there of {seen} that were read before"
            );
            return Ok(count);
        }
    }
}

/// One Fetch of all partitions, from the offsets of each; every record goes to `visit`.
fn fetch(
    connection: &mut Connection,
    offsets: &[i64],
    mut visit: impl FnMut(u32, i64, &[u8]) -> Result<()>,
) -> Result<()> {
    let partition = |(index, offset): (i32, &i64)| fetch::FetchPartition {
        index,
        fetch_offset: *offset,
        bytes_max: 1 << 20,
        ..Default::default()
    };
    let partitions = (0..).zip(offsets).map(partition).collect();
    let topic = fetch::FetchTopic {
        name: TOPIC,
        partitions,
        ..Default::default()
    };
    let request = FetchRequest {
        wait_max_ms: 0,
        bytes_min: 1,
        bytes_max: 8 << 20,
        topics: vec![topic],
        ..Default::default()
    };
    let id = connection.send(VERSION, &request)?;
    let mut frame = Vec::new();
    let answer: FetchResponse<'_> = connection.receive(VERSION, id, &mut frame)?;
    ensure!(
        answer.error == ErrorCode::NONE,
        "the fetch failed: {}",
        answer.error
    );
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        let index = u32::try_from(partition.index)?;
        let Some(asked) = offsets.get(index as usize) else {
            bail!("partition {index} was not asked for")
        };
        let (error, visible) = (partition.error, partition.high_watermark);
        ensure!(
            error == ErrorCode::NONE,
            "partition {index} at offset {asked}: {error}"
        );
        ensure!(
            visible >= *asked,
            "partition {index} ends at {visible}, but {asked} was visible before"
        );
        for (offset, value) in batch::decode_all(partition.records.unwrap_or_default())? {
            ensure!(
                offset < visible,
                "partition {index}: offset {offset} is shown, but the visible end is {visible}"
            );
            visit(index, offset, value)?;
        }
    }
    Ok(())
}
