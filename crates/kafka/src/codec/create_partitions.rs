//! CreatePartitions: gives topics more partitions.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Give these topics more partitions.
    pub struct CreatePartitionsRequest {
        /// By topic.
        topics: Vec<CreatePartitionsTopic> [0..],
        /// How long the client waits.
        timeout_ms: i32 [0..],
        /// Whether to say only what would become of it.
        validate_only: bool [0..],
    }
}

message! {
    /// One topic.
    pub struct CreatePartitionsTopic {
        /// Its name.
        name: String [0..],
        /// How many it shall have in all.
        count: i32 [0..],
        /// Where the new ones shall lie; None: the broker decides.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0..],
    }
}

message! {
    /// Where one partition shall lie.
    pub struct CreatePartitionsAssignment {
        /// The brokers, the leader first.
        broker_ids: Vec<i32> [0..],
    }
}

message! {
    /// What became of the topics.
    pub struct CreatePartitionsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By topic.
        results: Vec<CreatePartitionsTopicResult> [0..],
    }
}

message! {
    /// What became of one topic.
    pub struct CreatePartitionsTopicResult {
        /// Its name.
        name: String [0..],
        /// Why it has no more.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
    }
}

api!(CreatePartitions: CreatePartitionsRequest => CreatePartitionsResponse);
