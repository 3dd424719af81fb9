//! The two loads whose system calls are counted.

use std::thread;

use anyhow::{Result, anyhow, ensure};
use pagelog_kafka::codec::{ErrorCode, FetchRequest, FetchResponse, decode_response, fetch};

use crate::random::Random;
use crate::wire::Connection;
use crate::wire::batch::{self, Sender};

/// Producers of the produce-heavy load, each with one record in flight.
pub(crate) const PRODUCERS: u64 = 64;
/// Records of each of them.
const RECORDS_EACH: u64 = 200;
/// How often everything is read.
pub(crate) const READERS: u64 = 4;
const READS_EACH: u64 = 4;

/// A topic of one partition with large batches: long runs in the log.
const LONG: &str = "long";
const LONG_BATCHES: usize = 256;
const LONG_BATCH_SIZE: usize = 64 << 10;

/// A topic of many partitions with small batches in turn: short runs in the log.
const SHORT: &str = "short";
const SHORT_PARTITIONS: i32 = 32;
const SHORT_ROUNDS: usize = 64;
const SHORT_BATCH_SIZE: usize = 1 << 10;

/// Many producers, one record of 1 KiB each in flight, acks=all. Says how many records were acknowledged.
///
/// # Errors
/// A record is refused.
pub(crate) fn produce(address: &str) -> Result<u64> {
    create(address, "records", 1)?;
    thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|seed| scope.spawn(move || produce_alone(address, seed)))
            .collect();
        producers
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a producer panicked"))?)
            .sum()
    })
}

fn produce_alone(address: &str, seed: u64) -> Result<u64> {
    let mut connection = Connection::open(address)?;
    let mut random = Random::new(seed);
    for _ in 0..RECORDS_EACH {
        send(&mut connection, "records", 0, random.bytes(1 << 10))?;
    }
    Ok(RECORDS_EACH)
}

/// Fills two topics, then reads both again and again. Says how many bytes of batches were read.
///
/// # Errors
/// A record is refused, or cannot be read.
pub(crate) fn fetch(address: &str) -> Result<u64> {
    fill(address)?;
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|_| scope.spawn(move || fetch_alone(address)))
            .collect();
        readers
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow!("a reader panicked"))?)
            .sum()
    })
}

fn fill(address: &str) -> Result<()> {
    create(address, LONG, 1)?;
    create(address, SHORT, SHORT_PARTITIONS)?;
    let mut connection = Connection::open(address)?;
    let mut random = Random::new(1);
    for _ in 0..LONG_BATCHES {
        send(&mut connection, LONG, 0, random.bytes(LONG_BATCH_SIZE))?;
    }
    for _ in 0..SHORT_ROUNDS {
        for partition in 0..SHORT_PARTITIONS {
            send(
                &mut connection,
                SHORT,
                partition,
                random.bytes(SHORT_BATCH_SIZE),
            )?;
        }
    }
    Ok(())
}

fn fetch_alone(address: &str) -> Result<u64> {
    let mut connection = Connection::open(address)?;
    let mut bytes = 0;
    for _ in 0..READS_EACH {
        bytes += read_all(&mut connection, LONG, 1)?;
        bytes += read_all(&mut connection, SHORT, SHORT_PARTITIONS)?;
    }
    Ok(bytes)
}

/// Reads all partitions of a topic to their ends; says how many bytes of batches came.
fn read_all(connection: &mut Connection, topic: &str, partitions: i32) -> Result<u64> {
    let mut offsets = vec![0; usize::try_from(partitions)?];
    let mut bytes = 0;
    loop {
        let partition = |(index, offset): (i32, &i64)| fetch::FetchPartition {
            index,
            fetch_offset: *offset,
            bytes_max: 1 << 20,
            ..Default::default()
        };
        let partitions = (0..).zip(&offsets).map(partition).collect();
        let topics = vec![fetch::FetchTopic {
            name: topic,
            partitions,
            ..Default::default()
        }];
        connection.send(
            12,
            &FetchRequest {
                bytes_max: 4 << 20,
                topics,
                ..Default::default()
            },
        )?;
        let frame = connection.receive_frame()?;
        let read = advance(&frame, &mut offsets)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes += read;
    }
}

/// Moves the offsets behind what came, and says how many bytes that was.
fn advance(frame: &[u8], offsets: &mut [i64]) -> Result<u64> {
    let (_, answer): (i32, FetchResponse<'_>) = decode_response(frame, 12)?;
    let mut bytes = 0;
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        ensure!(
            partition.error == ErrorCode::NONE,
            "cannot read: {}",
            partition.error
        );
        let records = partition.records.unwrap_or_default();
        if let Some((last, _)) = batch::decode_all(records)?.last() {
            offsets[usize::try_from(partition.index)?] = last + 1;
            bytes += records.len() as u64;
        }
    }
    Ok(bytes)
}

fn create(address: &str, topic: &str, partitions: i32) -> Result<()> {
    let error = Connection::open(address)?.create_topic(topic, partitions)?;
    ensure!(error == ErrorCode::NONE, "{topic} is not created: {error}");
    Ok(())
}

fn send(connection: &mut Connection, topic: &str, partition: i32, value: Vec<u8>) -> Result<()> {
    let batch = batch::encode(Sender::ANONYMOUS, 1_700_000_000_000, &[value]);
    let id = connection.send_batch(topic, partition, -1, &batch)?;
    connection
        .receive_batch_answer(id)?
        .map_err(|error| anyhow!("refused: {error}"))?;
    Ok(())
}
