//! AlterPartitionReassignments: moves partitions between brokers (KIP-455).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Move these partitions.
    pub struct AlterPartitionReassignmentsRequest {
        /// How long the client waits.
        timeout_ms: i32 [0..] = 60000,
        /// Whether the number of copies may change.
        allow_replication_factor_change: bool [1..] = true,
        /// By topic.
        topics: Vec<ReassignableTopic> [0..],
    }
}

message! {
    /// One topic.
    pub struct ReassignableTopic {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<ReassignablePartition> [0..],
    }
}

message! {
    /// One partition.
    pub struct ReassignablePartition {
        /// Its number.
        index: i32 [0..],
        /// Where its copies shall be; None: stop moving it.
        replicas: Option<Vec<i32>> [0..],
    }
}

message! {
    /// What became of it.
    pub struct AlterPartitionReassignmentsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// What the request said.
        allow_replication_factor_change: bool [1..] = true,
        /// Why nothing is moved.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// By topic.
        responses: Vec<ReassignableTopicResponse> [0..],
    }
}

message! {
    /// One topic.
    pub struct ReassignableTopicResponse {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<ReassignablePartitionResponse> [0..],
    }
}

message! {
    /// One partition.
    pub struct ReassignablePartitionResponse {
        /// Its number.
        index: i32 [0..],
        /// Why it is not moved.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
    }
}

api!(AlterPartitionReassignments: AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse);
