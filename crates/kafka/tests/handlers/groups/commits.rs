//! What is committed: fetched, refused, deleted, let go.

use std::time::Duration;

use pagelog_kafka::codec::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use pagelog_kafka::codec::list_groups::{ListGroupsRequest, ListGroupsResponse};
use pagelog_kafka::codec::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use pagelog_kafka::codec::offset_delete::{
    OffsetDeletePartition, OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteTopic,
};
use pagelog_kafka::codec::offset_fetch::{
    OffsetFetchGroup, OffsetFetchRequest, OffsetFetchResponse,
};
use pagelog_kafka::codec::{ApiKey, ConsumerGroupHeartbeatResponse, ErrorCode};

use super::{commit, committed, fetched, home, joining, member, state};
use crate::client::Got;

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
fn a_member_of_the_consumer_protocol_commits_at_its_epoch_alone() {
    let running = home().start();
    let mut client = running.client();
    client.topic("a");
    let joined: ConsumerGroupHeartbeatResponse = client.ask(1, &joining("g"));
    let own = OffsetCommitRequest {
        generation_or_epoch: joined.member_epoch,
        member_id: "m",
        ..commit("g", 1, None)
    };
    let mut at = |version, request: &OffsetCommitRequest<'_>| {
        let response: OffsetCommitResponse = client.ask(version, request);
        response.topics[0].partitions[0].error
    };
    let stale = OffsetCommitRequest {
        generation_or_epoch: joined.member_epoch - 1,
        ..own.clone()
    };
    assert_eq!(at(9, &stale), ErrorCode::STALE_MEMBER_EPOCH);
    // Older clients do not know the error.
    assert_eq!(at(8, &stale), ErrorCode::UNSUPPORTED_VERSION);
    let stranger = OffsetCommitRequest {
        member_id: "n",
        ..own.clone()
    };
    assert_eq!(at(9, &stranger), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(at(9, &own), ErrorCode::NONE);
    let read_at = |member_epoch| OffsetFetchRequest {
        groups: vec![OffsetFetchGroup {
            group_id: "g",
            member_id: Some("m"),
            member_epoch,
            topics: None,
        }],
        ..Default::default()
    };
    let stale: OffsetFetchResponse = client.ask(9, &read_at(joined.member_epoch + 1));
    assert_eq!(stale.groups[0].error, ErrorCode::STALE_MEMBER_EPOCH);
    let read: OffsetFetchResponse = client.ask(9, &read_at(joined.member_epoch));
    assert_eq!(read.groups[0].topics[0].partitions[0].offset, 1);
    running.stop();
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
