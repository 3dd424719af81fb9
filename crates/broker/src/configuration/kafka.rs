//! The options of the Kafka protocol, and of the topics that it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use pagelog_kafka::{GroupOptions, KafkaOptions, NODE_ID, configs};
use pagelog_store::{Cleanup, TimestampType, TopicConfig};

use super::{in_i32, in_i64, in_usize};
use crate::settings::Settings;
use crate::settings::table;

/// What a topic is kept with that does not say so itself.
pub(super) fn topic_defaults(settings: &Settings) -> TopicConfig {
    let mut defaults = TopicConfig::default();
    let cleanup = settings.text(&table::KAFKA_LOG_CLEANUP_POLICY);
    let timestamp_type = settings.text(&table::KAFKA_LOG_MESSAGE_TIMESTAMP_TYPE);
    defaults.retention_ms = retention_ms(settings);
    defaults.retention_bytes = settings.limit(&table::KAFKA_LOG_RETENTION_BYTES);
    defaults.cleanup = Cleanup::parse(cleanup).unwrap_or(defaults.cleanup);
    defaults.timestamp_type =
        TimestampType::parse(timestamp_type).unwrap_or(defaults.timestamp_type);
    defaults
}

/// Milliseconds are stronger than hours, as in Kafka.
fn retention_ms(settings: &Settings) -> Option<i64> {
    let hours = &table::KAFKA_LOG_RETENTION_HOURS;
    let milliseconds = &table::KAFKA_LOG_RETENTION_MS;
    if settings.is_set(hours) && !settings.is_set(milliseconds) {
        return settings.limit(hours).map(|hours| in_i64(hours * 3_600_000));
    }
    settings.limit(milliseconds).map(in_i64)
}

pub(super) fn options(settings: &Settings) -> KafkaOptions {
    KafkaOptions {
        num_partitions: in_i32(settings.number(&table::KAFKA_NUM_PARTITIONS)),
        auto_create_topics_enable: settings.boolean(&table::KAFKA_AUTO_CREATE_TOPICS_ENABLE),
        delete_topic_enable: settings.boolean(&table::KAFKA_DELETE_TOPIC_ENABLE),
        message_max_bytes: in_i32(settings.number(&table::KAFKA_MESSAGE_MAX_BYTES)),
        fetch_max_bytes: in_i32(settings.number(&table::KAFKA_FETCH_MAX_BYTES)),
        log_message_timestamp_before_max_ms: in_i64(
            settings.number(&table::KAFKA_TIMESTAMP_BEFORE_MAX_MS),
        ),
        log_message_timestamp_after_max_ms: in_i64(
            settings.number(&table::KAFKA_TIMESTAMP_AFTER_MAX_MS),
        ),
        groups: groups(settings),
        static_values: static_values(settings),
    }
}

fn groups(settings: &Settings) -> GroupOptions {
    let milliseconds = |setting| Duration::from_millis(settings.number(setting));
    let minutes = settings.number(&table::KAFKA_OFFSETS_RETENTION_MINUTES);
    GroupOptions {
        session_timeout_min: milliseconds(&table::KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS),
        session_timeout_max: milliseconds(&table::KAFKA_GROUP_MAX_SESSION_TIMEOUT_MS),
        initial_rebalance_delay: milliseconds(&table::KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS),
        size_max: in_usize(settings.number(&table::KAFKA_GROUP_MAX_SIZE)),
        offset_metadata_max_bytes: in_usize(
            settings.number(&table::KAFKA_OFFSET_METADATA_MAX_BYTES),
        ),
        offsets_retention: Duration::from_secs(minutes * 60),
        consumer_session_timeout: milliseconds(&table::KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS),
        consumer_heartbeat_interval: milliseconds(
            &table::KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS,
        ),
        consumer_size_max: in_usize(settings.number(&table::KAFKA_GROUP_CONSUMER_MAX_SIZE)),
    }
}

/// What differs from Kafka's defaults, under Kafka's names.
fn static_values(settings: &Settings) -> BTreeMap<String, String> {
    let mut values = BTreeMap::from([
        (
            "log.dirs".to_owned(),
            settings.text(&table::DATA_DIR).to_owned(),
        ),
        ("process.roles".to_owned(), "broker,controller".to_owned()),
        (
            "group.consumer.migration.policy".to_owned(),
            "disabled".to_owned(),
        ),
    ]);
    for name in ["broker.id", "node.id"] {
        values.insert(name.to_owned(), NODE_ID.to_string());
    }
    for setting in table::ALL {
        let name = setting.name.strip_prefix("kafka.").unwrap_or_default();
        let Some(known) = configs::broker().get(name) else {
            continue;
        };
        if let Some(value) = settings.plain(setting)
            && known.default != Some(value.as_str())
        {
            values.insert(name.to_owned(), value);
        }
    }
    values
}
