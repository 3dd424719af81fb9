//! A classic group: its clients choose a leader among themselves, who shares out; the coordinator keeps them in step.
//!
//! ```text
//!   Empty ──join──▶ Preparing ──all joined, or time──▶ Completing ──leader's SyncGroup──▶ Stable
//!     ▲                │  ▲                                │                                │
//!     └──nobody left───┘  └────── join, leave, silence ────┴────────────────────────────────┘
//! ```
//!
//! No clock, no thread, no socket: whoever does something to the group brings the time ([`Turn`]), and what has run out by then is done
//! first. [`ClassicGroup::deadline`] says when the next thing runs out.

mod joining;
mod leaving;
mod member;
mod rebalance;
mod syncing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use pagelog_store::LogError;
use pagelog_store::answer::Position;

use super::kept::{Kept, KeptClassic};
use super::turn::Turn;
use crate::codec::ErrorCode;
use crate::codec::describe_groups::DescribedMember;
pub(crate) use joining::Join;
use member::Member;

/// A group and its members.
#[derive(Debug)]
pub(crate) struct ClassicGroup {
    state: State,
    generation: i32,
    protocol_type: Option<String>,
    protocol: Option<String>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
    /// Which member has an instance id.
    instances: HashMap<String, String>,
    /// Ids that were given out and have not come back yet, and until when they may.
    expected: HashMap<String, Instant>,
    /// Until when every member is to have asked for its part.
    sync_until: Option<Instant>,
    /// Since when it has had no members, in milliseconds since 1970.
    empty_since_ms: Option<i64>,
    /// Its state is not in the log yet, which had no room.
    unkept: bool,
}

/// Where a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody is in it.
    Empty,
    /// Waits for its members to join.
    Preparing {
        until: Instant,
        /// A group that was empty waits for newcomers: whether there was one since it last looked, and how long it may wait in all.
        first: Option<First>,
    },
    /// Waits for its leader to share out.
    Completing,
    /// Everyone has a part.
    Stable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct First {
    grew: bool,
    left: Duration,
}

impl ClassicGroup {
    /// An empty one.
    pub(crate) fn new(now_ms: i64) -> ClassicGroup {
        ClassicGroup {
            state: State::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            expected: HashMap::new(),
            sync_until: None,
            empty_since_ms: Some(now_ms),
            unkept: false,
        }
    }

    /// One that was kept.
    pub(crate) fn restored(kept: KeptClassic, now: Instant) -> ClassicGroup {
        let instance = |member: &super::kept::KeptClassicMember| {
            let instance = member.instance_id.clone()?;
            Some((instance, member.id.clone()))
        };
        let instances = kept.members.iter().filter_map(instance).collect();
        let members: BTreeMap<_, _> = kept
            .members
            .into_iter()
            .map(|member| (member.id.clone(), Member::restored(member, now)))
            .collect();
        ClassicGroup {
            state: if members.is_empty() {
                State::Empty
            } else {
                State::Stable
            },
            generation: kept.generation,
            protocol_type: kept.protocol_type,
            protocol: kept.protocol,
            leader: kept.leader,
            members,
            instances,
            expected: HashMap::new(),
            sync_until: None,
            empty_since_ms: (kept.empty_since_ms >= 0).then_some(kept.empty_since_ms),
            unkept: false,
        }
    }

    /// One that goes on from another kind of group, which has no members any more.
    pub(crate) fn following(generation: i32, now_ms: i64) -> ClassicGroup {
        ClassicGroup {
            generation,
            ..ClassicGroup::new(now_ms)
        }
    }

    /// Does what has run out.
    pub(crate) fn advance(&mut self, turn: &Turn<'_>) {
        let count = self.expected.len();
        self.expected.retain(|_, until| *until > turn.now);
        if self.expected.len() < count {
            self.look_whether_all_joined(turn);
        }
        self.expire_members(turn);
        self.expire_rebalance(turn);
        self.expire_syncs(turn);
        if self.unkept && self.keep(turn).is_ok() {
            self.unkept = false;
        }
    }

    fn expire_members(&mut self, turn: &Turn<'_>) {
        let gone = |(id, member): (&String, &Member)| {
            let expired = member.expires().is_some_and(|at| at <= turn.now);
            expired.then(|| id.clone())
        };
        let gone: Vec<String> = self.members.iter().filter_map(gone).collect();
        for id in gone {
            tracing::debug!(
                member = id,
                "a member has not been heard of for its session's time"
            );
            self.remove(&id, turn);
        }
    }

    /// When the next thing runs out.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let until = match self.state {
            State::Preparing { until, .. } => Some(until),
            _ => None,
        };
        let members = self.members.values().filter_map(Member::expires);
        let expected = self.expected.values().copied();
        let all = members.chain(expected).chain(until).chain(self.sync_until);
        all.min()
    }

    /// Whether it has no members, and nobody is about to become one.
    pub(crate) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.expected.is_empty()
    }

    /// Whether it has no members.
    pub(crate) fn is_empty(&self) -> bool {
        self.state == State::Empty
    }

    /// Since when it has had no members, in milliseconds since 1970; `None` for a group that never had any, too.
    pub(crate) fn empty_since_ms(&self) -> Option<i64> {
        self.protocol_type.as_ref().and(self.empty_since_ms)
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    /// What it is for, or nothing.
    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    /// How it is shared out, when that is settled.
    pub(crate) fn protocol(&self) -> &str {
        match self.state {
            State::Stable => self.protocol.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    /// The protocol's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Preparing { .. } => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// Its members, as administrators see them.
    pub(crate) fn described(&self) -> Vec<DescribedMember> {
        let stable = self.state == State::Stable;
        let member = |(id, member): (&String, &Member)| DescribedMember {
            member_id: id.clone(),
            group_instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable {
                member.metadata(self.protocol())
            } else {
                Default::default()
            },
            assignment: if stable {
                member.assignment.clone()
            } else {
                Default::default()
            },
        };
        self.members.iter().map(member).collect()
    }

    /// What its members say to whoever shares out: where they name the topics that they want.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = bytes::Bytes> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        self.members
            .values()
            .map(move |member| member.metadata(protocol))
    }

    fn keep(&self, turn: &Turn<'_>) -> Result<Position, LogError> {
        (turn.keep)(&Kept::Classic(self.kept()).encode())
    }

    fn kept(&self) -> KeptClassic {
        KeptClassic {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            empty_since_ms: self.empty_since_ms.unwrap_or(-1),
            members: self
                .members
                .iter()
                .map(|(id, member)| member.kept(id))
                .collect(),
        }
    }

    /// The member that a request speaks for.
    fn find(&self, id: &str, instance_id: Option<&str>) -> Result<&Member, ErrorCode> {
        if let Some(instance_id) = instance_id {
            match self.instances.get(instance_id) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(owner) if owner != id => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }

    /// The same for a request of a generation.
    fn find_in(
        &mut self,
        generation: i32,
        id: &str,
        instance_id: Option<&str>,
    ) -> Result<&mut Member, ErrorCode> {
        self.find(id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        self.members.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)
    }
}
