//! The group of the consumer protocol without a broker: members as [`Client`]s that do what they are told, some of them late.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pagelog_segment::Directory;
use pagelog_store::answer::Position;
use pagelog_store::{Busy, LogError, LogOptions, Route, Store, StoreOptions, TopicName, Topics};

use super::parts::Parts;
use super::{Beat, ConsumerGroup};
use crate::codec::consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
use crate::codec::{ConsumerGroupHeartbeatResponse, ErrorCode};
use crate::groups::kept::Kept;
use crate::groups::options::GroupOptions;
use crate::groups::turn::Turn;

const SESSION: Duration = Duration::from_secs(45);
const REBALANCE_MS: i32 = 60_000;
const SECOND: Duration = Duration::from_secs(1);
const STATE_SIZE_MAX: usize = 64 << 10;

struct Fixture {
    group: ConsumerGroup,
    store: Arc<Store>,
    topics: Arc<Topics>,
    now: Instant,
    kept: RefCell<Vec<Bytes>>,
    busy: Cell<bool>,
    _directory: tempfile::TempDir,
}

/// A member as its client sees itself.
#[derive(Clone, Debug, Default)]
struct Client {
    id: String,
    epoch: i32,
    owned: Parts,
    names: Vec<&'static str>,
    pattern: Option<&'static str>,
    instance_id: Option<&'static str>,
    assignor: Option<&'static str>,
}

fn client(id: &str, names: &[&'static str]) -> Client {
    Client {
        id: id.to_owned(),
        names: names.to_vec(),
        ..Client::default()
    }
}

impl Fixture {
    fn new(topics: &[(&str, u32)]) -> Fixture {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let storage = Directory::open(directory.path()).expect("the directory is free");
        let route = Route::Staged {
            ring_size: 64 << 10,
        };
        let options = StoreOptions::new(LogOptions::new(64 << 10, route, 8 << 10));
        let opened = Store::open(Arc::new(storage), &options).expect("the store opens");
        let mut fixture = Fixture {
            group: ConsumerGroup::new(0, 0),
            topics: opened.store.topics(),
            store: opened.store,
            now: Instant::now(),
            kept: RefCell::default(),
            busy: Cell::new(false),
            _directory: directory,
        };
        for (name, partitions) in topics {
            fixture.create(name, *partitions);
        }
        fixture
    }

    fn create(&mut self, name: &str, partitions: u32) {
        let name = TopicName::new(name).expect("a valid name");
        self.store.create_topic(&name, partitions).expect("made");
        self.topics = self.store.topics();
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut ConsumerGroup, &Arc<Topics>, &Turn<'_>) -> R) -> R {
        let keep = |state: &Bytes| {
            if self.busy.get() {
                return Err(LogError::Busy(Busy::Ring));
            }
            if state.len() > STATE_SIZE_MAX {
                return Err(LogError::TooLarge {
                    size: state.len() as u64,
                    max: STATE_SIZE_MAX as u32,
                });
            }
            self.kept.borrow_mut().push(state.clone());
            Ok(Position(self.kept.borrow().len() as u64))
        };
        let options = GroupOptions::default();
        let turn = Turn {
            now: self.now,
            now_ms: 77,
            options: &options,
            state_size_max: STATE_SIZE_MAX,
            keep: &keep,
        };
        act(&mut self.group, &self.topics, &turn)
    }

    fn send(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, ErrorCode> {
        self.act(|group, topics, turn| {
            let beat = Beat {
                request,
                member_id: request.member_id,
                client_id: "client",
                client_host: "/127.0.0.1",
                topics,
            };
            let answered = beat.check().and_then(|()| group.beat(&beat, turn));
            answered
                .map(|(response, _)| response)
                .map_err(|(error, _)| error)
        })
    }

    /// One heartbeat of a client that tells everything and takes what it is given.
    fn beat(&mut self, client: &mut Client) -> Result<(), ErrorCode> {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: "g",
            member_id: &client.id.clone(),
            member_epoch: client.epoch,
            instance_id: client.instance_id,
            rebalance_timeout_ms: REBALANCE_MS,
            subscribed_topic_names: Some(client.names.clone()),
            subscribed_topic_regex: client.pattern,
            server_assignor: client.assignor,
            topic_partitions: Some(client.owned.to_topics()),
            ..Default::default()
        };
        let response = self.send(&request)?;
        client.epoch = response.member_epoch;
        if let Some(assignment) = response.assignment {
            client.owned = Parts::of(&assignment.topic_partitions);
        }
        Ok(())
    }

    fn leave(&mut self, client: &Client, epoch: i32) -> Result<(), ErrorCode> {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: "g",
            member_id: &client.id,
            member_epoch: epoch,
            instance_id: client.instance_id,
            ..Default::default()
        };
        self.send(&request).map(drop)
    }

    /// Heartbeats of all until everyone has what it is to have; never are two at the same partition.
    fn settle(&mut self, clients: &mut [&mut Client]) {
        for _ in 0..20 {
            for index in 0..clients.len() {
                self.beat(clients[index]).expect("a member");
                let mut seen = Parts::default();
                for (topic, partition) in clients.iter().flat_map(|one| one.owned.iter()) {
                    assert!(seen.insert(topic, partition), "two at one partition");
                }
            }
            if self.group.state_name() == "Stable" {
                return;
            }
        }
        panic!("not settled: {:?}", self.group);
    }
}

