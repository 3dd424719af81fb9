//! How administrators see the group, and how it is kept.

use pagelog_store::Topics;

use super::ConsumerGroup;
use super::member::Member;
use super::parts::Parts;
use crate::codec::consumer_group_describe::{
    ConsumerGroupMember, DescribedAssignment, DescribedConsumerGroup, DescribedTopicPartitions,
};
use crate::groups::kept::{KeptConsumer, KeptCount};

/// What [`ConsumerGroupMember::member_type`] says of one that speaks the consumer protocol.
const CONSUMER_MEMBER: i8 = 1;

impl ConsumerGroup {
    /// The protocol's name of its state.
    pub(crate) fn state_name(&self) -> &'static str {
        let settled = |member: &Member| member.is_settled(self.target_epoch);
        if self.members.is_empty() {
            "Empty"
        } else if self.epoch > self.target_epoch {
            "Assigning"
        } else if self.members.values().all(settled) {
            "Stable"
        } else {
            "Reconciling"
        }
    }

    /// The group with its members.
    pub(crate) fn described(&self, topics: &Topics) -> DescribedConsumerGroup {
        let nothing = Parts::default();
        let member = |(id, member): (&String, &Member)| ConsumerGroupMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            rack_id: member.rack_id.clone(),
            member_epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            subscribed_topic_names: member.topic_names.iter().cloned().collect(),
            subscribed_topic_regex: member.pattern.as_ref().map(|one| one.text().to_owned()),
            assignment: described(&member.assigned, topics),
            target_assignment: described(self.targets.get(id).unwrap_or(&nothing), topics),
            member_type: CONSUMER_MEMBER,
        };
        DescribedConsumerGroup {
            state: self.state_name().to_owned(),
            group_epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor_name: self.assignor.name().to_owned(),
            members: self.members.iter().map(member).collect(),
            ..Default::default()
        }
    }

    pub(super) fn kept(&self) -> KeptConsumer {
        let nothing = Parts::default();
        let member = |(id, member): (&String, &Member)| {
            member.kept(id, self.targets.get(id).unwrap_or(&nothing))
        };
        let shared = self.shared.iter().map(|(topic_id, count)| KeptCount {
            topic_id: *topic_id,
            count: *count,
        });
        KeptConsumer {
            epoch: self.epoch,
            target_epoch: self.target_epoch,
            assignor: self.assignor.name().to_owned(),
            empty_since_ms: self.empty_since_ms,
            shared: shared.collect(),
            members: self.members.iter().map(member).collect(),
        }
    }
}

/// Partitions with their topics' names; those of topics that are gone are left out.
fn described(parts: &Parts, topics: &Topics) -> DescribedAssignment {
    let named = parts.to_topics().into_iter().filter_map(|one| {
        let topic = topics.by_id(one.topic_id)?;
        Some(DescribedTopicPartitions {
            topic_id: one.topic_id,
            topic_name: topic.name().as_str().to_owned(),
            partitions: one.partitions,
        })
    });
    DescribedAssignment {
        topic_partitions: named.collect(),
    }
}
