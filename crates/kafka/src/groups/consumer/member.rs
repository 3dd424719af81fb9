//! A member of a consumer group, and its way from what it has to what it is to have.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::assignor::Assignor;
use super::parts::Parts;
use super::pattern::Pattern;
use crate::groups::kept::{KeptConsumerMember, KeptParts};

/// The epoch of a static member that has left for a while.
pub(super) const AWAY: i32 = -2;

/// A member.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) epoch: i32,
    /// The epoch before: one whose answer was lost comes with it again.
    pub(super) previous_epoch: i32,
    pub(super) instance_id: Option<String>,
    pub(super) rack_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout: Duration,
    pub(super) topic_names: BTreeSet<String>,
    pub(super) pattern: Option<Pattern>,
    pub(super) assignor: Option<Assignor>,
    /// What it may use.
    pub(super) assigned: Parts,
    /// What it is to give back, and still has as far as anybody knows.
    pub(super) revoking: Parts,
    /// Whether it waits for what others have not given back yet.
    pub(super) waits: bool,
    /// When it counts as gone.
    pub(super) expires: Instant,
    /// Until when it is to have given back what it is to give back.
    pub(super) revoke_until: Option<Instant>,
}

impl Member {
    /// Whether it has what it is to have in the generation `epoch`.
    pub(super) fn is_settled(&self, epoch: i32) -> bool {
        self.epoch == epoch && self.revoking.is_empty() && !self.waits
    }

    /// Whether it has a partition, as far as anybody knows.
    pub(super) fn holds(&self, topic: Uuid, partition: i32) -> bool {
        self.assigned.contains(topic, partition) || self.revoking.contains(topic, partition)
    }

    /// The next thing of its that runs out.
    pub(super) fn deadline(&self) -> Instant {
        self.revoke_until
            .map_or(self.expires, |until| until.min(self.expires))
    }

    /// Goes a step towards `target`, the part of the generation `epoch`. `owned` is what the member says that it has, if it says so; `is_free` knows
    /// what nobody else has. Whether anything has changed.
    ///
    /// First it gives back what it is to give back, at its old epoch; only then it is of the new epoch and gets what is free.
    pub(super) fn reconcile(
        &mut self,
        epoch: i32,
        target: &Parts,
        owned: Option<&Parts>,
        is_free: impl Fn(Uuid, i32) -> bool,
    ) -> bool {
        if self.is_settled(epoch) {
            return false;
        }
        let still_owns = |parts: &Parts| owned.is_none_or(|owned| owned.meets(parts));
        if !self.revoking.is_empty() && still_owns(&self.revoking) {
            return false;
        }
        let before = (self.epoch, self.assigned.clone(), self.waits);
        self.revoking = Parts::default();
        let split = |keeps: bool| {
            let assigned = self.assigned.iter();
            let side = assigned.filter(move |(topic, one)| target.contains(*topic, *one) == keeps);
            side.collect::<Parts>()
        };
        let (stays, goes) = (split(true), split(false));
        self.assigned = stays;
        if !goes.is_empty() && still_owns(&goes) {
            self.revoking = goes;
            return true;
        }
        self.revoke_until = None;
        self.waits = false;
        for (topic, partition) in target.iter() {
            if is_free(topic, partition) {
                self.assigned.insert(topic, partition);
            } else if !self.assigned.contains(topic, partition) {
                self.waits = true;
            }
        }
        if self.epoch != epoch {
            self.previous_epoch = self.epoch;
            self.epoch = epoch;
        }
        before != (self.epoch, self.assigned.clone(), self.waits)
    }

    pub(super) fn kept(&self, id: &str, target: &Parts) -> KeptConsumerMember {
        KeptConsumerMember {
            id: id.to_owned(),
            epoch: self.epoch,
            previous_epoch: self.previous_epoch,
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: i32::try_from(self.rebalance_timeout.as_millis())
                .unwrap_or(i32::MAX),
            topic_names: self.topic_names.iter().cloned().collect(),
            pattern: self
                .pattern
                .as_ref()
                .map(|pattern| pattern.text().to_owned()),
            assignor: self.assignor.map(|assignor| assignor.name().to_owned()),
            assigned: kept_parts(&self.assigned),
            revoking: kept_parts(&self.revoking),
            waits: self.waits,
            target: kept_parts(target),
        }
    }

    /// One that was kept, and its target; it has its whole session to be heard of again.
    pub(super) fn restored(
        kept: &KeptConsumerMember,
        now: Instant,
        session: Duration,
    ) -> (Member, Parts) {
        let rebalance_timeout =
            Duration::from_millis(u64::try_from(kept.rebalance_timeout_ms).unwrap_or(0));
        let revoking = parts(&kept.revoking);
        let member = Member {
            epoch: kept.epoch,
            previous_epoch: kept.previous_epoch,
            instance_id: kept.instance_id.clone(),
            rack_id: kept.rack_id.clone(),
            client_id: kept.client_id.clone(),
            client_host: kept.client_host.clone(),
            rebalance_timeout,
            topic_names: kept.topic_names.iter().cloned().collect(),
            // It was compiled when it was taken; a later version of the library that refuses it leaves the member without.
            pattern: kept
                .pattern
                .as_deref()
                .and_then(|text| Pattern::new(text).ok()),
            assignor: kept.assignor.as_deref().and_then(Assignor::parse),
            assigned: parts(&kept.assigned),
            revoke_until: (!revoking.is_empty()).then_some(now + rebalance_timeout),
            revoking,
            waits: kept.waits,
            expires: now + session,
        };
        (member, parts(&kept.target))
    }
}

fn kept_parts(parts: &Parts) -> Vec<KeptParts> {
    let topic = |one: crate::codec::consumer_group_heartbeat::TopicPartitions| KeptParts {
        topic_id: one.topic_id,
        partitions: one.partitions,
    };
    parts.to_topics().into_iter().map(topic).collect()
}

fn parts(kept: &[KeptParts]) -> Parts {
    let all = kept
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|one| (topic.topic_id, *one)));
    all.collect()
}
