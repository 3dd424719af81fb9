//! DescribeTopicPartitions: topics by name, a page of partitions at a time (KIP-966).

use pagelog_store::Topic;
use pagelog_store::answer::Answer;

use super::authorized::TOPIC_OPERATIONS;
use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribedPartition,
    DescribedTopic,
};

/// A page has no more partitions than this (`max.request.partition.size.limit`).
const PARTITIONS_MAX: usize = 2000;

pub(super) fn handle(
    call: &Call,
    request: &DescribeTopicPartitionsRequest,
) -> Result<Answer, Refusal> {
    let topics = call.broker.store.topics();
    let mut names: Vec<&str> = match request.topics.is_empty() {
        true => topics.iter().map(|topic| topic.name().as_str()).collect(),
        false => request
            .topics
            .iter()
            .map(|topic| topic.name.as_str())
            .collect(),
    };
    names.sort_unstable();
    names.dedup();
    let begin = request.cursor.as_ref();
    if let Some(cursor) = begin {
        names.retain(|name| *name >= cursor.topic_name.as_str());
    }
    let limit = usize::try_from(request.partition_limit).unwrap_or(0);
    let mut page = Page {
        call,
        left: limit.clamp(1, PARTITIONS_MAX),
        response: DescribeTopicPartitionsResponse::default(),
    };
    for name in names {
        let from = begin.filter(|cursor| cursor.topic_name == name);
        let from = from.map_or(0, |cursor| {
            usize::try_from(cursor.partition_index).unwrap_or(0)
        });
        if !page.add(name, topics.by_name(name).map(AsRef::as_ref), from) {
            break;
        }
    }
    Ok(Answer::Now(call.respond(&page.response)))
}

struct Page<'a> {
    call: &'a Call,
    left: usize,
    response: DescribeTopicPartitionsResponse,
}

impl Page<'_> {
    /// Adds what fits of a topic; whether there is room for more.
    fn add(&mut self, name: &str, topic: Option<&Topic>, from: usize) -> bool {
        let Some(topic) = topic else {
            self.response.topics.push(DescribedTopic {
                error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                name: Some(name.to_owned()),
                ..Default::default()
            });
            return true;
        };
        let count = topic.partitions().len();
        let end = count.min(from.saturating_add(self.left));
        if self.left > 0 {
            let partitions = (from.min(end)..end).map(|index| self.partition(index));
            let described = DescribedTopic {
                name: Some(name.to_owned()),
                topic_id: topic.id(),
                partitions: partitions.collect(),
                authorized_operations: TOPIC_OPERATIONS,
                ..Default::default()
            };
            self.left -= described.partitions.len();
            self.response.topics.push(described);
        }
        if end < count {
            self.response.next_cursor = Some(Cursor {
                topic_name: name.to_owned(),
                partition_index: end as i32,
            });
        }
        end == count
    }

    fn partition(&self, index: usize) -> DescribedPartition {
        DescribedPartition {
            index: index as i32,
            leader_id: NODE_ID,
            leader_epoch: self.call.broker.leader_epoch(),
            replica_nodes: vec![NODE_ID],
            isr_nodes: vec![NODE_ID],
            // The tools of Kafka 4.3 do not take null here, though the protocol has it.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..Default::default()
        }
    }
}
