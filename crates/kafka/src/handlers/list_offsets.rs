//! ListOffsets: the ends of a partition, or the first record of a time or later.
//!
//! Times are answered by a worker: the batch that holds the record has to be read, and perhaps decompressed.

use std::collections::HashSet;

use pagelog_store::answer::Answer;
use pagelog_store::{FoundBatch, Offset, Partition, ReadError, ReadLimits};
use pagelog_transfer::Rope;

use super::connection::{Call, Refusal};
use crate::batch::{
    BatchError, BatchHeader, FoundRecord, batches, find_first_at_or_after, max_timestamp_record,
};
use crate::codec::ErrorCode;
use crate::codec::list_offsets::{
    EARLIEST, EARLIEST_LOCAL, LATEST, LATEST_TIERED, ListOffsetsPartition,
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse, MAX_TIMESTAMP,
};

/// The questions for one topic, apart from the frame that they came in.
struct Asked {
    name: String,
    partitions: Vec<ListOffsetsPartition>,
}

pub(super) fn handle(call: Call, request: &ListOffsetsRequest<'_>) -> Result<Answer, Refusal> {
    let asked = request.topics.iter().map(|topic| Asked {
        name: topic.name.to_owned(),
        partitions: topic.partitions.clone(),
    });
    let asked: Vec<Asked> = asked.collect();
    let by_time = |one: &ListOffsetsPartition| one.timestamp >= 0 || one.timestamp == MAX_TIMESTAMP;
    if asked
        .iter()
        .flat_map(|topic| &topic.partitions)
        .any(by_time)
    {
        return Ok(Answer::Work(Box::new(move || {
            Answer::Now(respond(&call, asked))
        })));
    }
    Ok(Answer::Now(respond(&call, asked)))
}

fn respond(call: &Call, asked: Vec<Asked>) -> Rope {
    let mut seen = HashSet::new();
    let topics = asked.into_iter().map(|Asked { name, partitions }| {
        let answer = |one: &ListOffsetsPartition| {
            // Looking up a time costs more than asking for it, so nobody asks twice in one request.
            let is_first = seen.insert((name.clone(), one.index));
            let found = match is_first {
                true => look_up(call, &name, one),
                false => Err(ErrorCode::INVALID_REQUEST),
            };
            response(one.index, found)
        };
        let partitions = partitions.iter().map(answer).collect();
        ListOffsetsTopicResponse { name, partitions }
    });
    let response = ListOffsetsResponse {
        topics: topics.collect(),
        ..Default::default()
    };
    call.respond(&response)
}

/// An offset, the time of its record (-1 when no record is meant), and its leader epoch (-1 when there is none).
struct Found {
    offset: i64,
    timestamp: i64,
    leader_epoch: i32,
}

fn response(index: i32, found: Result<Found, ErrorCode>) -> ListOffsetsPartitionResponse {
    match found {
        Ok(found) => ListOffsetsPartitionResponse {
            index,
            error: ErrorCode::NONE,
            timestamp: found.timestamp,
            offset: found.offset,
            leader_epoch: found.leader_epoch,
        },
        Err(error) => ListOffsetsPartitionResponse {
            index,
            error,
            ..Default::default()
        },
    }
}

fn look_up(call: &Call, topic: &str, asked: &ListOffsetsPartition) -> Result<Found, ErrorCode> {
    let topic = call.broker.topic(topic);
    let partition = topic
        .as_ref()
        .and_then(|topic| topic.partition(asked.index));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    call.broker.check_leader_epoch(asked.current_leader_epoch)?;
    let version = call.version;
    match asked.timestamp {
        LATEST => Ok(end(partition, partition.high_watermark())),
        EARLIEST => Ok(end(partition, partition.start_offset())),
        EARLIEST_LOCAL if version >= 8 => Ok(end(partition, partition.start_offset())),
        // Nothing is ever moved to another storage.
        LATEST_TIERED if version >= 9 => Ok(nothing()),
        MAX_TIMESTAMP if version >= 7 => {
            let batch = partition.find_latest_time().map_err(read_code)?;
            within(partition, batch, max_timestamp_record)
        }
        time if time >= 0 => {
            let batch = partition.find_time(time).map_err(read_code)?;
            at_time(partition, batch, time)
        }
        _ => Err(ErrorCode::UNSUPPORTED_VERSION),
    }
}

