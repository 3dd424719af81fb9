//! AlterPartitionReassignments and ListPartitionReassignments: with one node nothing can be moved, and nothing is.

use pagelog_store::answer::Answer;

use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};
use crate::codec::list_partition_reassignments::ListPartitionReassignmentsResponse;

pub(super) fn alter(
    call: &Call,
    request: &AlterPartitionReassignmentsRequest,
) -> Result<Answer, Refusal> {
    let topics = request.topics.iter();
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        responses: topics.map(|topic| topic_outcome(call, topic)).collect(),
        ..Default::default()
    };
    Ok(Answer::Now(call.respond(&response)))
}

fn topic_outcome(call: &Call, asked: &ReassignableTopic) -> ReassignableTopicResponse {
    let topic = call.broker.topic(&asked.name);
    let partition = |asked: &ReassignablePartition| {
        let known = topic
            .as_ref()
            .and_then(|topic| topic.partition(asked.index));
        let outcome = match known {
            Some(_) => outcome(asked.replicas.as_deref()),
            None => Err((
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "there is no such partition".to_owned(),
            )),
        };
        let (error, message) = match outcome {
            Ok(()) => (ErrorCode::NONE, None),
            Err((error, message)) => (error, Some(message)),
        };
        ReassignablePartitionResponse {
            index: asked.index,
            error,
            error_message: message,
        }
    };
    ReassignableTopicResponse {
        name: asked.name.clone(),
        partitions: asked.partitions.iter().map(partition).collect(),
    }
}

/// A partition can be where it is.
fn outcome(replicas: Option<&[i32]>) -> Result<(), (ErrorCode, String)> {
    match replicas {
        Some([NODE_ID]) => Ok(()),
        Some(other) => Err((
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
            format!("replicas {other:?} name other nodes than {NODE_ID}, the only one"),
        )),
        None => Err((
            ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            "the partition is not being moved".to_owned(),
        )),
    }
}

pub(super) fn list(call: &Call) -> Result<Answer, Refusal> {
    let nothing = ListPartitionReassignmentsResponse::default();
    Ok(Answer::Now(call.respond(&nothing)))
}
