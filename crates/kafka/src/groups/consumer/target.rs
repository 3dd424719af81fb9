//! What there is to share out, and who is to get it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pagelog_store::Topics;
use uuid::Uuid;

use super::ConsumerGroup;
use super::assignor::{Assignor, Wish};
use super::member::Member;
use super::parts::Parts;

impl Member {
    /// Whether it wants the topic, by its name or by an expression.
    pub(super) fn wants(&self, topic: &str) -> bool {
        let is_named = self.topic_names.contains(topic);
        is_named
            || self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.names(topic))
    }

    /// The topics that it wants, of those there are.
    fn wished(&self, topics: &Topics) -> BTreeSet<Uuid> {
        if self.pattern.is_some() {
            let wanted = topics
                .iter()
                .filter(|topic| self.wants(topic.name().as_str()));
            return wanted.map(|topic| topic.id()).collect();
        }
        let named = self
            .topic_names
            .iter()
            .filter_map(|name| topics.by_name(name));
        named.map(|topic| topic.id()).collect()
    }
}

impl ConsumerGroup {
    /// Raises the epoch if the topics that its members want have changed, or their partitions.
    pub(super) fn look_at_topics(&mut self, topics: &Arc<Topics>) {
        let is_seen = self
            .seen
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, topics));
        if is_seen {
            return;
        }
        self.seen = Some(Arc::clone(topics));
        if self.wanted(topics) != self.shared {
            self.raise_epoch();
        }
    }

    /// The partitions of each topic that somebody wants.
    fn wanted(&self, topics: &Topics) -> BTreeMap<Uuid, i32> {
        let ids: BTreeSet<Uuid> = self
            .members
            .values()
            .flat_map(|member| member.wished(topics))
            .collect();
        let count = |id: Uuid| {
            let topic = topics.by_id(id)?;
            Some((
                id,
                i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
            ))
        };
        ids.into_iter().filter_map(count).collect()
    }

    /// Works out who gets what, if that is not known for this epoch.
    pub(super) fn share_out(&mut self, topics: &Arc<Topics>) {
        if self.target_epoch == self.epoch {
            return;
        }
        self.assignor = self.elected();
        self.shared = self.wanted(topics);
        let nothing = Parts::default();
        let wish = |(id, member): (&'_ String, &Member)| Wish {
            topics: member.wished(topics),
            before: self.targets.get(id).unwrap_or(&nothing),
            order: "",
        };
        let wishes: BTreeMap<&str, Wish<'_>> = self
            .members
            .iter()
            .map(|(id, member)| {
                let order = member.instance_id.as_deref().unwrap_or(id);
                let wish = Wish {
                    order,
                    ..wish((id, member))
                };
                (id.as_str(), wish)
            })
            .collect();
        self.targets = self.assignor.share_out(&self.shared, &wishes);
        self.target_epoch = self.epoch;
        self.unkept = true;
    }

    /// The way of sharing out that most members ask for.
    fn elected(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in self.members.values().filter_map(|member| member.assignor) {
            *votes.entry(assignor).or_default() += 1;
        }
        let most = votes.into_iter().max_by_key(|(_, count)| *count);
        most.map_or(Assignor::DEFAULT, |(assignor, _)| assignor)
    }

    /// Leads a member towards its part. Whether anything has changed.
    pub(super) fn reconcile(&mut self, id: &str, owned: Option<&Parts>) -> bool {
        let Some(mut member) = self.members.remove(id) else {
            return false;
        };
        let nothing = Parts::default();
        let target = self.targets.get(id).unwrap_or(&nothing);
        let held = |topic, partition| {
            let mut others = self.members.values();
            others.any(|other: &Member| other.holds(topic, partition))
        };
        let epoch = self.target_epoch;
        let changed = member.reconcile(epoch, target, owned, |topic, one| !held(topic, one));
        self.members.insert(id.to_owned(), member);
        changed
    }
}
