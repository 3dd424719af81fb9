//! Heartbeat: whether a member may go on.

use std::time::Instant;

use pagelog_store::answer::Answer;

use crate::codec::{ErrorCode, HeartbeatRequest, HeartbeatResponse};
use crate::groups::Group;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: &Call,
    request: &HeartbeatRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    let error = beat(call, request, now).err().unwrap_or(ErrorCode::NONE);
    Ok(Answer::Now(call.respond(&HeartbeatResponse {
        error,
        ..Default::default()
    })))
}

fn beat(call: &Call, request: &HeartbeatRequest<'_>, now: Instant) -> Result<(), ErrorCode> {
    let name = super::name(request.group_id)?;
    let beat = call
        .broker
        .groups
        .with(&name, now, |group, turn| match group {
            Group::Classic(group) => group.heartbeat(
                request.generation_id,
                request.member_id,
                request.group_instance_id,
                turn,
            ),
            Group::Consumer(_) | Group::Gone => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        });
    beat.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
}
