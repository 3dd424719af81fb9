//! The classic group without a broker: time is what the test says, and the log is a list that can be full.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pagelog_store::answer::{Context, Mark, Notify, Position};
use pagelog_store::{Busy, LogError, Waiter};

use super::{ClassicGroup, Join};
use crate::codec::join_group::{JoinGroupProtocol, JoinGroupRequest, JoinGroupResponse};
use crate::codec::leave_group::LeavingMember;
use crate::codec::sync_group::{SyncGroupAssignment, SyncGroupRequest, SyncGroupResponse};
use crate::codec::{ErrorCode, Field};
use crate::groups::kept::Kept;
use crate::groups::options::GroupOptions;
use crate::groups::promise::Promise;
use crate::groups::turn::Turn;

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// Hears nothing: the tests look by themselves.
struct Deaf;

impl Notify for Deaf {
    fn notify(&self, _token: u64, _mark: Mark, _at: Position) {}
}

fn promise<T>() -> Promise<T> {
    let notify: Arc<dyn Notify> = Arc::new(Deaf);
    let context = Context {
        now: Instant::now(),
        notify: &notify,
        token: 0,
    };
    Promise::new(Waiter::new(&context), Mark::Durable)
}

struct Fixture {
    group: ClassicGroup,
    now: Instant,
    options: GroupOptions,
    kept: RefCell<Vec<Bytes>>,
    busy: Cell<bool>,
    version: i16,
}

/// Who joins, and as what.
#[derive(Clone, Copy)]
struct Who<'a> {
    id: &'a str,
    instance_id: Option<&'a str>,
    protocols: &'a [(&'a str, &'a [u8])],
}

const NEW: Who<'_> = Who {
    id: "",
    instance_id: None,
    protocols: &[("range", b"topics")],
};

fn back(id: &str) -> Who<'_> {
    Who { id, ..NEW }
}

fn owned(instance_id: &str) -> Who<'_> {
    Who {
        instance_id: Some(instance_id),
        ..NEW
    }
}

impl Fixture {
    fn new() -> Fixture {
        Fixture {
            group: ClassicGroup::new(0),
            now: Instant::now(),
            options: GroupOptions {
                initial_rebalance_delay: Duration::ZERO,
                ..GroupOptions::default()
            },
            kept: RefCell::default(),
            busy: Cell::new(false),
            version: 3,
        }
    }

