//! Groups through requests: what is committed and who is a member, over restarts, deleted topics, full logs and old ages.

use std::time::Duration;

use pagelog_kafka::codec::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use pagelog_kafka::codec::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use pagelog_kafka::codec::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use pagelog_kafka::codec::join_group::{JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse};
use pagelog_kafka::codec::list_groups::{ListGroupsRequest, ListGroupsResponse};
use pagelog_kafka::codec::offset_commit::{
    OffsetCommitPartition, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitTopic,
};
use pagelog_kafka::codec::offset_delete::{
    OffsetDeletePartition, OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteTopic,
};
use pagelog_kafka::codec::offset_fetch::{
    OffsetFetchGroup, OffsetFetchRequest, OffsetFetchResponse, OffsetFetchTopic,
};
use pagelog_kafka::codec::sync_group::{SyncGroupAssignment, SyncGroupRequest, SyncGroupResponse};
use pagelog_kafka::codec::{
    ApiKey, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, HeartbeatRequest,
    HeartbeatResponse,
};

use crate::client::{Client, Got};
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

#[test]
fn what_is_committed_is_fetched_in_every_version_and_after_a_restart() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    for (version, offset) in ApiKey::OffsetCommit.served().zip(100..) {
        let response: OffsetCommitResponse = client.ask(version, &commit("g", offset, Some("ünï")));
        assert_eq!(
            response.topics[0].partitions[0].error,
            ErrorCode::NONE,
            "{version}"
        );
        assert_eq!(fetched(&mut client, "g"), (offset, "ünï".to_owned()));
    }
    assert_eq!(
        committed(&mut client, &commit("other", 7, None)),
        ErrorCode::NONE
    );
    drop(client);
    running.stop();
    let running = home.start();
    let mut client = running.client();
    assert_eq!(fetched(&mut client, "g"), (107, "ünï".to_owned()));
    for version in 8..=9 {
        let group = |group_id| OffsetFetchGroup {
            group_id,
            topics: None,
            ..Default::default()
        };
        let request = OffsetFetchRequest {
            groups: vec![group("g"), group("other"), group("unknown"), group("")],
            ..Default::default()
        };
        let response: OffsetFetchResponse = client.ask(version, &request);
        let offsets: Vec<Option<i64>> = response
            .groups
            .iter()
            .map(|group| group.topics.first().map(|topic| topic.partitions[0].offset))
            .collect();
        assert_eq!(offsets, [Some(107), Some(7), None, None]);
        assert_eq!(response.groups[3].error, ErrorCode::INVALID_GROUP_ID);
    }
    running.stop();
}

