//! OffsetFetch: how far groups have come; of one group up to version 7, of many from version 8 on.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// How far have they come?
    pub struct OffsetFetchRequest<'a> {
        /// The group, up to version 7.
        group_id: &'a str [..=7],
        /// The topics, up to version 7; null (from version 2 on) is all that were committed.
        topics: Option<Vec<OffsetFetchTopic<'a>>> [..=7] = Some(Vec::new()),
        /// The groups, from version 8 on.
        groups: Vec<OffsetFetchGroup<'a>> [8..],
        /// Whether to refuse what a transaction may still change.
        require_stable: bool [7..],
    }
}

message! {
    /// A group.
    pub struct OffsetFetchGroup<'a> {
        /// The group.
        group_id: &'a str [8..],
        /// The member that asks, in a group of the consumer protocol.
        member_id: Option<&'a str> [9..],
        /// Its epoch.
        member_epoch: i32 [9..] = -1,
        /// The topics; null is all that were committed.
        topics: Option<Vec<OffsetFetchTopic<'a>>> [8..] = Some(Vec::new()),
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetFetchTopic<'a> {
        /// The topic.
        name: &'a str [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }
}

message! {
    /// How far.
    pub struct OffsetFetchResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [3..],
        /// By topic, up to version 7.
        topics: Vec<OffsetFetchResponseTopic> [..=7],
        /// Why nothing is said, from version 2 to 7.
        error: ErrorCode [2..=7],
        /// By group, from version 8 on.
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }
}

message! {
    /// A group.
    pub struct OffsetFetchResponseGroup {
        /// The group.
        group_id: String [8..],
        /// By topic.
        topics: Vec<OffsetFetchResponseTopic> [8..],
        /// Why nothing is said.
        error: ErrorCode [8..],
    }
}

message! {
    /// A topic's partitions.
    pub struct OffsetFetchResponseTopic {
        /// The topic.
        name: String [0..],
        /// By partition.
        partitions: Vec<OffsetFetchResponsePartition> [0..],
    }
}

message! {
    /// How far in one partition.
    pub struct OffsetFetchResponsePartition {
        /// The partition.
        index: i32 [0..],
        /// The offset, -1 if none was committed.
        offset: i64 [0..],
        /// The leader epoch that was committed, or -1.
        leader_epoch: i32 [5..] = -1,
        /// What was committed with it.
        metadata: Option<String> [0..] = Some(String::new()),
        /// Why nothing is said.
        error: ErrorCode [0..],
    }
}

api!(OffsetFetch: OffsetFetchRequest<'a> => OffsetFetchResponse);
