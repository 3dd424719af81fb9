//! ListOffsets: the ends of a partition, or the first record at or after a time.

use super::ErrorCode;
use super::schema::{api, message};

/// Instead of a time: the end of what is visible.
pub const LATEST: i64 = -1;
/// Instead of a time: the first offset.
pub const EARLIEST: i64 = -2;
/// Instead of a time: the record with the greatest timestamp, the first of equals; from version 7 on.
pub const MAX_TIMESTAMP: i64 = -3;
/// Instead of a time: the first offset on the broker's own disk; from version 8 on.
pub const EARLIEST_LOCAL: i64 = -4;
/// Instead of a time: the last offset in tiered storage; from version 9 on.
pub const LATEST_TIERED: i64 = -5;

message! {
    /// Which offset belongs to this time?
    pub struct ListOffsetsRequest<'a> {
        /// -1 from a consumer.
        replica_id: i32 [0..] = -1,
        /// 0: all records, 1: only those of committed transactions.
        isolation_level: i8 [2..],
        /// By topic.
        topics: Vec<ListOffsetsTopic<'a>> [0..],
    }
}

message! {
    /// The questions for one topic.
    pub struct ListOffsetsTopic<'a> {
        /// The topic's name.
        name: &'a str [0..],
        /// By partition.
        partitions: Vec<ListOffsetsPartition> [0..],
    }
}

message! {
    /// The question for one partition.
    pub struct ListOffsetsPartition {
        /// The partition's number.
        index: i32 [0..],
        /// The leader epoch that the client knows, or -1.
        current_leader_epoch: i32 [4..] = -1,
        /// Milliseconds since 1970, or one of the negative values above.
        timestamp: i64 [0..],
    }
}

message! {
    /// The offsets.
    pub struct ListOffsetsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [2..],
        /// By topic.
        topics: Vec<ListOffsetsTopicResponse> [0..],
    }
}

message! {
    /// The offsets of one topic.
    pub struct ListOffsetsTopicResponse {
        /// The topic's name.
        name: String [0..],
        /// By partition.
        partitions: Vec<ListOffsetsPartitionResponse> [0..],
    }
}

message! {
    /// The offset of one partition.
    pub struct ListOffsetsPartitionResponse {
        /// The partition's number.
        index: i32 [0..],
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// The record's time, or -1.
        timestamp: i64 [1..] = -1,
        /// The offset; -1 when no record is so late.
        offset: i64 [1..] = -1,
        /// The leader epoch of the offset, or -1.
        leader_epoch: i32 [4..] = -1,
    }
}

api!(ListOffsets: ListOffsetsRequest<'a> => ListOffsetsResponse);