fn sizes(clients: &[&Client]) -> Vec<usize> {
    clients.iter().map(|one| one.owned.len()).collect()
}

#[test]
fn partitions_go_from_one_to_the_next_only_when_given_back() {
    let mut fixture = Fixture::new(&[("a", 6)]);
    let (mut one, mut two) = (client("1", &["a"]), client("2", &["a"]));
    fixture.settle(&mut [&mut one]);
    assert_eq!((one.epoch, one.owned.len()), (1, 6));
    fixture.beat(&mut two).expect("joined");
    assert_eq!((two.epoch, two.owned.len()), (2, 0), "nothing is free yet");
    let before = one.clone();
    fixture.beat(&mut one).expect("a member");
    assert_eq!(
        (one.epoch, one.owned.len()),
        (1, 3),
        "told to give back, at its old epoch"
    );
    // It says that it still has everything: then nothing goes on.
    let mut slow = Client { epoch: 1, ..before };
    fixture.beat(&mut slow).expect("a member");
    fixture.beat(&mut two).expect("a member");
    assert_eq!(two.owned.len(), 0);
    fixture.beat(&mut one).expect("a member");
    assert_eq!(one.epoch, 2);
    fixture.beat(&mut two).expect("a member");
    assert_eq!(sizes(&[&one, &two]), [3, 3]);
    assert_eq!(fixture.group.state_name(), "Stable");
}

#[test]
fn many_come_and_go_and_the_parts_stay_even() {
    let mut fixture = Fixture::new(&[("a", 7), ("b", 5)]);
    let names: Vec<String> = (0..5).map(|index| index.to_string()).collect();
    let mut clients: Vec<Client> = names.iter().map(|id| client(id, &["a", "b"])).collect();
    for count in 1..=5 {
        let mut here: Vec<&mut Client> = clients[..count].iter_mut().collect();
        fixture.settle(&mut here);
        let sizes: Vec<usize> = clients[..count].iter().map(|one| one.owned.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 12);
        assert!(
            sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1,
            "{sizes:?}"
        );
    }
    fixture.leave(&clients[0], -1).expect("left");
    let mut here: Vec<&mut Client> = clients[1..].iter_mut().collect();
    fixture.settle(&mut here);
    assert_eq!(
        clients[1..]
            .iter()
            .map(|one| one.owned.len())
            .sum::<usize>(),
        12
    );
}

