//! DescribeQuorum: the metadata are kept by this node, and nobody else has a say.

use pagelog_store::answer::Answer;
use pagelog_store::now_ms;

use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, QuorumListener, QuorumNode,
    QuorumPartitionResponse, QuorumReplica, QuorumTopicResponse,
};

/// The one topic that has a quorum.
const METADATA: &str = "__cluster_metadata";

pub(super) fn handle(call: &Call, request: &DescribeQuorumRequest) -> Result<Answer, Refusal> {
    let topics = request.topics.iter().map(|topic| QuorumTopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|one| match (topic.name.as_str(), one.index) {
                (METADATA, 0) => quorum(call),
                _ => QuorumPartitionResponse {
                    index: one.index,
                    error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    ..Default::default()
                },
            })
            .collect(),
    });
    let node = QuorumNode {
        node_id: NODE_ID,
        listeners: vec![QuorumListener {
            name: "CONTROLLER".to_owned(),
            host: call.advertised.host.clone(),
            port: call.advertised.port,
        }],
    };
    Ok(Answer::Now(call.respond(&DescribeQuorumResponse {
        topics: topics.collect(),
        nodes: vec![node],
        ..Default::default()
    })))
}

/// The changes of topics and configurations lie in the one log, so its end stands for theirs.
fn quorum(call: &Call) -> QuorumPartitionResponse {
    let end = i64::try_from(call.broker.store.log().durable().get().0).unwrap_or(i64::MAX);
    let now_ms = now_ms();
    QuorumPartitionResponse {
        index: 0,
        leader_id: NODE_ID,
        leader_epoch: call.broker.leader_epoch(),
        high_watermark: end,
        voters: vec![QuorumReplica {
            replica_id: NODE_ID,
            log_end_offset: end,
            last_fetch_ms: now_ms,
            last_caught_up_ms: now_ms,
            ..Default::default()
        }],
        ..Default::default()
    }
}
