//! LeaveGroup: one member up to version 2, many from version 3 on.

use std::time::Instant;

use pagelog_store::answer::Answer;

use crate::codec::leave_group::{LeavingMember, LeftMember};
use crate::codec::{ErrorCode, LeaveGroupRequest, LeaveGroupResponse};
use crate::groups::Group;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: &Call,
    request: &LeaveGroupRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    Ok(Answer::Now(call.respond(&response(call, request, now))))
}

fn response(call: &Call, request: &LeaveGroupRequest<'_>, now: Instant) -> LeaveGroupResponse {
    if let Err(error) = super::name(request.group_id) {
        return LeaveGroupResponse {
            error,
            ..Default::default()
        };
    }
    let left = |member: &LeavingMember<'_>| {
        let left = leave(call, request.group_id, member, now);
        left.err().unwrap_or(ErrorCode::NONE)
    };
    if call.version < 3 {
        let member = LeavingMember {
            member_id: request.member_id,
            ..Default::default()
        };
        return LeaveGroupResponse {
            error: left(&member),
            ..Default::default()
        };
    }
    let members = request.members.iter().map(|member| LeftMember {
        member_id: member.member_id.to_owned(),
        group_instance_id: member.group_instance_id.map(str::to_owned),
        error: left(member),
    });
    LeaveGroupResponse {
        members: members.collect(),
        ..Default::default()
    }
}

fn leave(
    call: &Call,
    group_id: &str,
    member: &LeavingMember<'_>,
    now: Instant,
) -> Result<(), ErrorCode> {
    let name = super::name(group_id)?;
    let left = call
        .broker
        .groups
        .with(&name, now, |group, turn| match group {
            Group::Classic(group) => group.leave(member, turn),
            Group::Consumer(_) | Group::Gone => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        });
    left.unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
}
