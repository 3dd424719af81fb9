//! Bad days: members that are too much, brokers that die in a rebalance, disks that are full, segments that are carried away.

use std::sync::Arc;

use pagelog_kafka::codec::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use pagelog_kafka::codec::join_group::{JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse};
use pagelog_kafka::codec::sync_group::{SyncGroupAssignment, SyncGroupRequest, SyncGroupResponse};
use pagelog_kafka::codec::{ConsumerGroupHeartbeatResponse, ErrorCode};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};

use super::{beat, commit, committed, fetched, home, join, joining, member, state, staying};
use crate::client::batch;
use crate::home::Running;

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

#[test]
fn a_member_that_says_more_than_its_group_may_is_not_let_in() {
    let running = home().start();
    let mut client = running.client();
    let joined = member(&mut client);
    let metadata = vec![7; 9 << 10];
    let talkative = |member_id| JoinGroupRequest {
        protocols: vec![JoinGroupProtocol {
            name: "range",
            metadata: &metadata,
        }],
        ..join(member_id, None)
    };
    for member_id in ["", &joined.member_id] {
        let refused: JoinGroupResponse = client.ask(3, &talkative(member_id));
        assert_eq!(refused.error, ErrorCode::GROUP_MAX_SIZE_REACHED);
    }
    assert_eq!(beat(&mut client, &joined), ErrorCode::NONE);
    assert_eq!(state(&mut client, "g"), ("Stable".to_owned(), 1));
    running.stop();
}

/// What groups have said lies in segments that are full of records of a topic that is deleted then: it is carried away from there.
#[test]
fn groups_outlive_the_segments_that_held_them() {
    let home = home();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let joined = member(&mut client);
    let own: ConsumerGroupHeartbeatResponse = client.ask(1, &joining("consumers"));
    for (offset, group) in [(7, "simple"), (8, "simple"), (9, "other")] {
        let error = committed(&mut client, &commit(group, offset, Some("note")));
        assert_eq!(error, ErrorCode::NONE);
    }
    client.topic("busy");
    let records = batch(&[&[0; 4 << 10]]);
    for _ in 0..20 {
        let produced = client.produce("busy", &records);
        assert_eq!(produced.error, ErrorCode::NONE);
    }
    let request = DeleteTopicsRequest {
        names: vec!["busy".to_owned()],
        timeout_ms: 30_000,
        ..Default::default()
    };
    let response: DeleteTopicsResponse = client.ask(3, &request);
    assert_eq!(response.topics[0].error, ErrorCode::NONE);
    let passed = running.broker.store.remove_old().expect("there is room");
    assert!(passed.segments_removed >= 4, "{passed:?}");
    drop(client);
    running.stop();

    let running = home.start();
    let mut client = running.client();
    assert_eq!(fetched(&mut client, "simple"), (8, "note".to_owned()));
    assert_eq!(fetched(&mut client, "other"), (9, "note".to_owned()));
    assert_eq!(state(&mut client, "g"), ("Stable".to_owned(), 1));
    assert_eq!(beat(&mut client, &joined), ErrorCode::NONE);
    let stays: ConsumerGroupHeartbeatResponse =
        client.ask(1, &staying("consumers", own.member_epoch));
    assert_eq!(
        (stays.error, stays.member_epoch),
        (ErrorCode::NONE, own.member_epoch)
    );
    running.stop();
}

/// No segment can be made any more: commits and parts are refused with an error upon which clients come again, and what was answered holds.
#[test]
fn a_full_disk_costs_no_commit_that_was_answered() {
    let home = home();
    let storage = MemoryStorage::new(5);
    let (broker, sync) = home.open_over(Arc::new(storage.clone()));
    let running = Running::new(broker, sync);
    let mut client = running.client();
    client.topic("a");
    storage.inject(Fault::always(Operation::Create, 0, Errno::NOSPC));
    let text = "x".repeat(100);
    let mut commits = (1..).map(|offset| {
        let error = committed(&mut client, &commit("g", offset, Some(&text)));
        (offset, error)
    });
    let (refused, error) = commits
        .find(|(_, error)| *error != ErrorCode::NONE)
        .expect("the disk fills up");
    assert_eq!(error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    assert_eq!(fetched(&mut client, "g"), (refused - 1, text.clone()));

    let joined: JoinGroupResponse = client.ask(3, &join("", None));
    let request = SyncGroupRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        assignments: vec![SyncGroupAssignment {
            member_id: &joined.member_id,
            assignment: &[1; 4 << 10],
        }],
        ..Default::default()
    };
    let synced: SyncGroupResponse = client.ask(3, &request);
    assert_eq!(synced.error, ErrorCode::COORDINATOR_NOT_AVAILABLE);

    let image = storage.freeze().process_death();
    let (crashed, sync) = home.open_over(Arc::new(image));
    let crashed = Running::new(crashed, sync);
    assert_eq!(fetched(&mut crashed.client(), "g").0, refused - 1);
    crashed.stop();

    storage.clear_faults();
    // The log tries again by itself; the member joins again as it was told to.
    let joined = loop {
        let joined: JoinGroupResponse = client.ask(3, &join(&joined.member_id, None));
        assert_eq!(joined.error, ErrorCode::NONE);
        let request = SyncGroupRequest {
            generation_id: joined.generation_id,
            ..request.clone()
        };
        let synced: SyncGroupResponse = client.ask(3, &request);
        if synced.error == ErrorCode::NONE {
            break joined;
        }
        assert_eq!(synced.error, ErrorCode::COORDINATOR_NOT_AVAILABLE);
    };
    assert_eq!(beat(&mut client, &joined), ErrorCode::NONE);
    running.stop();
}