#[test]
fn the_silent_and_the_stubborn_are_sent_away() {
    let mut fixture = Fixture::new(&[("a", 4)]);
    let (mut one, mut two) = (client("1", &["a"]), client("2", &["a"]));
    fixture.settle(&mut [&mut one, &mut two]);
    fixture.now += SESSION - SECOND;
    fixture.beat(&mut one).expect("a member");
    fixture.now += SECOND;
    assert_eq!(fixture.beat(&mut two), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 4);
    // One that is alive and gives nothing back.
    let mut three = client("3", &["a"]);
    fixture.beat(&mut three).expect("joined");
    let stubborn = one.clone();
    for _ in 0..REBALANCE_MS / 1000 + 1 {
        let mut again = stubborn.clone();
        let _ = fixture.beat(&mut again);
        fixture.beat(&mut three).expect("a member");
        fixture.now += SECOND;
    }
    assert_eq!(
        fixture.beat(&mut stubborn.clone()),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    fixture.settle(&mut [&mut three]);
    assert_eq!(three.owned.len(), 4);
}

#[test]
fn epochs_fence_and_a_lost_answer_does_not() {
    let mut fixture = Fixture::new(&[("a", 2)]);
    let mut one = client("1", &["a"]);
    fixture.settle(&mut [&mut one]);
    for epoch in [one.epoch + 1, 99] {
        let mut ahead = Client {
            epoch,
            ..one.clone()
        };
        assert_eq!(
            fixture.beat(&mut ahead),
            Err(ErrorCode::FENCED_MEMBER_EPOCH)
        );
    }
    let check = |fixture: &mut Fixture, epoch, id: &str| {
        fixture.act(|group, _, turn| group.check_epoch(epoch, id, turn))
    };
    assert_eq!(check(&mut fixture, one.epoch, "1"), Ok(()));
    assert_eq!(
        check(&mut fixture, one.epoch - 1, "1"),
        Err(ErrorCode::STALE_MEMBER_EPOCH)
    );
    assert_eq!(
        check(&mut fixture, -1, ""),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    // The group moves on, and the answer that says so is lost.
    let mut two = client("2", &["a"]);
    fixture.beat(&mut two).expect("joined");
    let mut lost = one.clone();
    fixture.beat(&mut lost).expect("told to give back");
    let mut given_back = lost.clone();
    fixture.beat(&mut given_back).expect("at the new epoch");
    assert_eq!(given_back.epoch, 2);
    fixture
        .beat(&mut lost)
        .expect("the epoch before, with what it still has");
    assert_eq!(lost.epoch, 2);
    // One that was fenced off begins anew under its id.
    let mut anew = Client {
        epoch: 0,
        owned: Parts::default(),
        ..lost
    };
    fixture.beat(&mut anew).expect("joined");
    fixture.settle(&mut [&mut anew, &mut two]);
    assert_eq!(sizes(&[&anew, &two]), [1, 1]);
}

#[test]
fn a_static_member_is_away_for_a_while_and_has_what_it_had() {
    let mut fixture = Fixture::new(&[("a", 4)]);
    let mut one = Client {
        instance_id: Some("i"),
        ..client("1", &["a"])
    };
    let mut two = client("2", &["a"]);
    fixture.settle(&mut [&mut one, &mut two]);
    let epoch = fixture.group.epoch();
    let mut back = Client {
        id: "3".to_owned(),
        epoch: 0,
        owned: Parts::default(),
        ..one.clone()
    };
    assert_eq!(
        fixture.beat(&mut back),
        Err(ErrorCode::UNRELEASED_INSTANCE_ID)
    );
    fixture.leave(&one, -2).expect("away");
    fixture.beat(&mut back).expect("joined");
    assert_eq!(back.owned, one.owned);
    assert_eq!(fixture.group.epoch(), epoch, "nobody else notices");
    assert_eq!(fixture.beat(&mut one), Err(ErrorCode::FENCED_INSTANCE_ID));
}

#[test]
fn topics_that_come_grow_and_go_are_shared_out() {
    let mut fixture = Fixture::new(&[("a", 2)]);
    let mut one = Client {
        pattern: Some("a.*"),
        ..client("1", &[])
    };
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 2);
    fixture.create("ab", 3);
    fixture.create("b", 3);
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 5);
    let gone = fixture.topics.by_name("a").expect("it is there").id();
    fixture.store.delete_topic(gone).expect("deleted");
    fixture.topics = fixture.store.topics();
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 3);
    assert!(fixture.group.wants("abc") && !fixture.group.wants("b"));
    let mut bad = Client {
        pattern: Some("("),
        ..client("2", &[])
    };
    assert_eq!(
        fixture.beat(&mut bad),
        Err(ErrorCode::INVALID_REGULAR_EXPRESSION)
    );
    assert!(!fixture.group.is_empty());
}

