//! OffsetDelete: committed offsets are taken out of a group.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Forget these.
    pub struct OffsetDeleteRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// By topic.
        topics: Vec<OffsetDeleteTopic<'a>> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetDeleteTopic<'a> {
        /// The topic.
        name: &'a str [0..],
        /// The partitions.
        partitions: Vec<OffsetDeletePartition> [0..],
    }
}

message! {
    /// One partition.
    pub struct OffsetDeletePartition {
        /// The partition.
        index: i32 [0..],
    }
}

message! {
    /// What was forgotten.
    pub struct OffsetDeleteResponse {
        /// Why nothing was.
        error: ErrorCode [0..],
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By topic.
        topics: Vec<OffsetDeleteResponseTopic> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetDeleteResponseTopic {
        /// The topic.
        name: String [0..],
        /// By partition.
        partitions: Vec<OffsetDeleteResponsePartition> [0..],
    }
}

message! {
    /// What became of one.
    pub struct OffsetDeleteResponsePartition {
        /// The partition.
        index: i32 [0..],
        /// Why it was not forgotten.
        error: ErrorCode [0..],
    }
}

api!(OffsetDelete: OffsetDeleteRequest<'a> => OffsetDeleteResponse);
