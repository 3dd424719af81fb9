//! Fetch: the request, and the response as a client reads it. The broker writes it with [`super::fetch_answer`].

use uuid::Uuid;

use super::ErrorCode;
use super::produce::{LeaderIdAndEpoch, NodeEndpoint};
use super::schema::{api, message};

message! {
    /// Give me records.
    pub struct FetchRequest<'a> {
        /// The cluster that the client means, if it knows.
        cluster_id: Option<&'a str> [12..; tag 0],
        /// -1 from a consumer.
        replica_id: i32 [..=14] = -1,
        /// Who asks, from version 15 on.
        replica_state: ReplicaState [15..; tag 1],
        /// How long to wait for `bytes_min`.
        wait_max_ms: i32 [0..],
        /// Wait until so many bytes are there.
        bytes_min: i32 [0..],
        /// Answer with at most so many bytes, but always with a whole first batch.
        bytes_max: i32 [3..] = i32::MAX,
        /// 0: all records, 1: only those of committed transactions.
        isolation_level: i8 [4..],
        /// The fetch session (KIP-227); 0: none.
        session_id: i32 [7..],
        /// The session's epoch; -1: no session.
        session_epoch: i32 [7..] = -1,
        /// What to fetch.
        topics: Vec<FetchTopic<'a>> [0..],
        /// What to take out of the session.
        forgotten_topics: Vec<ForgottenTopic<'a>> [7..],
        /// The rack of the consumer.
        rack_id: &'a str [11..],
    }
}

message! {
    /// Who asks.
    pub struct ReplicaState {
        /// -1 from a consumer.
        replica_id: i32 [15..] = -1,
        /// Its epoch.
        replica_epoch: i64 [15..] = -1,
    }
}

message! {
    /// The partitions of one topic to fetch from.
    pub struct FetchTopic<'a> {
        /// The topic's name, up to version 12.
        name: &'a str [..=12],
        /// The topic's id, from version 13 on.
        topic_id: Uuid [13..],
        /// Its partitions.
        partitions: Vec<FetchPartition> [0..],
    }
}

message! {
    /// A partition to fetch from.
    pub struct FetchPartition {
        /// The partition's number.
        index: i32 [0..],
        /// The leader epoch that the client knows, or -1.
        current_leader_epoch: i32 [9..] = -1,
        /// The first offset wanted.
        fetch_offset: i64 [0..],
        /// The epoch of the last record that the client has, or -1.
        last_fetched_epoch: i32 [12..] = -1,
        /// Of use only to followers.
        log_start_offset: i64 [5..] = -1,
        /// Give at most so many bytes of this partition.
        bytes_max: i32 [0..],
        /// Of use only to followers.
        replica_directory_id: Uuid [17..; tag 0],
    }
}

message! {
    /// Partitions to take out of the session.
    pub struct ForgottenTopic<'a> {
        /// The topic's name, up to version 12.
        name: &'a str [7..=12],
        /// The topic's id, from version 13 on.
        topic_id: Uuid [13..],
        /// Its partitions.
        partitions: Vec<i32> [7..],
    }
}

message! {
    /// Records, as a client reads them.
    pub struct FetchResponse<'a> {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// What is wrong with the request as a whole.
        error: ErrorCode [7..],
        /// The fetch session; 0: there is none.
        session_id: i32 [7..],
        /// By topic.
        topics: Vec<FetchTopicResponse<'a>> [0..],
        /// Where the leaders named below are.
        node_endpoints: Vec<NodeEndpoint> [16..; tag 0],
    }
}

message! {
    /// Records of one topic.
    pub struct FetchTopicResponse<'a> {
        /// The topic's name, up to version 12.
        name: &'a str [..=12],
        /// The topic's id, from version 13 on.
        topic_id: Uuid [13..],
        /// By partition.
        partitions: Vec<FetchPartitionResponse<'a>> [0..],
    }
}

message! {
    /// Records of one partition.
    pub struct FetchPartitionResponse<'a> {
        /// The partition's number.
        index: i32 [0..],
        /// What is wrong with it.
        error: ErrorCode [0..],
        /// The first offset that is not visible yet; -1 with an error.
        high_watermark: i64 [0..] = -1,
        /// The first offset of the first open transaction, or the high watermark.
        last_stable_offset: i64 [4..] = -1,
        /// The first offset of the partition.
        log_start_offset: i64 [5..] = -1,
        /// Where the log of the client and this one part.
        diverging_epoch: EpochEndOffset [12..; tag 0],
        /// The leader, when the client knows another.
        current_leader: LeaderIdAndEpoch [12..; tag 1],
        /// The snapshot to fetch instead.
        snapshot_id: SnapshotId [12..; tag 2],
        /// Transactions among the records that were aborted.
        aborted_transactions: Option<Vec<AbortedTransaction>> [4..],
        /// A replica that is nearer, or -1.
        preferred_read_replica: i32 [11..] = -1,
        /// Record batches, the last perhaps cut.
        records: Option<&'a [u8]> [0..],
    }
}

message! {
    /// Where an epoch ended.
    pub struct EpochEndOffset {
        /// The epoch, or -1.
        epoch: i32 [12..] = -1,
        /// The first offset after it, or -1.
        end_offset: i64 [12..] = -1,
    }
}

message! {
    /// A snapshot of a partition.
    pub struct SnapshotId {
        /// The first offset after it, or -1.
        end_offset: i64 [0..] = -1,
        /// Its epoch, or -1.
        epoch: i32 [0..] = -1,
    }
}

message! {
    /// A transaction that was aborted.
    pub struct AbortedTransaction {
        /// Its producer.
        producer_id: i64 [4..],
        /// Its first offset.
        first_offset: i64 [4..],
    }
}

api!(Fetch: FetchRequest<'a> => FetchResponse<'a>);