#[test]
fn what_cannot_be_committed_is_refused_for_its_reason() {
    let running = home().start();
    let mut client = running.client();
    client.topic("a");
    let long = "x".repeat(101);
    let large = commit("g", 1, Some(&long));
    assert_eq!(
        committed(&mut client, &large),
        ErrorCode::OFFSET_METADATA_TOO_LARGE
    );
    let mut elsewhere = commit("g", 1, None);
    elsewhere.topics[0].partitions[0].index = 1;
    assert_eq!(
        committed(&mut client, &elsewhere),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(
        committed(&mut client, &commit("", 1, None)),
        ErrorCode::INVALID_GROUP_ID
    );
    let stranger = OffsetCommitRequest {
        generation_or_epoch: 1,
        ..commit("new", 1, None)
    };
    assert_eq!(
        committed(&mut client, &stranger),
        ErrorCode::ILLEGAL_GENERATION
    );
    let joined = member(&mut client);
    assert_eq!(
        committed(&mut client, &commit("g", 1, None)),
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    let own = OffsetCommitRequest {
        generation_or_epoch: joined.generation_id,
        member_id: &joined.member_id,
        ..commit("g", 1, None)
    };
    assert_eq!(committed(&mut client, &own), ErrorCode::NONE);
    let older = OffsetCommitRequest {
        generation_or_epoch: joined.generation_id - 1,
        ..own
    };
    assert_eq!(
        committed(&mut client, &older),
        ErrorCode::ILLEGAL_GENERATION
    );
    running.stop();
}

#[test]
fn members_go_on_after_a_restart() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    let joined = member(&mut client);
    drop(client);
    running.stop();
    let running = home.start();
    let mut client = running.client();
    assert_eq!(state(&mut client, "g"), ("Stable".to_owned(), 1));
    assert_eq!(beat(&mut client, &joined), ErrorCode::NONE);
    // One more joins; its answer waits for the member to join again.
    let waits = running.client().send(3, &join("", None)).waits();
    assert_eq!(beat(&mut client, &joined), ErrorCode::REBALANCE_IN_PROGRESS);
    let again: JoinGroupResponse = client.ask(3, &join(&joined.member_id, None));
    let other: JoinGroupResponse = crate::client::decode(&waits.wait(), 3);
    assert_eq!((again.generation_id, other.generation_id), (2, 2));
    assert_eq!(again.members.len() + other.members.len(), 2);
    running.stop();
}

#[test]
fn the_parts_are_told_when_they_are_settled() {
    let home = home();
    let (broker, mut sync) = home.open();
    let mut client = broker.client();
    let joined: JoinGroupResponse = client.ask(3, &join("", None));
    let request = SyncGroupRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        ..Default::default()
    };
    let mut waits = client.send(3, &request).waits();
    sync.write().expect("written");
    assert!(
        waits.poll().is_none(),
        "a power cut could still take them back"
    );
    sync.sync().expect("synced");
    let synced: SyncGroupResponse = crate::client::decode(&waits.wait(), 3);
    assert_eq!(synced.error, ErrorCode::NONE);
}

#[test]
fn what_was_committed_a_moment_ago_is_not_told_before_it_is_settled() {
    let home = home();
    let (broker, mut sync) = home.open();
    let name = pagelog_store::TopicName::new("a").expect("a valid name");
    broker.store.create_topic(&name, 1).expect("made");
    let mut client = broker.client();
    let mut waits = client.send(8, &commit("g", 5, None)).waits();
    let request = OffsetFetchRequest {
        group_id: "g",
        topics: None,
        ..Default::default()
    };
    let mut reader = broker.client().send(5, &request).waits();
    assert!(waits.poll().is_none() && reader.poll().is_none());
    sync.write().expect("written");
    sync.sync().expect("synced");
    let response: OffsetFetchResponse = crate::client::decode(&reader.wait(), 5);
    assert_eq!(response.topics[0].partitions[0].offset, 5);
    waits.wait();
}

#[test]
fn a_deleted_topic_takes_its_commits_along() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    assert_eq!(
        committed(&mut client, &commit("g", 5, None)),
        ErrorCode::NONE
    );
    let request = DeleteTopicsRequest {
        names: vec!["a".to_owned()],
        timeout_ms: 30_000,
        ..Default::default()
    };
    let response: DeleteTopicsResponse = client.ask(3, &request);
    assert_eq!(response.topics[0].error, ErrorCode::NONE);
    client.topic("a");
    assert_eq!(fetched(&mut client, "g").0, -1);
    drop(client);
    running.stop();
    let running = home.start();
    assert_eq!(fetched(&mut running.client(), "g").0, -1);
    running.stop();
}

