//! Who is a member, over restarts and changes of kind, and how groups are shown.

use pagelog_kafka::codec::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use pagelog_kafka::codec::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use pagelog_kafka::codec::join_group::JoinGroupResponse;
use pagelog_kafka::codec::list_groups::{ListGroupsRequest, ListGroupsResponse};
use pagelog_kafka::codec::sync_group::{SyncGroupRequest, SyncGroupResponse};
use pagelog_kafka::codec::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, ErrorCode,
};

use super::{beat, commit, committed, fetched, home, join, joining, member, state, staying};

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
fn a_group_changes_its_kind_when_it_is_empty_and_not_before() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    assert_eq!(
        committed(&mut client, &commit("g", 5, None)),
        ErrorCode::NONE
    );
    let joined: ConsumerGroupHeartbeatResponse = client.ask(1, &joining("g"));
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
    let beaten: ConsumerGroupHeartbeatResponse = client.ask(1, &staying("g", 1));
    assert_eq!(
        (beaten.error, beaten.member_epoch, beaten.assignment),
        (ErrorCode::NONE, 1, None)
    );
    let leaves = ConsumerGroupHeartbeatRequest {
        member_epoch: -1,
        ..staying("g", 1)
    };
    let left: ConsumerGroupHeartbeatResponse = client.ask(1, &leaves);
    assert_eq!(left.error, ErrorCode::NONE);
    member(&mut client);
    let mixed: ConsumerGroupHeartbeatResponse = client.ask(1, &joining("g"));
    assert_eq!(mixed.error, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(fetched(&mut client, "g").0, 5);
    running.stop();
}
