//! DeleteGroups: groups without members, answered when it is settled that they are gone.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::time::Instant;

use pagelog_store::answer::{Answer, Position};
use pagelog_store::{Busy, LogError};

use super::{ROOM_TIMEOUT_MS, Stop};
use crate::codec::delete_groups::DeletedGroup;
use crate::codec::{DeleteGroupsRequest, DeleteGroupsResponse, ErrorCode};
use crate::groups::NotDeleted;
use crate::handlers::awaiting::{Awaited, Outcome};
use crate::handlers::connection::{Call, Refusal};
use crate::handlers::room::{room_deadline, with_room};

pub(in crate::handlers) fn handle(
    call: Call,
    request: &DeleteGroupsRequest<'_>,
) -> Result<Answer, Refusal> {
    let groups: Vec<String> = request.groups.iter().map(|&name| name.to_owned()).collect();
    Ok(Answer::Work(Box::new(move || delete(call, groups))))
}

fn delete(call: Call, groups: Vec<String>) -> Answer {
    let mut at = Position(0);
    let mut results = Vec::with_capacity(groups.len());
    for group_id in groups {
        let deleted = delete_one(&call, &group_id);
        if let Ok(deleted) = deleted {
            at = at.max(deleted);
        }
        results.push(DeletedGroup {
            group_id,
            error: deleted.err().unwrap_or(ErrorCode::NONE),
        });
    }
    answer(call, results, at)
}

fn delete_one(call: &Call, group_id: &str) -> Result<Position, ErrorCode> {
    let name = super::name(group_id)?;
    let deleted = with_room(
        &call.broker.store,
        room_deadline(ROOM_TIMEOUT_MS),
        busy,
        || call.broker.groups.delete(&name, Instant::now()),
    );
    deleted.map_err(|error| match error {
        NotDeleted::Unknown => ErrorCode::GROUP_ID_NOT_FOUND,
        NotDeleted::HasMembers => ErrorCode::NON_EMPTY_GROUP,
        NotDeleted::Log(error) => Stop::Log(error).error(ErrorCode::UNKNOWN_SERVER_ERROR),
    })
}

fn busy(error: &NotDeleted) -> Option<Busy> {
    match error {
        NotDeleted::Log(error) => LogError::busy(error),
        _ => None,
    }
}

fn answer(call: Call, results: Vec<DeletedGroup>, at: Position) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at,
        deadline: None,
    };
    awaited.then(move |outcome| {
        let mut results = results;
        if outcome != Outcome::Reached {
            for result in &mut results {
                if result.error == ErrorCode::NONE {
                    result.error = ErrorCode::COORDINATOR_NOT_AVAILABLE;
                }
            }
        }
        call.respond(&DeleteGroupsResponse {
            results,
            ..Default::default()
        })
    })
}
