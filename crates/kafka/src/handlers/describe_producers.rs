//! DescribeProducers: who has numbered batches in a partition lately.

use pagelog_store::answer::Answer;
use pagelog_store::{KnownProducer, Topic};

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, ProducerState, ProducersPartitionResponse,
    ProducersTopicResponse,
};

pub(super) fn handle(call: &Call, request: &DescribeProducersRequest) -> Result<Answer, Refusal> {
    let topics = request.topics.iter().map(|asked| {
        let topic = call.broker.topic(&asked.name);
        let partitions = asked.partitions.iter();
        ProducersTopicResponse {
            name: asked.name.clone(),
            partitions: partitions
                .map(|index| describe(topic.as_deref(), *index))
                .collect(),
        }
    });
    Ok(Answer::Now(call.respond(&DescribeProducersResponse {
        topics: topics.collect(),
        ..Default::default()
    })))
}

fn describe(topic: Option<&Topic>, index: i32) -> ProducersPartitionResponse {
    let Some(partition) = topic.and_then(|topic| topic.partition(index)) else {
        return ProducersPartitionResponse {
            index,
            error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            error_message: Some("there is no such partition".to_owned()),
            ..Default::default()
        };
    };
    ProducersPartitionResponse {
        index,
        producers: partition.producers().iter().map(producer).collect(),
        ..Default::default()
    }
}

/// There are no transactions yet, so none is open and no coordinator has an epoch.
fn producer(known: &KnownProducer) -> ProducerState {
    ProducerState {
        id: known.id,
        epoch: i32::from(known.epoch),
        last_sequence: known.last_sequence,
        last_timestamp: known.last_append_ms,
        coordinator_epoch: -1,
        ..Default::default()
    }
}
