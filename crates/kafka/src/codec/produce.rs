//! Produce: the records of each partition stay where they lie in the frame.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Append these batches.
    pub struct ProduceRequest<'a> {
        /// The transaction that the records belong to, if any.
        transactional_id: Option<&'a str> [3..],
        /// 0: no answer, 1: when it is in the file, -1: when it is durable.
        acks: i16 [0..],
        /// How long the client waits.
        timeout_ms: i32 [0..],
        /// The records by topic.
        topics: Vec<ProduceTopic<'a>> [0..],
    }
}

message! {
    /// The records of one topic.
    pub struct ProduceTopic<'a> {
        /// The topic's name.
        name: &'a str [0..=12],
        /// The records by partition.
        partitions: Vec<ProducePartition<'a>> [0..],
    }
}

message! {
    /// The records of one partition.
    pub struct ProducePartition<'a> {
        /// The partition's number.
        index: i32 [0..],
        /// A record batch, unchecked.
        records: Option<&'a [u8]> [0..],
    }
}

message! {
    /// What became of the batches.
    pub struct ProduceResponse {
        /// By topic.
        topics: Vec<ProduceTopicResponse> [0..],
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Where the leaders named below are.
        node_endpoints: Vec<NodeEndpoint> [10..; tag 0],
    }
}

message! {
    /// What became of the batches of one topic.
    pub struct ProduceTopicResponse {
        /// The topic's name.
        name: String [0..=12],
        /// By partition.
        partitions: Vec<ProducePartitionResponse> [0..],
    }
}

message! {
    /// What became of the batch of one partition.
    pub struct ProducePartitionResponse {
        /// The partition's number.
        index: i32 [0..],
        /// Why it was refused, if it was.
        error: ErrorCode [0..],
        /// The offset of its first record; -1 when it was refused.
        base_offset: i64 [0..] = -1,
        /// The broker's time, for topics whose records carry it; else -1.
        log_append_time_ms: i64 [2..] = -1,
        /// The first offset of the partition.
        log_start_offset: i64 [5..] = -1,
        /// The records that made the batch fail.
        record_errors: Vec<RecordError> [8..],
        /// Why it failed, in words.
        error_message: Option<String> [8..],
        /// The leader, when it is not this broker.
        current_leader: LeaderIdAndEpoch [10..; tag 0],
    }
}

message! {
    /// A record that made its batch fail.
    pub struct RecordError {
        /// Its place in the batch.
        batch_index: i32 [8..],
        /// What is wrong with it.
        message: Option<String> [8..],
    }
}

message! {
    /// The leader of a partition.
    pub struct LeaderIdAndEpoch {
        /// Its node, or -1.
        leader_id: i32 [0..] = -1,
        /// Its epoch, or -1.
        leader_epoch: i32 [0..] = -1,
    }
}

message! {
    /// Where a node listens.
    pub struct NodeEndpoint {
        /// The node.
        node_id: i32 [0..],
        /// Its host.
        host: String [0..],
        /// Its port.
        port: i32 [0..],
        /// Its rack.
        rack: Option<String> [0..],
    }
}

api!(Produce: ProduceRequest<'a> => ProduceResponse);
