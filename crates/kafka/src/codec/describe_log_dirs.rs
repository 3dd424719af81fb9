//! DescribeLogDirs: how much of the disk partitions take.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// How large are these.
    pub struct DescribeLogDirsRequest {
        /// By topic; None: all.
        topics: Option<Vec<DescribableLogDirTopic>> [0..],
    }
}

message! {
    /// The partitions of one topic.
    pub struct DescribableLogDirTopic {
        /// The topic.
        topic: String [0..],
        /// Their numbers.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// The directories.
    pub struct DescribeLogDirsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why nothing is said.
        error: ErrorCode [3..],
        /// By directory.
        results: Vec<DescribeLogDirsResult> [0..],
    }
}

message! {
    /// One directory.
    pub struct DescribeLogDirsResult {
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// Its path.
        log_dir: String [0..],
        /// What is in it.
        topics: Vec<DescribeLogDirsTopic> [0..],
        /// The size of its file system.
        total_bytes: i64 [4..] = -1,
        /// What is free there.
        usable_bytes: i64 [4..] = -1,
    }
}

message! {
    /// One topic.
    pub struct DescribeLogDirsTopic {
        /// Its name.
        name: String [0..],
        /// Its partitions.
        partitions: Vec<DescribeLogDirsPartition> [0..],
    }
}

message! {
    /// One partition.
    pub struct DescribeLogDirsPartition {
        /// Its number.
        index: i32 [0..],
        /// Its bytes.
        size: i64 [0..],
        /// How far it is behind.
        offset_lag: i64 [0..],
        /// Whether it is to replace another copy.
        is_future_key: bool [0..],
    }
}

api!(DescribeLogDirs: DescribeLogDirsRequest => DescribeLogDirsResponse);
