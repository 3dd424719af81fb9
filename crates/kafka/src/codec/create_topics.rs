//! CreateTopics.

use uuid::Uuid;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Make these topics.
    pub struct CreateTopicsRequest {
        /// The topics.
        topics: Vec<CreatableTopic> [0..],
        /// How long the client waits.
        timeout_ms: i32 [0..] = 60_000,
        /// Say only whether it would work.
        validate_only: bool [1..],
    }
}

message! {
    /// A topic to make.
    pub struct CreatableTopic {
        /// Its name.
        name: String [0..],
        /// Its number of partitions; -1: the broker's default, or as `assignments` says.
        partition_count: i32 [0..] = -1,
        /// Copies of each partition; -1: the broker's default, or as `assignments` says.
        replication_factor: i16 [0..] = -1,
        /// Which broker shall have which partition; empty: the broker decides.
        assignments: Vec<ReplicaAssignment> [0..],
        /// Configuration of the topic.
        configs: Vec<CreatableTopicConfig> [0..],
    }
}

message! {
    /// Where the copies of a partition shall lie.
    pub struct ReplicaAssignment {
        /// The partition's number.
        partition_index: i32 [0..],
        /// The brokers, the leader first.
        broker_ids: Vec<i32> [0..],
    }
}

message! {
    /// One configuration of a topic to make.
    pub struct CreatableTopicConfig {
        /// Its name.
        name: String [0..],
        /// Its value.
        value: Option<String> [0..],
    }
}

message! {
    /// What became of the topics.
    pub struct CreateTopicsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [2..],
        /// By topic.
        topics: Vec<CreatableTopicResult> [0..],
    }
}

message! {
    /// What became of one topic.
    pub struct CreatableTopicResult {
        /// Its name.
        name: String [0..],
        /// Its id.
        topic_id: Uuid [7..],
        /// Why it was not made.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [1..],
        /// Why `configs` is not given.
        topic_config_error: ErrorCode [5..; tag 0],
        /// Its number of partitions.
        partition_count: i32 [5..] = -1,
        /// Copies of each partition.
        replication_factor: i16 [5..] = -1,
        /// Its configuration.
        configs: Option<Vec<TopicConfig>> [5..] = Some(Vec::new()),
    }
}

message! {
    /// One configuration of a topic that was made.
    pub struct TopicConfig {
        /// Its name.
        name: String [5..],
        /// Its value.
        value: Option<String> [5..],
        /// Whether it cannot be changed.
        read_only: bool [5..],
        /// Where the value comes from.
        source: i8 [5..] = -1,
        /// Whether the value is a secret.
        is_sensitive: bool [5..],
    }
}

api!(CreateTopics: CreateTopicsRequest => CreateTopicsResponse);
