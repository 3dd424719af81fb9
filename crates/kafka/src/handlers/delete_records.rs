//! DeleteRecords: partitions begin later; answered when that is settled.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::time::Instant;

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{DeleteRecordsError, Offset, Partition};

use super::awaiting::{Awaited, Outcome};
use super::changes::{deadline, log_error};
use super::connection::{Call, Refusal};
use super::room::{room_deadline, with_room};
use crate::codec::ErrorCode;
use crate::codec::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};

/// Everything that readers may see.
const ALL: i64 = -1;

pub(super) fn handle(
    call: Call,
    request: DeleteRecordsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, request.timeout_ms);
    Ok(Answer::Work(Box::new(move || {
        delete(call, &request, deadline)
    })))
}

fn delete(call: Call, request: &DeleteRecordsRequest, deadline: Instant) -> Answer {
    let mut end = Position(0);
    let topics = request.topics.iter().map(|asked| {
        let topic = call.broker.topic(&asked.name);
        let partitions = asked.partitions.iter().map(|one| {
            let partition = topic.as_ref().and_then(|topic| topic.partition(one.index));
            let deleted = match partition {
                Some(partition) => delete_one(&call, partition, one, request.timeout_ms),
                None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            };
            let mut result = DeleteRecordsPartitionResult {
                index: one.index,
                ..Default::default()
            };
            match deleted {
                Ok((start, settled_at)) => {
                    end = end.max(settled_at);
                    result.low_watermark = start.0;
                }
                Err(error) => result.error = error,
            }
            result
        });
        DeleteRecordsTopicResult {
            partitions: partitions.collect(),
            name: asked.name.clone(),
        }
    });
    let topics: Vec<DeleteRecordsTopicResult> = topics.collect();
    answer(call, topics, end, deadline)
}

/// The first offset that is left, and the position at which that is settled.
fn delete_one(
    call: &Call,
    partition: &Partition,
    asked: &DeleteRecordsPartition,
    timeout_ms: i32,
) -> Result<(Offset, Position), ErrorCode> {
    let to = match asked.offset {
        ALL => partition.high_watermark(),
        offset => Offset(offset),
    };
    let store = &call.broker.store;
    let until = room_deadline(timeout_ms);
    let moved = with_room(store, until, DeleteRecordsError::busy, || {
        partition.delete_records(to)
    });
    match moved {
        Ok(moved) => Ok((moved.start, moved.end)),
        Err(DeleteRecordsError::Deleted) => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Err(DeleteRecordsError::OutOfRange { .. }) => Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        Err(DeleteRecordsError::Log(error)) => Err(log_error(&error)),
    }
}

fn answer(
    call: Call,
    mut topics: Vec<DeleteRecordsTopicResult>,
    end: Position,
    deadline: Instant,
) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at: end,
        deadline: Some(deadline),
    };
    awaited.then(move |outcome| {
        let late = match outcome {
            Outcome::Reached => None,
            Outcome::TimedOut => Some(ErrorCode::REQUEST_TIMED_OUT),
            Outcome::Failed => Some(ErrorCode::KAFKA_STORAGE_ERROR),
        };
        if let Some(error) = late {
            let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            for one in partitions.filter(|one| one.error == ErrorCode::NONE) {
                *one = DeleteRecordsPartitionResult {
                    index: one.index,
                    error,
                    ..Default::default()
                };
            }
        }
        call.respond(&DeleteRecordsResponse {
            topics,
            ..Default::default()
        })
    })
}
