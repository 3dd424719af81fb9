//! DescribeTopicPartitions: topics and their partitions, a page at a time (KIP-966).

use uuid::Uuid;

use super::ErrorCode;
use super::field::nullable;
use super::schema::{api, message};

message! {
    /// Which partitions there are.
    pub struct DescribeTopicPartitionsRequest {
        /// Of these topics; empty: of all.
        topics: Vec<DescribedTopicName> [0..],
        /// At most so many.
        partition_limit: i32 [0..] = 2000,
        /// Where to begin.
        cursor: Option<Cursor> [0..],
    }
}

message! {
    /// One topic.
    pub struct DescribedTopicName {
        /// Its name.
        name: String [0..],
    }
}

message! {
    /// A place among all partitions.
    pub struct Cursor {
        /// The topic.
        topic_name: String [0..],
        /// The first partition.
        partition_index: i32 [0..],
    }
}

nullable!(Cursor);

message! {
    /// The partitions.
    pub struct DescribeTopicPartitionsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By topic.
        topics: Vec<DescribedTopic> [0..],
        /// Where to go on; None: that was all.
        next_cursor: Option<Cursor> [0..],
    }
}

message! {
    /// One topic.
    pub struct DescribedTopic {
        /// Why nothing is said of it.
        error: ErrorCode [0..],
        /// Its name.
        name: Option<String> [0..],
        /// Its id.
        topic_id: Uuid [0..],
        /// Whether it is the broker's own.
        is_internal: bool [0..],
        /// Its partitions.
        partitions: Vec<DescribedPartition> [0..],
        /// What the client may do with it, as bits.
        authorized_operations: i32 [0..] = i32::MIN,
    }
}

message! {
    /// One partition.
    pub struct DescribedPartition {
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// Its number.
        index: i32 [0..],
        /// Who leads it.
        leader_id: i32 [0..],
        /// Since which epoch.
        leader_epoch: i32 [0..] = -1,
        /// Who has a copy.
        replica_nodes: Vec<i32> [0..],
        /// Who is up to date.
        isr_nodes: Vec<i32> [0..],
        /// Who may lead.
        eligible_leader_replicas: Option<Vec<i32>> [0..] = None,
        /// Who might have led last.
        last_known_elr: Option<Vec<i32>> [0..] = None,
        /// Whose copy cannot be reached.
        offline_replicas: Vec<i32> [0..],
    }
}

api!(DescribeTopicPartitions: DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse);
