//! Groups whose broker is killed: in a rebalance, and under members that all come back at once. Without any load beside them, which would write the
//! log on of its own accord.

use std::path::Path;
use std::time::{Duration, Instant};

use pagelog_kafka::codec::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use pagelog_kafka::codec::join_group::{JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse};
use pagelog_kafka::codec::offset_commit::{
    OffsetCommitPartition, OffsetCommitRequest, OffsetCommitResponse, OffsetCommitTopic,
};
use pagelog_kafka::codec::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchTopic,
};
use pagelog_kafka::codec::sync_group::{SyncGroupAssignment, SyncGroupRequest, SyncGroupResponse};
use pagelog_kafka::codec::{ErrorCode, HeartbeatRequest, HeartbeatResponse};

use crate::broker::Broker;
use crate::client::Client;

/// One version for all requests of groups: ids come at once, names are names.
const GROUPS: i16 = 3;

/// Members of the group that comes back as a whole.
const CROWD: usize = 100;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A group begins when its first member comes, and its members may be silent for longer than any test takes.
fn start(directory: &Path) -> Broker {
    Broker::start(&[
        "--data-dir",
        directory.to_str().unwrap(),
        "--kafka",
        "127.0.0.1:0",
        "--set",
        "kafka.group.initial.rebalance.delay.ms=0",
    ])
}

fn connect(broker: &Broker) -> Client {
    Client::connect(broker.address("kafka"))
}

fn join(member_id: &str) -> JoinGroupRequest<'_> {
    JoinGroupRequest {
        group_id: "g",
        session_timeout_ms: 600_000,
        rebalance_timeout_ms: 600_000,
        member_id,
        protocol_type: "consumer",
        protocols: vec![JoinGroupProtocol {
            name: "range",
            metadata: b"topics",
        }],
        ..Default::default()
    }
}

/// What a member says when it has joined; whoever leads gives each of `members` its own id as its part.
fn sync<'a>(joined: &'a JoinGroupResponse, members: &'a [String]) -> SyncGroupRequest<'a> {
    let part = |id: &'a String| SyncGroupAssignment {
        member_id: id,
        assignment: id.as_bytes(),
    };
    SyncGroupRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        assignments: members.iter().map(part).collect(),
        ..Default::default()
    }
}

fn has_its_part(synced: &SyncGroupResponse, joined: &JoinGroupResponse) -> bool {
    synced.error == ErrorCode::NONE && synced.assignment == joined.member_id.as_bytes()
}

fn beat(client: &mut Client, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: "g",
        generation_id: joined.generation_id,
        member_id: &joined.member_id,
        ..Default::default()
    };
    client.ask::<HeartbeatResponse>(GROUPS, &request).error
}