fn end(partition: &Partition, offset: Offset) -> Found {
    Found {
        offset: offset.0,
        timestamp: -1,
        leader_epoch: leader_epoch(partition, offset),
    }
}

fn nothing() -> Found {
    Found {
        offset: -1,
        timestamp: -1,
        leader_epoch: -1,
    }
}

fn leader_epoch(partition: &Partition, offset: Offset) -> i32 {
    let epoch = partition.epoch_at(offset);
    epoch.map_or(-1, |epoch| i32::try_from(epoch.0).unwrap_or(i32::MAX))
}

/// How much is read at a time when the record is not in the batch that the index names.
const STEP_SIZE: u64 = 1 << 20;

/// The first record of this time or later that has not been deleted. It may be in a later batch, if the front of this one is deleted.
fn at_time(
    partition: &Partition,
    batch: Option<FoundBatch>,
    time: i64,
) -> Result<Found, ErrorCode> {
    let start = partition.start_offset();
    let next = batch.as_ref().map(|batch| batch.base_offset.max(start));
    let found = within(partition, batch, |records| {
        find_first_at_or_after(records, start.0, time)
    })?;
    match next {
        Some(next) if found.offset < 0 => behind(partition, next, time),
        _ => Ok(found),
    }
}

/// Looks batch by batch from the one that holds `from`.
fn behind(partition: &Partition, mut from: Offset, time: i64) -> Result<Found, ErrorCode> {
    let limits = ReadLimits {
        size_max: STEP_SIZE,
        first_whole: true,
    };
    loop {
        let read = partition.read(from, limits).map_err(read_code)?;
        let records = read_all(&read.rope, from)?;
        let found = find_first_at_or_after(&records, from.0, time);
        if let Some(record) = found.map_err(|error| unreadable(from, &error))? {
            return Ok(found_record(partition, record));
        }
        let last = batches(&records).filter_map(Result::ok).last();
        match last {
            Some((last, _)) if !read.reaches_end => from = behind_batch(&last),
            _ => return Ok(nothing()),
        }
    }
}

fn behind_batch(last: &BatchHeader) -> Offset {
    let offset = last
        .base_offset
        .saturating_add(i64::from(last.last_offset_delta));
    Offset(offset.saturating_add(1))
}

/// The record that `find` finds in a batch, which is read for it.
fn within(
    partition: &Partition,
    batch: Option<FoundBatch>,
    find: impl FnOnce(&[u8]) -> Result<Option<FoundRecord>, BatchError>,
) -> Result<Found, ErrorCode> {
    let Some(batch) = batch else {
        return Ok(nothing());
    };
    let mut rope = Rope::new();
    rope.push_region(batch.region);
    let records = read_all(&rope, batch.base_offset)?;
    let record = find(&records).map_err(|error| unreadable(batch.base_offset, &error))?;
    Ok(record.map_or_else(nothing, |record| found_record(partition, record)))
}

fn found_record(partition: &Partition, record: FoundRecord) -> Found {
    Found {
        offset: record.offset,
        timestamp: record.timestamp,
        leader_epoch: leader_epoch(partition, Offset(record.offset)),
    }
}

fn read_all(rope: &Rope, at: Offset) -> Result<Vec<u8>, ErrorCode> {
    rope.read_all().map_err(|error| unreadable(at, &error))
}

fn unreadable(at: Offset, error: &dyn std::fmt::Display) -> ErrorCode {
    tracing::error!("the batch at offset {at} cannot be read: {error}");
    ErrorCode::KAFKA_STORAGE_ERROR
}

fn read_code(error: ReadError) -> ErrorCode {
    match error {
        ReadError::Deleted => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ReadError::OutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        // A client that asks again finds it, as soon as the index has been built again.
        ReadError::LookUp(error) => {
            tracing::error!("{error}");
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    }
}