#[test]
fn groups_are_listed_described_and_deleted() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    member(&mut client);
    assert_eq!(
        committed(&mut client, &commit("simple", 5, None)),
        ErrorCode::NONE
    );
    for (version, filter, expected) in [
        (0, vec![], vec!["g", "simple"]),
        (4, vec!["stable"], vec!["g"]),
        (5, vec!["Empty"], vec!["simple"]),
    ] {
        let request = ListGroupsRequest {
            states_filter: filter,
            ..Default::default()
        };
        let response: ListGroupsResponse = client.ask(version, &request);
        let names: Vec<&str> = response
            .groups
            .iter()
            .map(|group| group.group_id.as_str())
            .collect();
        assert_eq!(names, expected);
    }
    let typed = ListGroupsRequest {
        types_filter: vec!["consumer"],
        ..Default::default()
    };
    let response: ListGroupsResponse = client.ask(5, &typed);
    assert!(response.groups.is_empty());
    let unknown = DescribeGroupsRequest {
        groups: vec!["unknown"],
        ..Default::default()
    };
    let described: DescribeGroupsResponse = client.ask(5, &unknown);
    assert_eq!(
        (
            described.groups[0].error,
            described.groups[0].state.as_str()
        ),
        (ErrorCode::NONE, "Dead")
    );
    let described: DescribeGroupsResponse = client.ask(6, &unknown);
    assert_eq!(described.groups[0].error, ErrorCode::GROUP_ID_NOT_FOUND);
    let request = DeleteGroupsRequest {
        groups: vec!["g", "simple", "unknown"],
    };
    let response: DeleteGroupsResponse = client.ask(2, &request);
    let errors: Vec<ErrorCode> = response.results.iter().map(|result| result.error).collect();
    assert_eq!(
        errors,
        [
            ErrorCode::NON_EMPTY_GROUP,
            ErrorCode::NONE,
            ErrorCode::GROUP_ID_NOT_FOUND
        ]
    );
    drop(client);
    running.stop();
    let running = home.start();
    let mut client = running.client();
    assert_eq!(fetched(&mut client, "simple").0, -1);
    assert_eq!(state(&mut client, "simple").0, "Dead");
    running.stop();
}

#[test]
fn offsets_are_deleted_where_nobody_wants_the_topic() {
    let running = home().start();
    let mut client = running.client();
    client.topic("a");
    client.topic("b");
    let joined = member(&mut client);
    for topic in ["a", "b"] {
        let mut own = OffsetCommitRequest {
            generation_or_epoch: joined.generation_id,
            member_id: &joined.member_id,
            ..commit("g", 1, None)
        };
        own.topics[0].name = topic;
        assert_eq!(committed(&mut client, &own), ErrorCode::NONE);
    }
    let topic = |name| OffsetDeleteTopic {
        name,
        partitions: vec![OffsetDeletePartition { index: 0 }],
    };
    let request = OffsetDeleteRequest {
        group_id: "g",
        topics: vec![topic("a"), topic("b"), topic("c")],
    };
    let response: OffsetDeleteResponse = client.ask(0, &request);
    let errors: Vec<ErrorCode> = response
        .topics
        .iter()
        .map(|topic| topic.partitions[0].error)
        .collect();
    let expected = [
        ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        ErrorCode::NONE,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ];
    assert_eq!(errors, expected);
    assert_eq!(fetched(&mut client, "g").0, 1);
    let unknown = OffsetDeleteRequest {
        group_id: "unknown",
        topics: Vec::new(),
    };
    let response: OffsetDeleteResponse = client.ask(0, &unknown);
    assert_eq!(response.error, ErrorCode::GROUP_ID_NOT_FOUND);
    running.stop();
}

