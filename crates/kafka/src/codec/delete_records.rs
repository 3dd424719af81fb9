//! DeleteRecords: how far the front of a partition is to be cut off.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Delete the oldest records of these partitions.
    pub struct DeleteRecordsRequest {
        /// By topic.
        topics: Vec<DeleteRecordsTopic> [0..],
        /// How long the client waits.
        timeout_ms: i32 [0..],
    }
}

message! {
    /// The partitions of one topic.
    pub struct DeleteRecordsTopic {
        /// The topic.
        name: String [0..],
        /// By partition.
        partitions: Vec<DeleteRecordsPartition> [0..],
    }
}

message! {
    /// One partition.
    pub struct DeleteRecordsPartition {
        /// Its number.
        index: i32 [0..],
        /// The first offset to keep; -1: delete all that readers may see.
        offset: i64 [0..],
    }
}

message! {
    /// Where the partitions begin now.
    pub struct DeleteRecordsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By topic.
        topics: Vec<DeleteRecordsTopicResult> [0..],
    }
}

message! {
    /// The partitions of one topic.
    pub struct DeleteRecordsTopicResult {
        /// The topic.
        name: String [0..],
        /// By partition.
        partitions: Vec<DeleteRecordsPartitionResult> [0..],
    }
}

message! {
    /// One partition.
    pub struct DeleteRecordsPartitionResult {
        /// Its number.
        index: i32 [0..],
        /// The first offset that is left.
        low_watermark: i64 [0..] = -1,
        /// Why nothing was deleted.
        error: ErrorCode [0..],
    }
}

api!(DeleteRecords: DeleteRecordsRequest => DeleteRecordsResponse);
