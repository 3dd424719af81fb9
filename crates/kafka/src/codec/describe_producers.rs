//! DescribeProducers: who writes to a partition (KIP-664).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Who writes to these.
    pub struct DescribeProducersRequest {
        /// By topic.
        topics: Vec<ProducersTopic> [0..],
    }
}

message! {
    /// One topic.
    pub struct ProducersTopic {
        /// Its name.
        name: String [0..],
        /// Its partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// Who writes.
    pub struct DescribeProducersResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By topic.
        topics: Vec<ProducersTopicResponse> [0..],
    }
}

message! {
    /// One topic.
    pub struct ProducersTopicResponse {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<ProducersPartitionResponse> [0..],
    }
}

message! {
    /// One partition.
    pub struct ProducersPartitionResponse {
        /// Its number.
        index: i32 [0..],
        /// Why nothing is said of it.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Who writes.
        producers: Vec<ProducerState> [0..],
    }
}

message! {
    /// One producer.
    pub struct ProducerState {
        /// Its id.
        id: i64 [0..],
        /// Its epoch.
        epoch: i32 [0..],
        /// The sequence of its last record.
        last_sequence: i32 [0..] = -1,
        /// The time of its last append.
        last_timestamp: i64 [0..] = -1,
        /// The epoch of its coordinator.
        coordinator_epoch: i32 [0..],
        /// Where its open transaction began; -1: none is open.
        transaction_start_offset: i64 [0..] = -1,
    }
}

api!(DescribeProducers: DescribeProducersRequest => DescribeProducersResponse);
