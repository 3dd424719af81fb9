//! ElectLeaders: lets partitions choose their leaders anew.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Choose leaders.
    pub struct ElectLeadersRequest {
        /// 0: the preferred one, 1: any that lives.
        election_type: i8 [1..],
        /// By topic; None: all.
        topics: Option<Vec<ElectLeadersTopic>> [0..],
        /// How long the client waits.
        timeout_ms: i32 [0..] = 60000,
    }
}

message! {
    /// The partitions of one topic.
    pub struct ElectLeadersTopic {
        /// The topic.
        topic: String [0..],
        /// Their numbers.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What was chosen.
    pub struct ElectLeadersResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why nothing was.
        error: ErrorCode [1..],
        /// By topic.
        results: Vec<ReplicaElectionResult> [0..],
    }
}

message! {
    /// One topic.
    pub struct ReplicaElectionResult {
        /// Its name.
        topic: String [0..],
        /// By partition.
        partitions: Vec<PartitionElectionResult> [0..],
    }
}

message! {
    /// One partition.
    pub struct PartitionElectionResult {
        /// Its number.
        index: i32 [0..],
        /// Why no other was chosen.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
    }
}

api!(ElectLeaders: ElectLeadersRequest => ElectLeadersResponse);
