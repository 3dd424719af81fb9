//! DescribeGroups: classic groups, their states and members.

use std::time::Instant;

use pagelog_store::answer::Answer;

use super::authorized_operations;
use crate::codec::describe_groups::DescribedGroup;
use crate::codec::{DescribeGroupsRequest, DescribeGroupsResponse, ErrorCode};
use crate::groups::Group;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: &Call,
    request: &DescribeGroupsRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    let operations = authorized_operations(request.include_authorized_operations);
    let describe = |group_id: &&str| {
        let described = describe(call, group_id, now).unwrap_or_else(|error| missing(call, error));
        DescribedGroup {
            group_id: (*group_id).to_owned(),
            authorized_operations: operations,
            ..described
        }
    };
    Ok(Answer::Now(call.respond(&DescribeGroupsResponse {
        groups: request.groups.iter().map(describe).collect(),
        ..Default::default()
    })))
}

fn describe(call: &Call, group_id: &str, now: Instant) -> Result<DescribedGroup, ErrorCode> {
    let name = super::name(group_id)?;
    let described = call.broker.groups.with(&name, now, |group, turn| {
        group.advance(turn);
        match group {
            Group::Classic(group) => Some(DescribedGroup {
                state: group.state_name().to_owned(),
                protocol_type: group.protocol_type().to_owned(),
                protocol_data: group.protocol().to_owned(),
                members: group.described(),
                ..Default::default()
            }),
            Group::Consumer(_) | Group::Gone => None,
        }
    });
    described.flatten().ok_or(ErrorCode::GROUP_ID_NOT_FOUND)
}

/// Before version 6 a group that is not there is one that is dead (KIP-1043).
fn missing(call: &Call, error: ErrorCode) -> DescribedGroup {
    let is_said = call.version >= 6 || error != ErrorCode::GROUP_ID_NOT_FOUND;
    DescribedGroup {
        error: if is_said { error } else { ErrorCode::NONE },
        error_message: is_said.then(|| "there is no such classic group".to_owned()),
        state: "Dead".to_owned(),
        ..Default::default()
    }
}