    fn act<R>(&mut self, act: impl FnOnce(&mut ClassicGroup, &Turn<'_>) -> R) -> R {
        let keep = |state: &Bytes| {
            if self.busy.get() {
                return Err(LogError::Busy(Busy::Ring));
            }
            self.kept.borrow_mut().push(state.clone());
            Ok(Position(self.kept.borrow().len() as u64))
        };
        let turn = Turn {
            now: self.now,
            now_ms: 77,
            options: &self.options,
            state_size_max: 1 << 20,
            keep: &keep,
        };
        act(&mut self.group, &turn)
    }

    fn try_join(&mut self, who: Who<'_>) -> Result<Promise<JoinGroupResponse>, LogError> {
        let request = JoinGroupRequest {
            group_id: "g",
            session_timeout_ms: SESSION.as_millis() as i32,
            rebalance_timeout_ms: REBALANCE.as_millis() as i32,
            member_id: who.id,
            group_instance_id: who.instance_id,
            protocol_type: "consumer",
            protocols: who
                .protocols
                .iter()
                .map(|(name, metadata)| JoinGroupProtocol { name, metadata })
                .collect(),
            ..Default::default()
        };
        let answer = promise();
        let join = Join {
            request: &request,
            version: self.version,
            client_id: "client",
            client_host: "/127.0.0.1",
        };
        self.act(|group, turn| group.join(&join, &answer, turn))?;
        Ok(answer)
    }

    fn join(&mut self, who: Who<'_>) -> Promise<JoinGroupResponse> {
        self.try_join(who).expect("the log has room")
    }

    fn sync(&mut self, joined: &JoinGroupResponse) -> Promise<SyncGroupResponse> {
        self.sync_as(joined, None)
    }

    /// The leader gives every member its own id as its part.
    fn sync_as(
        &mut self,
        joined: &JoinGroupResponse,
        instance_id: Option<&str>,
    ) -> Promise<SyncGroupResponse> {
        self.try_sync(joined, instance_id)
            .expect("the log has room")
    }

    fn try_sync(
        &mut self,
        joined: &JoinGroupResponse,
        instance_id: Option<&str>,
    ) -> Result<Promise<SyncGroupResponse>, LogError> {
        let assignments = joined.members.iter().map(|member| SyncGroupAssignment {
            member_id: &member.member_id,
            assignment: member.member_id.as_bytes(),
        });
        let request = SyncGroupRequest {
            group_id: "g",
            generation_id: joined.generation_id,
            member_id: &joined.member_id,
            group_instance_id: instance_id,
            assignments: assignments.collect(),
            ..Default::default()
        };
        let answer = promise();
        self.act(|group, turn| group.sync(&request, &answer, turn))?;
        Ok(answer)
    }

    fn beat(&mut self, joined: &JoinGroupResponse) -> Result<(), ErrorCode> {
        let (generation, id) = (joined.generation_id, joined.member_id.clone());
        self.act(|group, turn| group.heartbeat(generation, &id, None, turn))
    }

    fn commit(&mut self, joined: &JoinGroupResponse) -> Result<(), ErrorCode> {
        let (generation, id) = (joined.generation_id, joined.member_id.clone());
        self.act(|group, turn| group.check_commit(generation, &id, None, turn))
    }

    fn leave(&mut self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        let leaving = LeavingMember {
            member_id: id,
            group_instance_id: instance_id,
            ..Default::default()
        };
        self.act(|group, turn| group.leave(&leaving, turn))
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.act(|group, turn| group.advance(turn));
    }

    /// A stable group of `count` dynamic members; the leader is the first.
    fn stable(count: usize) -> (Fixture, Vec<JoinGroupResponse>) {
        let mut fixture = Fixture::new();
        let mut ids: Vec<String> = Vec::new();
        let mut joined = Vec::new();
        for _ in 0..count {
            // Each newcomer starts a rebalance, in which the others join again.
            let newcomer = fixture.join(NEW);
            let others: Vec<_> = ids.iter().map(|id| fixture.join(back(id))).collect();
            joined = others.iter().chain([&newcomer]).map(taken).collect();
            ids = joined
                .iter()
                .map(|one: &JoinGroupResponse| one.member_id.clone())
                .collect();
            fixture.sync_all(&joined);
        }
        (fixture, joined)
    }

    fn sync_all(&mut self, joined: &[JoinGroupResponse]) {
        let synced: Vec<_> = joined.iter().map(|one| self.sync(one)).collect();
        for (one, synced) in joined.iter().zip(synced) {
            let part = taken(&synced);
            assert_eq!(part.error, ErrorCode::NONE);
            assert_eq!(part.assignment, one.member_id.as_bytes());
        }
    }
}

fn taken<T: for<'a> Field<'a>>(promise: &Promise<T>) -> T {
    promise.take().expect("the promise is kept").answer
}

fn waits<T>(promise: &Promise<T>) -> bool {
    promise.after().is_none()
}

#[test]
fn three_members_share_out_and_hear_of_each_other() {
    let (mut fixture, joined) = Fixture::stable(3);
    assert_eq!(fixture.group.state_name(), "Stable");
    assert_eq!(joined.iter().map(|one| one.members.len()).max(), Some(3));
    assert_eq!(
        joined
            .iter()
            .filter(|one| one.leader == one.member_id)
            .count(),
        1
    );
    for one in &joined {
        assert_eq!(fixture.beat(one), Ok(()));
        assert_eq!(fixture.commit(one), Ok(()));
    }
    assert_eq!(
        fixture.kept.borrow().len(),
        3,
        "each generation is kept once"
    );
}

#[test]
fn followers_wait_for_the_leader_and_for_the_log() {
    let (mut fixture, joined) = Fixture::stable(2);
    let again: Vec<_> = joined
        .iter()
        .map(|one| {
            fixture.join(Who {
                protocols: &[("range", b"other")],
                ..back(&one.member_id)
            })
        })
        .collect();
    let joined: Vec<_> = again.iter().map(taken).collect();
    let (leader, follower) = if joined[0].leader == joined[0].member_id {
        (&joined[0], &joined[1])
    } else {
        (&joined[1], &joined[0])
    };
    let follower_synced = fixture.sync(follower);
    assert!(waits(&follower_synced));
    fixture.busy.set(true);
    assert!(matches!(
        fixture.try_sync(leader, None),
        Err(LogError::Busy(_))
    ));
    assert!(waits(&follower_synced));
    assert_eq!(fixture.group.state_name(), "CompletingRebalance");
    fixture.busy.set(false);
    let leader_synced = fixture.sync(leader);
    let after = leader_synced.after();
    assert_eq!(after, follower_synced.after());
    assert!(after > Some(Position(0)), "told when the parts are settled");
}

#[test]
fn the_first_join_of_a_newer_client_gets_an_id_and_comes_again() {
    let mut fixture = Fixture::new();
    fixture.version = 5;
    let first = taken(&fixture.join(NEW));
    assert_eq!(first.error, ErrorCode::MEMBER_ID_REQUIRED);
    assert!(first.member_id.starts_with("client-"));
    let second = taken(&fixture.join(back(&first.member_id)));
    assert_eq!((second.error, second.generation_id), (ErrorCode::NONE, 1));
    // One that never comes again is forgotten after its session's time, and holds nobody up.
    let lost = taken(&fixture.join(NEW));
    let again = fixture.join(Who {
        protocols: &[("range", b"more")],
        ..back(&second.member_id)
    });
    assert!(waits(&again), "the group waits for the other");
    fixture.pass(SESSION);
    assert_eq!(taken(&again).generation_id, 2);
    let late = taken(&fixture.join(back(&lost.member_id)));
    assert_eq!(late.error, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_member_that_dies_is_left_out() {
    let (mut fixture, joined) = Fixture::stable(2);
    fixture.pass(SESSION - SECOND);
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    fixture.pass(SECOND);
    assert_eq!(
        fixture.beat(&joined[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
    assert_eq!(fixture.beat(&joined[1]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let again = taken(&fixture.join(back(&joined[0].member_id)));
    assert_eq!((again.members.len(), again.leader), (1, again.member_id));
}

/// A member that dies, comes back as another, and dies again, for hours: it costs the other a rebalance each time and nothing else.
#[test]
fn one_that_comes_and_goes_leaves_nothing_behind() {
    let (mut fixture, joined) = Fixture::stable(1);
    let steady = joined[0].member_id.as_str();
    for _ in 0..100 {
        let newcomer = fixture.join(NEW);
        let again = fixture.join(back(steady));
        let both = [taken(&again), taken(&newcomer)];
        assert_eq!(both[0].members.len(), 2);
        fixture.sync_all(&both);
        fixture.pass(SESSION * 3 / 4);
        assert_eq!(fixture.beat(&both[0]), Ok(()));
        fixture.pass(SESSION * 3 / 4);
        let missed = fixture.beat(&both[0]);
        assert_eq!(missed, Err(ErrorCode::REBALANCE_IN_PROGRESS));
        let alone = taken(&fixture.join(back(steady)));
        assert_eq!(alone.generation_id, both[0].generation_id + 1);
        assert_eq!(alone.members.len(), 1);
        fixture.sync_all(&[alone]);
    }
    assert_eq!(fixture.group.members.len(), 1);
    assert!(fixture.group.expected.is_empty() && fixture.group.instances.is_empty());
}

#[test]
fn a_member_that_stalls_in_a_rebalance_is_left_behind_at_its_end() {
    let (mut fixture, joined) = Fixture::stable(2);
    let newcomer = fixture.join(NEW);
    let first = fixture.join(back(&joined[0].member_id));
    for _ in 0..REBALANCE.as_secs() {
        assert!(waits(&newcomer) && waits(&first));
        // It is alive, but does not join.
        assert_eq!(
            fixture.beat(&joined[1]),
            Err(ErrorCode::REBALANCE_IN_PROGRESS)
        );
        fixture.pass(SECOND);
    }
    let (newcomer, first) = (taken(&newcomer), taken(&first));
    assert_eq!(newcomer.generation_id, joined[1].generation_id + 1);
    assert_eq!(newcomer.members.len() + first.members.len(), 2);
    assert_eq!(
        fixture.commit(&joined[1]),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_commit_of_an_older_generation_is_fenced_off() {
    let (mut fixture, joined) = Fixture::stable(2);
    let newcomer = fixture.join(NEW);
    // While the others join again, what was read before may be committed.
    assert_eq!(fixture.commit(&joined[0]), Ok(()));
    let again: Vec<_> = joined
        .iter()
        .map(|one| fixture.join(back(&one.member_id)))
        .collect();
    assert_eq!(
        fixture.commit(&joined[0]),
        Err(ErrorCode::ILLEGAL_GENERATION)
    );
    let now: Vec<_> = again.iter().chain([&newcomer]).map(taken).collect();
    assert_eq!(
        fixture.commit(&now[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
    fixture.sync_all(&now);
    assert_eq!(fixture.commit(&now[0]), Ok(()));
    assert_eq!(
        fixture.commit(&joined[0]),
        Err(ErrorCode::ILLEGAL_GENERATION)
    );
    let nobody = fixture.act(|group, turn| group.check_commit(-1, "", None, turn));
    assert_eq!(nobody, Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_rebalance_within_a_rebalance_ends_in_one_generation() {
    let (mut fixture, joined) = Fixture::stable(2);
    let third = fixture.join(NEW);
    let first = fixture.join(back(&joined[0].member_id));
    // While two wait, another comes, and the last goes.
    let fourth = fixture.join(NEW);
    assert!(waits(&third) && waits(&first) && waits(&fourth));
    assert_eq!(fixture.leave(&joined[1].member_id, None), Ok(()));
    let now: Vec<_> = [&first, &third, &fourth].map(taken).into();
    assert!(
        now.iter()
            .all(|one| one.generation_id == joined[0].generation_id + 1)
    );
    // And while its leader shares out, one more: those who wait for their parts join again.
    let follower = now
        .iter()
        .find(|one| one.members.is_empty())
        .expect("one follows");
    let synced = fixture.sync(follower);
    let fifth = fixture.join(NEW);
    assert_eq!(taken(&synced).error, ErrorCode::REBALANCE_IN_PROGRESS);
    let again: Vec<_> = now
        .iter()
        .map(|one| fixture.join(back(&one.member_id)))
        .collect();
    let now: Vec<_> = again.iter().chain([&fifth]).map(taken).collect();
    fixture.sync_all(&now);
    assert_eq!(now[0].generation_id, joined[0].generation_id + 2);
}

#[test]
fn one_that_joins_and_never_asks_for_its_part_is_sent_away() {
    let (mut fixture, joined) = Fixture::stable(2);
    let again: Vec<_> = joined
        .iter()
        .map(|one| {
            fixture.join(Who {
                protocols: &[("range", b"new")],
                ..back(&one.member_id)
            })
        })
        .collect();
    let now: Vec<_> = again.iter().map(taken).collect();
    let leader = now
        .iter()
        .position(|one| !one.members.is_empty())
        .expect("one leads");
    assert_eq!(taken(&fixture.sync(&now[leader])).error, ErrorCode::NONE);
    for _ in 0..REBALANCE.as_secs() {
        // Both are heard of all the time, but one has never asked for its part.
        let _ = fixture.beat(&now[leader]);
        let _ = fixture.beat(&now[1 - leader]);
        fixture.pass(SECOND);
    }
    assert_eq!(
        fixture.beat(&now[1 - leader]),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
    assert_eq!(
        fixture.beat(&now[leader]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
}

#[test]
fn a_group_that_was_empty_waits_for_more_but_not_for_ever() {
    let mut fixture = Fixture::new();
    fixture.options.initial_rebalance_delay = 3 * SECOND;
    let first = fixture.join(NEW);
    fixture.pass(2 * SECOND);
    let mut others = vec![fixture.join(NEW)];
    fixture.pass(SECOND);
    assert!(waits(&first), "one came, so it waits once more");
    while waits(&first) {
        fixture.pass(3 * SECOND);
        if waits(&first) {
            others.push(fixture.join(NEW));
        }
        assert!(
            others.len() < 20,
            "it never waits longer than a rebalance may take"
        );
    }
    let first = taken(&first);
    let generations: Vec<i32> = others
        .iter()
        .map(|other| taken(other).generation_id)
        .collect();
    assert_eq!(first.generation_id, 1);
    assert!(generations.iter().all(|generation| *generation == 1));
}

#[test]
fn a_static_member_comes_back_without_a_rebalance_and_fences_itself() {
    let mut fixture = Fixture::new();
    fixture.version = 9;
    let one = taken(&fixture.join(owned("one")));
    let second = fixture.join(owned("two"));
    let one = taken(&fixture.join(Who {
        id: &one.member_id,
        ..owned("one")
    }));
    let two = taken(&second);
    let synced = [
        fixture.sync_as(&two, Some("two")),
        fixture.sync_as(&one, Some("one")),
        fixture.sync_as(&two, Some("two")),
    ];
    assert_eq!(taken(&synced[2]).assignment, two.member_id.as_bytes());
    let back = taken(&fixture.join(owned("two")));
    assert_eq!(
        (back.error, back.generation_id),
        (ErrorCode::NONE, two.generation_id)
    );
    assert_ne!(back.member_id, two.member_id);
    let part = taken(&fixture.sync_as(&back, Some("two")));
    assert_eq!(part.assignment, two.member_id.as_bytes(), "the part stays");
    // The old one is told.
    let beat = fixture
        .act(|group, turn| group.heartbeat(two.generation_id, &two.member_id, Some("two"), turn));
    assert_eq!(beat, Err(ErrorCode::FENCED_INSTANCE_ID));
    // A leader that comes back learns who is there, and leaves the parts as they are.
    let leader = taken(&fixture.join(owned("one")));
    assert!(leader.skip_assignment);
    assert_eq!((leader.leader, leader.members.len()), (leader.member_id, 2));
    // An administrator sends one away by its instance id.
    assert_eq!(fixture.leave("", Some("two")), Ok(()));
    assert_eq!(
        fixture.leave("", Some("two")),
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    );
}

#[test]
fn a_static_member_that_cannot_be_kept_is_not_replaced() {
    let mut fixture = Fixture::new();
    let one = taken(&fixture.join(owned("one")));
    assert_eq!(
        taken(&fixture.sync_as(&one, Some("one"))).error,
        ErrorCode::NONE
    );
    fixture.busy.set(true);
    assert!(matches!(
        fixture.try_join(owned("one")),
        Err(LogError::Busy(_))
    ));
    let (generation, id) = (one.generation_id, one.member_id.clone());
    let beat = fixture.act(|group, turn| group.heartbeat(generation, &id, Some("one"), turn));
    assert_eq!(beat, Ok(()));
    fixture.busy.set(false);
    let back = taken(&fixture.join(owned("one")));
    assert_eq!(
        back.leader, one.member_id,
        "an older client shall not share out again"
    );
}

#[test]
fn members_go_on_after_a_restart_and_the_absent_are_missed() {
    let (mut fixture, joined) = Fixture::stable(2);
    let state = fixture.kept.borrow().last().expect("kept").clone();
    let Kept::Classic(kept) = Kept::decode(&state).expect("valid") else {
        panic!("a classic group");
    };
    fixture.group = ClassicGroup::restored(kept, fixture.now);
    assert_eq!(fixture.group.state_name(), "Stable");
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    assert_eq!(fixture.commit(&joined[1]), Ok(()));
    let part = taken(&fixture.sync(&joined[1]));
    assert_eq!(part.assignment, joined[1].member_id.as_bytes());
    fixture.pass(SESSION / 2);
    assert_eq!(fixture.beat(&joined[0]), Ok(()));
    fixture.pass(SESSION / 2);
    assert_eq!(
        fixture.beat(&joined[0]),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
}

#[test]
fn the_last_one_to_go_leaves_an_empty_group_even_when_the_log_is_full() {
    let (mut fixture, joined) = Fixture::stable(1);
    let count = fixture.kept.borrow().len();
    fixture.busy.set(true);
    assert_eq!(fixture.leave(&joined[0].member_id, None), Ok(()));
    assert_eq!(fixture.group.state_name(), "Empty");
    assert_eq!(fixture.kept.borrow().len(), count);
    fixture.busy.set(false);
    fixture.pass(SECOND);
    assert_eq!(
        fixture.kept.borrow().len(),
        count + 1,
        "kept when there is room"
    );
    assert_eq!(fixture.group.empty_since_ms(), Some(77));
}

#[test]
fn those_with_nothing_in_common_and_those_too_many_are_refused() {
    let (mut fixture, _) = Fixture::stable(1);
    let other = Who {
        protocols: &[("sticky", b"")],
        ..NEW
    };
    assert_eq!(
        taken(&fixture.join(other)).error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    let none = Who {
        protocols: &[],
        ..NEW
    };
    assert_eq!(
        taken(&fixture.join(none)).error,
        ErrorCode::INCONSISTENT_GROUP_PROTOCOL
    );
    fixture.options.size_max = 1;
    assert_eq!(
        taken(&fixture.join(NEW)).error,
        ErrorCode::GROUP_MAX_SIZE_REACHED
    );
    assert_eq!(
        taken(&fixture.join(back("nobody"))).error,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
}

#[test]
fn the_way_that_most_like_best_is_taken_of_those_that_all_know() {
    let mut fixture = Fixture::new();
    let ways: [&[(&str, &[u8])]; 3] = [
        &[("a", b""), ("b", b"1"), ("c", b"")],
        &[("c", b""), ("b", b"2")],
        &[("b", b"3"), ("c", b"")],
    ];
    let first = taken(&fixture.join(Who {
        protocols: ways[0],
        ..NEW
    }));
    let second = fixture.join(Who {
        protocols: ways[1],
        ..NEW
    });
    let third = fixture.join(Who {
        protocols: ways[2],
        ..NEW
    });
    let first = taken(&fixture.join(Who {
        protocols: ways[0],
        ..back(&first.member_id)
    }));
    assert_eq!(first.protocol_name.as_deref(), Some("b"));
    let mut metadata: Vec<Bytes> = [first, taken(&second), taken(&third)]
        .into_iter()
        .flat_map(|one| one.members)
        .map(|member| member.metadata)
        .collect();
    metadata.sort_unstable();
    assert_eq!(metadata, [&b"1"[..], b"2", b"3"]);
}

#[test]
fn a_thousand_that_reconnect_at_once_are_one_generation() {
    let mut fixture = Fixture::new();
    fixture.options.initial_rebalance_delay = SECOND;
    let storm: Vec<_> = (0..1000).map(|_| fixture.join(NEW)).collect();
    fixture.pass(2 * SECOND);
    fixture.pass(SECOND);
    let joined: Vec<_> = storm.iter().map(taken).collect();
    assert!(joined.iter().all(|one| one.generation_id == 1));
    assert_eq!(joined.iter().map(|one| one.members.len()).max(), Some(1000));
}