fn commit(client: &mut Client, joined: &JoinGroupResponse, offset: i64) -> ErrorCode {
    let request = OffsetCommitRequest {
        group_id: "g",
        generation_or_epoch: joined.generation_id,
        member_id: &joined.member_id,
        topics: vec![OffsetCommitTopic {
            name: "a",
            partitions: vec![OffsetCommitPartition {
                index: 0,
                offset,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    let response: OffsetCommitResponse = client.ask(GROUPS, &request);
    response.topics[0].partitions[0].error
}

fn committed(client: &mut Client) -> i64 {
    let request = OffsetFetchRequest {
        group_id: "g",
        topics: Some(vec![OffsetFetchTopic {
            name: "a",
            partition_indexes: vec![0],
        }]),
        ..Default::default()
    };
    let response: OffsetFetchResponse = client.ask(GROUPS, &request);
    response.topics[0].partitions[0].offset
}

fn described(client: &mut Client) -> (String, usize) {
    let request = DescribeGroupsRequest {
        groups: vec!["g"],
        ..Default::default()
    };
    let response: DescribeGroupsResponse = client.ask(GROUPS, &request);
    let group = &response.groups[0];
    (group.state.clone(), group.members.len())
}

/// Asks until so many members wait for the next generation.
fn wait_for_rebalance(client: &mut Client, members: usize) {
    let begun = Instant::now();
    let expected = ("PreparingRebalance".to_owned(), members);
    while described(client) != expected {
        assert!(begun.elapsed() < PATIENCE, "{:?}", described(client));
    }
}

#[test]
fn a_broker_killed_in_a_rebalance_goes_on_with_the_generation_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path());
    let mut client = connect(&broker);
    client.metadata("a");
    let first: JoinGroupResponse = client.ask(GROUPS, &join(""));
    let members = [first.member_id.clone()];
    let synced = client.ask(GROUPS, &sync(&first, &members));
    assert!(has_its_part(&synced, &first), "{synced:?}");
    assert_eq!(commit(&mut client, &first, 5), ErrorCode::NONE);
    let mut newcomer = connect(&broker);
    newcomer.send(GROUPS, &join(""));
    wait_for_rebalance(&mut client, 2);
    // While the others join again, a member may still commit what it has read.
    assert_eq!(commit(&mut client, &first, 6), ErrorCode::NONE);
    drop(broker);
    assert!(newcomer.is_closed());

    let broker = start(directory.path());
    let mut client = connect(&broker);
    assert_eq!(described(&mut client), ("Stable".to_owned(), 1));
    assert_eq!(committed(&mut client), 6);
    assert_eq!(beat(&mut client, &first), ErrorCode::NONE);
    assert_eq!(commit(&mut client, &first, 7), ErrorCode::NONE);
    let mut newcomer = connect(&broker);
    newcomer.send(GROUPS, &join(""));
    wait_for_rebalance(&mut client, 2);
    assert_eq!(beat(&mut client, &first), ErrorCode::REBALANCE_IN_PROGRESS);
    let again: JoinGroupResponse = client.ask(GROUPS, &join(&first.member_id));
    let other: JoinGroupResponse = newcomer.answer(GROUPS);
    assert_eq!((again.generation_id, other.generation_id), (2, 2));
    assert_eq!(again.members.len(), 2, "who led leads on");
    let members = [again.member_id.clone(), other.member_id.clone()];
    let synced = client.ask(GROUPS, &sync(&again, &members));
    assert!(has_its_part(&synced, &again), "{synced:?}");
    let synced = newcomer.ask(GROUPS, &sync(&other, &[]));
    assert!(has_its_part(&synced, &other), "{synced:?}");
    let late = commit(&mut client, &first, 8);
    assert_eq!(late, ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(committed(&mut client), 7);
}

#[test]
fn members_that_all_come_back_at_once_after_a_kill_find_their_generation() {
    let directory = tempfile::tempdir().unwrap();
    let broker = start(directory.path());
    let mut clients: Vec<Client> = (0..CROWD).map(|_| connect(&broker)).collect();
    let (leader, others) = clients.split_first_mut().unwrap();
    let first: JoinGroupResponse = leader.ask(GROUPS, &join(""));
    for other in others.iter_mut() {
        other.send(GROUPS, &join(""));
    }
    wait_for_rebalance(leader, CROWD);
    let mut joined: Vec<JoinGroupResponse> = vec![leader.ask(GROUPS, &join(&first.member_id))];
    joined.extend(others.iter_mut().map(|other| other.answer(GROUPS)));
    let ids: Vec<String> = joined.iter().map(|one| one.member_id.clone()).collect();
    for (client, joined) in clients.iter_mut().zip(&joined) {
        let members = if joined.leader == joined.member_id {
            &ids[..]
        } else {
            &[]
        };
        client.send(GROUPS, &sync(joined, members));
    }
    for (client, joined) in clients.iter_mut().zip(&joined) {
        assert!(has_its_part(&client.answer(GROUPS), joined));
    }
    drop((clients, broker));

    let broker = start(directory.path());
    let mut clients: Vec<Client> = (0..CROWD).map(|_| connect(&broker)).collect();
    for (client, joined) in clients.iter_mut().zip(&joined) {
        let request = HeartbeatRequest {
            group_id: "g",
            generation_id: joined.generation_id,
            member_id: &joined.member_id,
            ..Default::default()
        };
        client.send(GROUPS, &request);
        client.send(GROUPS, &sync(joined, &[]));
    }
    for (client, joined) in clients.iter_mut().zip(&joined) {
        let beaten: HeartbeatResponse = client.answer(GROUPS);
        assert_eq!(beaten.error, ErrorCode::NONE);
        assert!(has_its_part(&client.answer(GROUPS), joined));
    }
    assert_eq!(
        described(&mut clients[0]),
        ("Stable".to_owned(), CROWD),
        "nobody had to join again"
    );
}
