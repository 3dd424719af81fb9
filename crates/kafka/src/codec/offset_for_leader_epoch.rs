//! OffsetForLeaderEpoch: where an epoch ended, by which a consumer sees whether records it has read were lost (KIP-320).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Where did these epochs end?
    pub struct OffsetForLeaderEpochRequest<'a> {
        /// -1 from a consumer.
        replica_id: i32 [3..] = -2,
        /// By topic.
        topics: Vec<EpochTopic<'a>> [0..],
    }
}

message! {
    /// The questions for one topic.
    pub struct EpochTopic<'a> {
        /// The topic's name.
        name: &'a str [0..],
        /// By partition.
        partitions: Vec<EpochPartition> [0..],
    }
}

message! {
    /// The question for one partition.
    pub struct EpochPartition {
        /// The partition's number.
        index: i32 [0..],
        /// The leader epoch that the client knows, or -1.
        current_leader_epoch: i32 [2..] = -1,
        /// The epoch whose end is asked for.
        leader_epoch: i32 [0..],
    }
}

message! {
    /// The ends.
    pub struct OffsetForLeaderEpochResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [2..],
        /// By topic.
        topics: Vec<EpochTopicResponse> [0..],
    }
}

message! {
    /// The ends of one topic.
    pub struct EpochTopicResponse {
        /// The topic's name.
        name: String [0..],
        /// By partition.
        partitions: Vec<EpochPartitionResponse> [0..],
    }
}

message! {
    /// The end of one partition's epoch.
    pub struct EpochPartitionResponse {
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// The partition's number.
        index: i32 [0..],
        /// The largest epoch that is not larger than the one asked for, or -1.
        leader_epoch: i32 [1..] = -1,
        /// The first offset after it, or -1.
        end_offset: i64 [0..] = -1,
    }
}

api!(OffsetForLeaderEpoch: OffsetForLeaderEpochRequest<'a> => OffsetForLeaderEpochResponse);
