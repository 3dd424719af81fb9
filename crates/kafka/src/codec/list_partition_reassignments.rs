//! ListPartitionReassignments: which partitions are being moved.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// What is being moved.
    pub struct ListPartitionReassignmentsRequest {
        /// How long the client waits.
        timeout_ms: i32 [0..] = 60000,
        /// Of these topics; None: of all.
        topics: Option<Vec<ListReassignmentsTopic>> [0..],
    }
}

message! {
    /// One topic.
    pub struct ListReassignmentsTopic {
        /// Its name.
        name: String [0..],
        /// Its partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What is being moved.
    pub struct ListPartitionReassignmentsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why nothing is said.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// By topic.
        topics: Vec<OngoingTopicReassignment> [0..],
    }
}

message! {
    /// One topic.
    pub struct OngoingTopicReassignment {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<OngoingPartitionReassignment> [0..],
    }
}

message! {
    /// One partition.
    pub struct OngoingPartitionReassignment {
        /// Its number.
        index: i32 [0..],
        /// Where its copies are.
        replicas: Vec<i32> [0..],
        /// Which are being made.
        adding_replicas: Vec<i32> [0..],
        /// Which are being given up.
        removing_replicas: Vec<i32> [0..],
    }
}

api!(ListPartitionReassignments: ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse);
