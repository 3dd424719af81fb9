//! OffsetDelete: committed offsets of topics that nobody in the group wants any more.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::time::Instant;

use pagelog_store::answer::{Answer, Position};
use pagelog_store::{GroupName, Place};

use super::commit::place;
use super::{ROOM_TIMEOUT_MS, Stop};
use crate::codec::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};
use crate::codec::{DecodeError, ErrorCode, Field, RequestHeader};
use crate::groups::{Group, Turn};
use crate::handlers::awaiting::{Awaited, Outcome};
use crate::handlers::connection::{Call, Refusal};
use crate::handlers::room::{room_deadline, with_room};

pub(in crate::handlers) fn handle(call: Call, frame: &[u8]) -> Result<Answer, Refusal> {
    decode(frame)?;
    let frame = frame.to_vec();
    Ok(Answer::Work(Box::new(move || match decode(&frame) {
        Ok(request) => forget(call, &request),
        Err(error) => Answer::Close(Refusal::from(error).into()),
    })))
}

fn decode(frame: &[u8]) -> Result<OffsetDeleteRequest<'_>, DecodeError> {
    let (header, mut body) = RequestHeader::decode(frame)?;
    Field::decode(&mut body, header.version)
}

fn forget(call: Call, request: &OffsetDeleteRequest<'_>) -> Answer {
    let deleted = super::name(request.group_id)
        .map_err(Stop::Refused)
        .and_then(|name| {
            with_room(
                &call.broker.store,
                room_deadline(ROOM_TIMEOUT_MS),
                Stop::busy,
                || forget_in(&call, &name, request),
            )
        });
    match deleted {
        Ok((topics, at)) => answer(call, topics, at),
        Err(stop) => {
            let error = stop.error(ErrorCode::UNKNOWN_SERVER_ERROR);
            Answer::Now(call.respond(&refused(error)))
        }
    }
}

type Forgotten = (Vec<OffsetDeleteResponseTopic>, Position);

fn forget_in(
    call: &Call,
    name: &GroupName,
    request: &OffsetDeleteRequest<'_>,
) -> Result<Forgotten, Stop> {
    let broker = &call.broker;
    let forgotten = broker.groups.with(name, Instant::now(), |group, turn| {
        check(group, turn).map_err(Stop::Refused)?;
        let (topics, places) = sort(call, group, request);
        let at = broker.store.groups().uncommit(name, &places);
        Ok((topics, at.map_err(Stop::Log)?))
    });
    forgotten.unwrap_or(Err(Stop::Refused(ErrorCode::GROUP_ID_NOT_FOUND)))
}

/// Of a group whose members' wishes cannot be known, nothing is forgotten while it has any.
fn check(group: &mut Group, turn: &Turn<'_>) -> Result<(), ErrorCode> {
    group.advance(turn);
    match group {
        Group::Classic(group) if !group.is_empty() && group.protocol_type() != "consumer" => {
            Err(ErrorCode::NON_EMPTY_GROUP)
        }
        Group::Classic(_) | Group::Consumer(_) => Ok(()),
        Group::Gone => Err(ErrorCode::GROUP_ID_NOT_FOUND),
    }
}

/// What is to be forgotten, and the answer for every partition.
fn sort(
    call: &Call,
    group: &Group,
    request: &OffsetDeleteRequest<'_>,
) -> (Vec<OffsetDeleteResponseTopic>, Vec<Place>) {
    let topics = call.broker.store.topics();
    let mut places = Vec::new();
    let mut results = Vec::new();
    for topic in &request.topics {
        let is_wanted = group.wants(topic.name);
        let partitions = topic.partitions.iter().map(|partition| {
            let found = place(&topics, topic.name, partition.index);
            let error = match found {
                Err(error) => error,
                Ok(_) if is_wanted => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                Ok(place) => {
                    places.push(place);
                    ErrorCode::NONE
                }
            };
            OffsetDeleteResponsePartition {
                index: partition.index,
                error,
            }
        });
        let partitions = partitions.collect();
        results.push(OffsetDeleteResponseTopic {
            name: topic.name.to_owned(),
            partitions,
        });
    }
    (results, places)
}

fn answer(call: Call, topics: Vec<OffsetDeleteResponseTopic>, at: Position) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at,
        deadline: None,
    };
    awaited.then(move |outcome| match outcome {
        Outcome::Reached => call.respond(&OffsetDeleteResponse {
            topics,
            ..Default::default()
        }),
        Outcome::TimedOut | Outcome::Failed => {
            call.respond(&refused(ErrorCode::COORDINATOR_NOT_AVAILABLE))
        }
    })
}

fn refused(error: ErrorCode) -> OffsetDeleteResponse {
    OffsetDeleteResponse {
        error,
        ..Default::default()
    }
}
