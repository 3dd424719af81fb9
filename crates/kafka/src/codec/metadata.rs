//! Metadata: the brokers, the topics and who leads their partitions.

use uuid::Uuid;

use super::ErrorCode;
use super::schema::{api, message};

/// The value of an operations bit field that was not asked for.
pub const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

message! {
    /// Which brokers and topics are there?
    pub struct MetadataRequest {
        /// None: all topics. Empty: none, but in version 0 all.
        topics: Option<Vec<MetadataRequestTopic>> [0..],
        /// Whether topics that are not there may be made.
        allow_auto_topic_creation: bool [4..] = true,
        /// Whether to say what the client may do with the cluster.
        include_cluster_authorized_operations: bool [8..=10],
        /// Whether to say what the client may do with each topic.
        include_topic_authorized_operations: bool [8..],
    }
}

message! {
    /// A topic that is asked for.
    pub struct MetadataRequestTopic {
        /// Its id, or zero when it is asked for by name.
        topic_id: Uuid [10..],
        /// Its name; None (from version 10 on) when it is asked for by id.
        name: Option<String> [0..],
    }
}

message! {
    /// The brokers and topics that are there.
    pub struct MetadataResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [3..],
        /// The brokers.
        brokers: Vec<MetadataBroker> [0..],
        /// The cluster.
        cluster_id: Option<String> [2..],
        /// The broker that makes topics.
        controller_id: i32 [1..] = -1,
        /// The topics.
        topics: Vec<MetadataTopic> [0..],
        /// What the client may do with the cluster.
        cluster_authorized_operations: i32 [8..=10] = OPERATIONS_NOT_ASKED,
    }
}

message! {
    /// A broker.
    pub struct MetadataBroker {
        /// Its node id.
        node_id: i32 [0..],
        /// Its host.
        host: String [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack.
        rack: Option<String> [1..],
    }
}

message! {
    /// A topic.
    pub struct MetadataTopic {
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// Its name; None (from version 12 on) for an unknown id.
        name: Option<String> [0..],
        /// Its id; zero for an unknown name.
        topic_id: Uuid [10..],
        /// Whether it is the broker's own.
        is_internal: bool [1..],
        /// Its partitions.
        partitions: Vec<MetadataPartition> [0..],
        /// What the client may do with it.
        topic_authorized_operations: i32 [8..] = OPERATIONS_NOT_ASKED,
    }
}

message! {
    /// A partition.
    pub struct MetadataPartition {
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// Its number.
        index: i32 [0..],
        /// Its leader, or -1.
        leader_id: i32 [0..] = -1,
        /// The leader's epoch, or -1.
        leader_epoch: i32 [7..] = -1,
        /// The nodes that have it.
        replica_nodes: Vec<i32> [0..],
        /// Those of them that have all of it.
        isr_nodes: Vec<i32> [0..],
        /// Those of them that are away.
        offline_replicas: Vec<i32> [5..],
    }
}

api!(Metadata: MetadataRequest => MetadataResponse);
