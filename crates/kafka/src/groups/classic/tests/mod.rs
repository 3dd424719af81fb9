//! The classic group without a broker: time is what the test says, and the log is a list that can be full.

mod coming_and_going;
mod generations;
mod returning;

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
