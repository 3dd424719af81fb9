//! ConsumerGroupDescribe: groups of the consumer protocol, their states and members.

use std::time::Instant;

use pagelog_store::answer::Answer;

use super::authorized_operations;
use crate::codec::consumer_group_describe::DescribedConsumerGroup;
use crate::codec::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ErrorCode};
use crate::groups::Group;
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: &Call,
    request: &ConsumerGroupDescribeRequest<'_>,
    now: Instant,
) -> Result<Answer, Refusal> {
    let operations = authorized_operations(request.include_authorized_operations);
    let describe = |group_id: &&str| DescribedConsumerGroup {
        group_id: (*group_id).to_owned(),
        authorized_operations: operations,
        ..describe(call, group_id, now).unwrap_or_else(missing)
    };
    Ok(Answer::Now(call.respond(&ConsumerGroupDescribeResponse {
        groups: request.groups.iter().map(describe).collect(),
        ..Default::default()
    })))
}

fn describe(
    call: &Call,
    group_id: &str,
    now: Instant,
) -> Result<DescribedConsumerGroup, ErrorCode> {
    let name = super::name(group_id)?;
    let topics = call.broker.store.topics();
    let described = call.broker.groups.with(&name, now, |group, turn| {
        group.advance(turn);
        match group {
            Group::Consumer(group) => Some(group.described(&topics)),
            Group::Classic(_) | Group::Gone => None,
        }
    });
    described.flatten().ok_or(ErrorCode::GROUP_ID_NOT_FOUND)
}

fn missing(error: ErrorCode) -> DescribedConsumerGroup {
    DescribedConsumerGroup {
        error,
        error_message: Some("there is no such group of the consumer protocol".to_owned()),
        state: "Dead".to_owned(),
        ..Default::default()
    }
}
