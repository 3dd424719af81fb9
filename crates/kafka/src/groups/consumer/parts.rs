//! Partitions that members have, want or give back.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::codec::consumer_group_heartbeat::TopicPartitions;

/// Partitions by their topics' ids; no topic is there without a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(BTreeMap<Uuid, BTreeSet<i32>>);

impl Parts {
    /// Those of a message.
    pub(crate) fn of(topics: &[TopicPartitions]) -> Parts {
        let mut parts = Parts::default();
        for topic in topics {
            for partition in &topic.partitions {
                parts.insert(topic.topic_id, *partition);
            }
        }
        parts
    }

    /// As a message names them.
    pub(crate) fn to_topics(&self) -> Vec<TopicPartitions> {
        let topic = |(topic_id, partitions): (&Uuid, &BTreeSet<i32>)| TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        };
        self.0.iter().map(topic).collect()
    }

    /// Adds one; whether it was not there.
    pub(crate) fn insert(&mut self, topic: Uuid, partition: i32) -> bool {
        self.0.entry(topic).or_default().insert(partition)
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, topic: Uuid, partition: i32) {
        if let Some(partitions) = self.0.get_mut(&topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(&topic);
            }
        }
    }

    pub(crate) fn contains(&self, topic: Uuid, partition: i32) -> bool {
        self.0
            .get(&topic)
            .is_some_and(|partitions| partitions.contains(&partition))
    }

    /// Topic and index of each.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Uuid, i32)> + '_ {
        self.0
            .iter()
            .flat_map(|(topic, partitions)| partitions.iter().map(|one| (*topic, *one)))
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one is in both.
    pub(crate) fn meets(&self, other: &Parts) -> bool {
        self.iter().any(|(topic, one)| other.contains(topic, one))
    }

    /// Whether all are in `other`.
    pub(crate) fn is_within(&self, other: &Parts) -> bool {
        self.iter().all(|(topic, one)| other.contains(topic, one))
    }
}

impl FromIterator<(Uuid, i32)> for Parts {
    fn from_iter<I: IntoIterator<Item = (Uuid, i32)>>(all: I) -> Parts {
        let mut parts = Parts::default();
        for (topic, partition) in all {
            parts.insert(topic, partition);
        }
        parts
    }
}
