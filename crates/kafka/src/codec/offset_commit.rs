//! OffsetCommit: how far a group has come in each partition.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// So far we have come.
    pub struct OffsetCommitRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// The classic generation, or the member's epoch in a group of the consumer protocol; -1 of nobody in particular.
        generation_or_epoch: i32 [0..] = -1,
        /// The member, or empty.
        member_id: &'a str [0..],
        /// The id that its owner gave it.
        group_instance_id: Option<&'a str> [7..],
        /// How long to keep it; -1 as long as the broker does.
        retention_ms: i64 [2..=4] = -1,
        /// By topic.
        topics: Vec<OffsetCommitTopic<'a>> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetCommitTopic<'a> {
        /// The topic.
        name: &'a str [0..],
        /// By partition.
        partitions: Vec<OffsetCommitPartition<'a>> [0..],
    }
}

message! {
    /// How far in one partition.
    pub struct OffsetCommitPartition<'a> {
        /// The partition.
        index: i32 [0..],
        /// The offset of the next record to read.
        offset: i64 [0..],
        /// The leader epoch of the last record read, -1 if not known.
        leader_epoch: i32 [6..] = -1,
        /// What the client wants to be told with it again.
        metadata: Option<&'a str> [0..] = Some(""),
    }
}

message! {
    /// What was committed.
    pub struct OffsetCommitResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [3..],
        /// By topic.
        topics: Vec<OffsetCommitResponseTopic> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetCommitResponseTopic {
        /// The topic.
        name: String [0..],
        /// By partition.
        partitions: Vec<OffsetCommitResponsePartition> [0..],
    }
}

message! {
    /// What became of one.
    pub struct OffsetCommitResponsePartition {
        /// The partition.
        index: i32 [0..],
        /// Why it was not committed.
        error: ErrorCode [0..],
    }
}

api!(OffsetCommit: OffsetCommitRequest<'a> => OffsetCommitResponse);
