//! CreatePartitions: a topic grows; answered when that is settled.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::time::Instant;

use pagelog_store::GrowTopicError;
use pagelog_store::answer::{Answer, Context, Position};

use super::broker::NODE_ID;
use super::changes::{Changes, Refused, deadline, once_each, reports};
use super::connection::{Call, Refusal};
use super::create_topics;
use super::room::{room_deadline, with_room};
use crate::codec::ErrorCode;
use crate::codec::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic, CreatePartitionsTopicResult,
};

reports!(CreatePartitionsTopicResult);

pub(super) fn handle(
    call: Call,
    request: CreatePartitionsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, request.timeout_ms);
    Ok(Answer::Work(Box::new(move || {
        grow(call, &request, deadline)
    })))
}

fn grow(call: Call, request: &CreatePartitionsRequest, deadline: Instant) -> Answer {
    let mut changes = Changes::new();
    for (asked, once) in once_each(&request.topics, |topic| &topic.name) {
        let grown = once.and_then(|()| grow_one(&call, asked, request));
        let result = CreatePartitionsTopicResult {
            name: asked.name.clone(),
            ..Default::default()
        };
        changes.add(result, grown);
    }
    changes.answer(call, deadline, |call, results| {
        call.respond(&CreatePartitionsResponse {
            results,
            ..Default::default()
        })
    })
}

fn grow_one(
    call: &Call,
    asked: &CreatePartitionsTopic,
    request: &CreatePartitionsRequest,
) -> Result<Position, Refused> {
    let Some(topic) = call.broker.topic(&asked.name) else {
        let message = "there is no such topic".to_owned();
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message));
    };
    let held = topic.partitions().len();
    let count = u32::try_from(asked.count).unwrap_or(0);
    let store = &call.broker.store;
    store.check_grow(topic.id(), count).map_err(refused)?;
    if let Some(assignments) = &asked.assignments {
        check_assignments(assignments, count as usize - held)?;
    }
    if request.validate_only {
        return Ok(Position(0));
    }
    let grown = with_room(
        store,
        room_deadline(request.timeout_ms),
        GrowTopicError::busy,
        || store.grow_topic(topic.id(), count),
    );
    Ok(grown.map_err(refused)?.created())
}

/// One for each new partition, each with the one node that there is.
fn check_assignments(
    assignments: &[CreatePartitionsAssignment],
    more: usize,
) -> Result<(), Refused> {
    let are_here = assignments.iter().all(|one| one.broker_ids == [NODE_ID]);
    if assignments.len() == more && are_here {
        return Ok(());
    }
    let message = format!("{more} assignments are needed, each to node {NODE_ID} alone");
    Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
}

fn refused(error: GrowTopicError) -> Refused {
    match error {
        GrowTopicError::Unknown { .. } => {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, error.to_string())
        }
        GrowTopicError::NotMore { .. } => (ErrorCode::INVALID_PARTITIONS, error.to_string()),
        GrowTopicError::Refused(error) => create_topics::refused(error),
    }
}
