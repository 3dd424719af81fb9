//! ElectLeaders: this node leads everything, so there is never anything to choose.

use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, ElectLeadersTopic, PartitionElectionResult,
    ReplicaElectionResult,
};

pub(super) fn handle(call: &Call, request: &ElectLeadersRequest) -> Result<Answer, Refusal> {
    // Asked about all of them, Kafka names those alone where something was to be done.
    let topics = request.topics.iter().flatten();
    Ok(Answer::Now(call.respond(&ElectLeadersResponse {
        results: topics.map(|topic| outcome(call, topic)).collect(),
        ..Default::default()
    })))
}

fn outcome(call: &Call, asked: &ElectLeadersTopic) -> ReplicaElectionResult {
    let topic = call.broker.topic(&asked.topic);
    let partition = |index: &i32| {
        let known = topic.as_ref().and_then(|topic| topic.partition(*index));
        let (error, message) = match known {
            Some(_) => (
                ErrorCode::ELECTION_NOT_NEEDED,
                "the only node leads the partition",
            ),
            None => (
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                "there is no such partition",
            ),
        };
        PartitionElectionResult {
            index: *index,
            error,
            error_message: Some(message.to_owned()),
        }
    };
    ReplicaElectionResult {
        topic: asked.topic.clone(),
        partitions: asked.partitions.iter().map(partition).collect(),
    }
}