#[test]
fn a_group_changes_its_kind_when_it_is_empty_and_not_before() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    assert_eq!(
        committed(&mut client, &commit("g", 5, None)),
        ErrorCode::NONE
    );
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "m",
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(vec!["a"]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let joined: ConsumerGroupHeartbeatResponse = client.ask(1, &request);
    assert_eq!((joined.error, joined.member_epoch), (ErrorCode::NONE, 1));
    let assignment = joined.assignment.expect("told at once");
    assert_eq!(assignment.topic_partitions[0].partitions, [0]);
    assert_eq!(fetched(&mut client, "g").0, 5);
    let classic: JoinGroupResponse = client.ask(3, &join("", None));
    assert_eq!(classic.error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    drop(client);
    running.stop();
    let running = home.start();
    let mut client = running.client();
    let describe = ConsumerGroupDescribeRequest {
        groups: vec!["g", "x"],
        ..Default::default()
    };
    let described: ConsumerGroupDescribeResponse = client.ask(1, &describe);
    assert_eq!(
        (
            described.groups[0].state.as_str(),
            described.groups[0].members.len()
        ),
        ("Stable", 1)
    );
    assert_eq!(
        described.groups[0].members[0].assignment.topic_partitions[0].topic_name,
        "a"
    );
    assert_eq!(described.groups[1].error, ErrorCode::GROUP_ID_NOT_FOUND);
    let stays = ConsumerGroupHeartbeatRequest {
        member_epoch: 1,
        rebalance_timeout_ms: -1,
        subscribed_topic_names: None,
        topic_partitions: None,
        ..request.clone()
    };
    let beaten: ConsumerGroupHeartbeatResponse = client.ask(1, &stays);
    assert_eq!(
        (beaten.error, beaten.member_epoch, beaten.assignment),
        (ErrorCode::NONE, 1, None)
    );
    let leaves = ConsumerGroupHeartbeatRequest {
        member_epoch: -1,
        ..stays
    };
    let left: ConsumerGroupHeartbeatResponse = client.ask(1, &leaves);
    assert_eq!(left.error, ErrorCode::NONE);
    member(&mut client);
    let mixed: ConsumerGroupHeartbeatResponse = client.ask(1, &request);
    assert_eq!(mixed.error, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(fetched(&mut client, "g").0, 5);
    running.stop();
}

#[test]
fn old_commits_and_groups_with_nothing_left_are_let_go() {
    let mut home = home();
    home.kafka.groups.offsets_retention = Duration::from_secs(3600);
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let brief = OffsetCommitRequest {
        retention_ms: 0,
        ..commit("brief", 1, None)
    };
    let response: OffsetCommitResponse = client.ask(4, &brief);
    assert_eq!(response.topics[0].partitions[0].error, ErrorCode::NONE);
    assert_eq!(
        committed(&mut client, &commit("lasting", 2, None)),
        ErrorCode::NONE
    );
    running.broker.sweep_groups();
    assert_eq!(fetched(&mut client, "brief").0, -1);
    assert_eq!(fetched(&mut client, "lasting").0, 2);
    assert_eq!(state(&mut client, "brief").0, "Dead");
    drop(client);
    running.stop();
    home.kafka.groups.offsets_retention = Duration::ZERO;
    let running = home.start();
    running.broker.sweep_groups();
    assert_eq!(fetched(&mut running.client(), "lasting").0, -1);
    running.stop();
}

#[test]
fn ten_thousand_groups_are_there_again_after_a_restart() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let names: Vec<String> = (0..10_000).map(|index| format!("group-{index}")).collect();
    let waiting: Vec<Got> = names
        .iter()
        .map(|name| client.send(8, &commit(name, 3, None)))
        .collect();
    for got in waiting {
        if let Got::Waits(waits) = got {
            waits.wait();
        }
    }
    drop(client);
    running.stop();
    let running = home.start();
    let mut client = running.client();
    let response: ListGroupsResponse = client.ask(5, &ListGroupsRequest::default());
    assert_eq!(response.groups.len(), names.len());
    assert_eq!(fetched(&mut client, "group-9999").0, 3);
    running.stop();
}

#[test]
fn a_group_too_large_to_be_kept_is_told_so() {
    let running = home().start();
    let mut client = running.client();
    let joined: JoinGroupResponse = client.ask(3, &join("", None));
    let part = vec![7; 9 << 10];
    let request = SyncGroupRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        assignments: vec![SyncGroupAssignment {
            member_id: &joined.member_id,
            assignment: &part,
        }],
        ..Default::default()
    };
    let synced: SyncGroupResponse = client.ask(3, &request);
    assert_eq!(synced.error, ErrorCode::UNKNOWN_SERVER_ERROR);
    let again: JoinGroupResponse = client.ask(3, &join(&joined.member_id, None));
    assert_eq!(again.error, ErrorCode::NONE);
    running.stop();
}
