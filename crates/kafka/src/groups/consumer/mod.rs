//! A group of the consumer protocol (KIP-848): the coordinator shares out, and leads each member to its part by its own heartbeats.
//!
//! ```text
//!   group epoch ──── raised when members or their wishes change, or the topics do
//!   target epoch ─── everyone's part was worked out for this group epoch
//!   member epoch ─── the member has what it is to have, or what is free of it
//! ```
//!
//! A member first gives back what is no longer its own, at its old epoch; then it is of the new one and gets what others have given back. So a partition is
//! never two members' at once. As in a classic group there is no clock here: whoever does something brings the time.

pub(crate) mod assignor;
mod describe;
mod heartbeat;
mod member;
pub(crate) mod parts;
mod pattern;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use pagelog_store::Topics;
use pagelog_store::answer::Position;

use super::kept::{Kept, KeptConsumer};
use super::turn::Turn;
use crate::codec::ErrorCode;
use assignor::Assignor;
pub(crate) use heartbeat::{Answered, Beat, Refused};
use member::Member;
use parts::Parts;

/// A group and its members.
#[derive(Debug)]
pub(crate) struct ConsumerGroup {
    epoch: i32,
    target_epoch: i32,
    assignor: Assignor,
    members: BTreeMap<String, Member>,
    /// What each is to have.
    targets: BTreeMap<String, Parts>,
    /// Which member has an instance id.
    instances: HashMap<String, String>,
    /// The topics when it was last looked at what there is to share out.
    seen: Option<Arc<Topics>>,
    /// The partitions of each topic that is shared out, when it was last worked out who gets what.
    shared: BTreeMap<uuid::Uuid, i32>,
    /// Since when it has had no members, in milliseconds since 1970.
    empty_since_ms: i64,
    /// Its state is not in the log yet.
    unkept: bool,
}

impl ConsumerGroup {
    /// An empty one that goes on from `epoch`.
    pub(crate) fn new(epoch: i32, now_ms: i64) -> ConsumerGroup {
        ConsumerGroup {
            epoch,
            target_epoch: epoch,
            assignor: Assignor::DEFAULT,
            members: BTreeMap::new(),
            targets: BTreeMap::new(),
            instances: HashMap::new(),
            seen: None,
            shared: BTreeMap::new(),
            empty_since_ms: now_ms,
            unkept: false,
        }
    }

    /// One that was kept.
    pub(crate) fn restored(
        kept: &KeptConsumer,
        now: Instant,
        session: std::time::Duration,
    ) -> ConsumerGroup {
        let mut group = ConsumerGroup {
            target_epoch: kept.target_epoch,
            assignor: Assignor::parse(&kept.assignor).unwrap_or(Assignor::DEFAULT),
            ..ConsumerGroup::new(kept.epoch, kept.empty_since_ms)
        };
        for one in &kept.shared {
            group.shared.insert(one.topic_id, one.count);
        }
        for one in &kept.members {
            let (member, target) = Member::restored(one, now, session);
            if let Some(instance_id) = &member.instance_id {
                group.instances.insert(instance_id.clone(), one.id.clone());
            }
            group.members.insert(one.id.clone(), member);
            group.targets.insert(one.id.clone(), target);
        }
        group
    }

    /// Lets go of members that have been silent for too long, or hold what they were to give back.
    pub(crate) fn advance(&mut self, turn: &Turn<'_>) {
        let gone = self
            .members
            .iter()
            .filter(|(_, member)| member.deadline() <= turn.now);
        let gone: Vec<String> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            tracing::debug!(member = id, "a member's time is up");
            self.remove(&id, turn);
        }
        if self.unkept {
            // Nobody waits for this entry; if the log has no room now, it is tried again.
            let _ = self.keep(turn);
        }
    }

    /// When the next thing runs out.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.members.values().map(Member::deadline).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    pub(crate) fn empty_since_ms(&self) -> i64 {
        self.empty_since_ms
    }

    /// Whether a member wants the topic.
    pub(crate) fn wants(&self, topic: &str) -> bool {
        self.members.values().any(|member| member.wants(topic))
    }

    /// Whether somebody may commit: a member at its epoch, or nobody in particular while there are no members.
    pub(crate) fn check_epoch(
        &mut self,
        epoch: i32,
        id: &str,
        turn: &Turn<'_>,
    ) -> Result<(), ErrorCode> {
        self.advance(turn);
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if member.epoch == epoch {
            Ok(())
        } else {
            Err(ErrorCode::STALE_MEMBER_EPOCH)
        }
    }

    fn remove(&mut self, id: &str, turn: &Turn<'_>) {
        let Some(member) = self.members.remove(id) else {
            return;
        };
        self.targets.remove(id);
        if let Some(instance_id) = &member.instance_id {
            self.instances.remove(instance_id);
        }
        if self.members.is_empty() {
            self.empty_since_ms = turn.now_ms;
        }
        self.raise_epoch();
    }

    /// Once is enough until it has been shared out for the new epoch.
    fn raise_epoch(&mut self) {
        if self.epoch == self.target_epoch {
            self.epoch = self.epoch.saturating_add(1);
        }
        self.unkept = true;
    }

    /// Keeps the state in the log; where its entry ends.
    fn keep(&mut self, turn: &Turn<'_>) -> Result<Position, pagelog_store::LogError> {
        let kept = (turn.keep)(&Kept::Consumer(self.kept()).encode());
        self.unkept = kept.is_err();
        kept
    }
}
