//! Groups through requests: what is committed and who is a member, over restarts, deleted topics, full logs and old ages.

mod commits;
mod members;
mod trouble;

use std::time::Duration;

use pagelog_kafka::codec::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use pagelog_kafka::codec::join_group::{JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse};
use pagelog_kafka::codec::offset_commit::{
    OffsetCommitPartition, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitTopic,
};
use pagelog_kafka::codec::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchTopic,
};
use pagelog_kafka::codec::sync_group::{SyncGroupAssignment, SyncGroupRequest, SyncGroupResponse};
use pagelog_kafka::codec::{
    ConsumerGroupHeartbeatRequest, ErrorCode, HeartbeatRequest, HeartbeatResponse,
};

use crate::client::Client;
use crate::home::Home;

const CONSUMER_TOPICS: &[u8] = &[0, 1, 0, 0, 0, 1, 0, 1, b'a', 0xff, 0xff, 0xff, 0xff];

fn home() -> Home {
    let mut home = Home::new();
    home.kafka.groups.initial_rebalance_delay = Duration::ZERO;
    home.kafka.groups.offset_metadata_max_bytes = 100;
    home
}

fn commit<'a>(
    group_id: &'a str,
    offset: i64,
    metadata: Option<&'a str>,
) -> OffsetCommitRequest<'a> {
    OffsetCommitRequest {
        group_id,
        topics: vec![OffsetCommitTopic {
            name: "a",
            partitions: vec![OffsetCommitPartition {
                index: 0,
                offset,
                leader_epoch: 3,
                metadata,
            }],
        }],
        ..Default::default()
    }
}

fn committed(client: &mut Client, request: &OffsetCommitRequest<'_>) -> ErrorCode {
    let response: OffsetCommitResponse = client.ask(8, request);
    response.topics[0].partitions[0].error
}

/// What is committed in partition 0 of topic `a`: the offset and the text.
fn fetched(client: &mut Client, group_id: &str) -> (i64, String) {
    let request = OffsetFetchRequest {
        group_id,
        topics: Some(vec![OffsetFetchTopic {
            name: "a",
            partition_indexes: vec![0],
        }]),
        ..Default::default()
    };
    let response: OffsetFetchResponse = client.ask(5, &request);
    assert_eq!(response.error, ErrorCode::NONE);
    let partition = &response.topics[0].partitions[0];
    let metadata = partition.metadata.clone().expect("never null");
    (partition.offset, metadata)
}

fn join<'a>(member_id: &'a str, instance_id: Option<&'a str>) -> JoinGroupRequest<'a> {
    JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id,
        group_instance_id: instance_id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupProtocol {
            name: "range",
            metadata: CONSUMER_TOPICS,
        }],
        ..Default::default()
    }
}

/// A stable group of one member.
fn member(client: &mut Client) -> JoinGroupResponse {
    let joined: JoinGroupResponse = client.ask(3, &join("", None));
    let request = SyncGroupRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        assignments: vec![SyncGroupAssignment {
            member_id: &joined.member_id,
            assignment: b"everything",
        }],
        ..Default::default()
    };
    let synced: SyncGroupResponse = client.ask(3, &request);
    assert_eq!(
        (synced.error, &synced.assignment[..]),
        (ErrorCode::NONE, &b"everything"[..])
    );
    joined
}

fn beat(client: &mut Client, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        ..Default::default()
    };
    let response: HeartbeatResponse = client.ask(3, &request);
    response.error
}

fn state(client: &mut Client, group: &str) -> (String, usize) {
    let request = DescribeGroupsRequest {
        groups: vec![group],
        ..Default::default()
    };
    let response: DescribeGroupsResponse = client.ask(5, &request);
    (
        response.groups[0].state.clone(),
        response.groups[0].members.len(),
    )
}

/// A member `m` of a group of the consumer protocol, which joins.
fn joining(group_id: &str) -> ConsumerGroupHeartbeatRequest<'_> {
    ConsumerGroupHeartbeatRequest {
        group_id,
        member_id: "m",
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(vec!["a"]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

/// The same one, which has nothing new to say.
fn staying(group_id: &str, member_epoch: i32) -> ConsumerGroupHeartbeatRequest<'_> {
    ConsumerGroupHeartbeatRequest {
        member_epoch,
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..joining(group_id)
    }
}
