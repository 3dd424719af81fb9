//! DescribeQuorum: who keeps the metadata (KIP-595).

use uuid::Uuid;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Who keeps these.
    pub struct DescribeQuorumRequest {
        /// By topic.
        topics: Vec<QuorumTopic> [0..],
    }
}

message! {
    /// One topic.
    pub struct QuorumTopic {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<QuorumPartition> [0..],
    }
}

message! {
    /// One partition.
    pub struct QuorumPartition {
        /// Its number.
        index: i32 [0..],
    }
}

message! {
    /// Who keeps them.
    pub struct DescribeQuorumResponse {
        /// Why nothing is said.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [2..],
        /// By topic.
        topics: Vec<QuorumTopicResponse> [0..],
        /// Where the keepers are.
        nodes: Vec<QuorumNode> [2..],
    }
}

message! {
    /// One topic.
    pub struct QuorumTopicResponse {
        /// Its name.
        name: String [0..],
        /// By partition.
        partitions: Vec<QuorumPartitionResponse> [0..],
    }
}

message! {
    /// One partition.
    pub struct QuorumPartitionResponse {
        /// Its number.
        index: i32 [0..],
        /// Why nothing is said of it.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [2..],
        /// Who leads.
        leader_id: i32 [0..],
        /// Since which epoch.
        leader_epoch: i32 [0..],
        /// Up to where it is agreed on.
        high_watermark: i64 [0..],
        /// Who agrees.
        voters: Vec<QuorumReplica> [0..],
        /// Who only reads.
        observers: Vec<QuorumReplica> [0..],
    }
}

message! {
    /// One keeper.
    pub struct QuorumReplica {
        /// Who.
        replica_id: i32 [0..],
        /// In which directory.
        directory_id: Uuid [2..],
        /// Up to where.
        log_end_offset: i64 [0..],
        /// When it last asked.
        last_fetch_ms: i64 [1..] = -1,
        /// When it last had everything.
        last_caught_up_ms: i64 [1..] = -1,
    }
}

message! {
    /// Where a keeper is.
    pub struct QuorumNode {
        /// Who.
        node_id: i32 [2..],
        /// By listener.
        listeners: Vec<QuorumListener> [2..],
    }
}

message! {
    /// An address.
    pub struct QuorumListener {
        /// The listener.
        name: String [2..],
        /// The host.
        host: String [2..],
        /// The port.
        port: u16 [2..],
    }
}

api!(DescribeQuorum: DescribeQuorumRequest => DescribeQuorumResponse);