#[test]
fn members_go_on_after_a_restart() {
    let mut fixture = Fixture::new(&[("a", 5)]);
    let (mut one, mut two) = (client("1", &["a"]), client("2", &["a"]));
    fixture.settle(&mut [&mut one, &mut two]);
    let state = fixture.kept.borrow().last().expect("kept").clone();
    let Kept::Consumer(kept) = Kept::decode(&state).expect("valid") else {
        panic!("a group of the consumer protocol");
    };
    let before: BTreeMap<_, _> =
        [(&one.id, one.owned.clone()), (&two.id, two.owned.clone())].into();
    fixture.group = ConsumerGroup::restored(&kept, fixture.now, SESSION);
    let count = fixture.kept.borrow().len();
    let (mut again, mut other) = (one.clone(), two.clone());
    fixture.settle(&mut [&mut again, &mut other]);
    assert_eq!(
        (&again.owned, &other.owned),
        (&before[&one.id], &before[&two.id])
    );
    assert_eq!((again.epoch, other.epoch), (one.epoch, two.epoch));
    assert_eq!(fixture.kept.borrow().len(), count, "nothing has changed");
}

#[test]
fn a_log_without_room_is_told_and_the_next_heartbeat_goes_on() {
    let mut fixture = Fixture::new(&[("a", 2)]);
    let mut one = client("1", &["a"]);
    fixture.busy.set(true);
    assert_eq!(
        fixture.beat(&mut one),
        Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
    );
    fixture.busy.set(false);
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 2);
    assert!(!fixture.kept.borrow().is_empty());
}

#[test]
fn one_with_whom_the_group_is_too_large_is_sent_away_and_the_others_go_on() {
    let mut fixture = Fixture::new(&[("a", 2)]);
    let mut one = client("1", &["a"]);
    fixture.settle(&mut [&mut one]);
    let long = "x".repeat(STATE_SIZE_MAX);
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "2",
        rebalance_timeout_ms: 1,
        subscribed_topic_names: Some(vec!["a", &long]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    for _ in 0..2 {
        assert_eq!(
            fixture.send(&request),
            Err(ErrorCode::GROUP_MAX_SIZE_REACHED)
        );
    }
    fixture.settle(&mut [&mut one]);
    assert_eq!(one.owned.len(), 2);
}

/// A member that dies, comes back, and dies again, for hours: it costs the others a rebalance each time and nothing else.
#[test]
fn one_that_comes_and_goes_leaves_nothing_behind() {
    let mut fixture = Fixture::new(&[("a", 4)]);
    let mut steady = client("steady", &["a"]);
    fixture.settle(&mut [&mut steady]);
    for _ in 0..100 {
        let mut flapping = client("flapping", &["a"]);
        fixture.settle(&mut [&mut steady, &mut flapping]);
        assert_eq!(sizes(&[&steady, &flapping]), [2, 2]);
        // It is heard of no more, and the other goes on sending heartbeats.
        for _ in 0..2 {
            fixture.now += SESSION * 3 / 4;
            fixture.beat(&mut steady).expect("it is a member");
        }
        fixture.settle(&mut [&mut steady]);
        assert_eq!(sizes(&[&steady]), [4]);
        assert_eq!(fixture.group.members.len(), 1);
    }
}

#[test]
fn what_contradicts_the_protocol_is_refused() {
    let mut fixture = Fixture::new(&[("a", 1)]);
    let good = ConsumerGroupHeartbeatRequest {
        group_id: "g",
        member_id: "1",
        rebalance_timeout_ms: 1,
        subscribed_topic_names: Some(vec!["a"]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let bad = [
        ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: -1,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            topic_partitions: None,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            subscribed_topic_names: None,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            member_epoch: -2,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            member_epoch: -3,
            ..good.clone()
        },
        ConsumerGroupHeartbeatRequest {
            instance_id: Some(""),
            ..good.clone()
        },
    ];
    for request in &bad {
        assert_eq!(
            fixture.send(request),
            Err(ErrorCode::INVALID_REQUEST),
            "{request:?}"
        );
    }
    let assignor = ConsumerGroupHeartbeatRequest {
        server_assignor: Some("sticky"),
        ..good.clone()
    };
    assert_eq!(
        fixture.send(&assignor),
        Err(ErrorCode::UNSUPPORTED_ASSIGNOR)
    );
    let stranger = ConsumerGroupHeartbeatRequest {
        member_epoch: 3,
        ..good.clone()
    };
    assert_eq!(fixture.send(&stranger), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert!(fixture.send(&good).is_ok());
}
