//! OffsetForLeaderEpoch: where an epoch ended, so that a consumer notices records that were lost (KIP-320).

use pagelog_store::Epoch;
use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::offset_for_leader_epoch::{
    EpochPartition, EpochPartitionResponse, EpochTopic, EpochTopicResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};

pub(super) fn handle(
    call: &Call,
    request: &OffsetForLeaderEpochRequest<'_>,
) -> Result<Answer, Refusal> {
    let response = OffsetForLeaderEpochResponse {
        topics: request
            .topics
            .iter()
            .map(|topic| answer_topic(call, topic))
            .collect(),
        ..Default::default()
    };
    Ok(Answer::Now(call.respond(&response)))
}

fn answer_topic(call: &Call, asked: &EpochTopic<'_>) -> EpochTopicResponse {
    let topic = call.broker.topic(asked.name);
    let answer = |partition: &EpochPartition| {
        let found = topic
            .as_ref()
            .and_then(|topic| topic.partition(partition.index));
        let end = match found {
            None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Some(found) => call
                .broker
                .check_leader_epoch(partition.current_leader_epoch)
                .map(|()| u32::try_from(partition.leader_epoch).ok())
                .map(|epoch| epoch.and_then(|epoch| found.epoch_end(Epoch(epoch)))),
        };
        let mut response = EpochPartitionResponse {
            index: partition.index,
            ..Default::default()
        };
        match end {
            Ok(Some(end)) => {
                response.leader_epoch = i32::try_from(end.epoch.0).unwrap_or(i32::MAX);
                response.end_offset = end.end.0;
            }
            // An epoch that has not begun has no end: -1 and -1.
            Ok(None) => {}
            Err(error) => response.error = error,
        }
        response
    };
    EpochTopicResponse {
        name: asked.name.to_owned(),
        partitions: asked.partitions.iter().map(answer).collect(),
    }
}
