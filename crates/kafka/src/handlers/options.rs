//! The broker settings that have an effect here, under their Kafka names.
//!
//! `producer.id.expiration.ms` is not among them: the store remembers producers, so it is
//! [`pagelog_store::StoreOptions::producer_expiration`].

use crate::groups::GroupOptions;
use std::collections::BTreeMap;

/// Settings of the Kafka protocol. The defaults are Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaOptions {
    /// `num.partitions`: partitions of a topic that is made without a number; at least 1.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`: whether asking for an unknown topic makes it.
    pub auto_create_topics_enable: bool,
    /// `delete.topic.enable`: whether topics can be deleted.
    pub delete_topic_enable: bool,
    /// `message.max.bytes`: the largest record batch in bytes, its header included.
    pub message_max_bytes: i32,
    /// `fetch.max.bytes`: the most record bytes of one Fetch answer, but for a first batch that is larger.
    pub fetch_max_bytes: i32,
    /// `log.message.timestamp.before.max.ms`: how far a record's time may lie before the broker's.
    pub log_message_timestamp_before_max_ms: i64,
    /// `log.message.timestamp.after.max.ms`: how far a record's time may lie after the broker's.
    pub log_message_timestamp_after_max_ms: i64,
    /// The settings of groups.
    pub groups: GroupOptions,
    /// What this process was started with, under Kafka's names, for who asks for the broker's configuration.
    pub static_values: BTreeMap<String, String>,
}

impl Default for KafkaOptions {
    fn default() -> KafkaOptions {
        KafkaOptions {
            num_partitions: 1,
            auto_create_topics_enable: true,
            delete_topic_enable: true,
            message_max_bytes: 1_048_588,
            fetch_max_bytes: 57_671_680,
            log_message_timestamp_before_max_ms: i64::MAX,
            log_message_timestamp_after_max_ms: 3_600_000,
            groups: GroupOptions::default(),
            static_values: BTreeMap::new(),
        }
    }
}
