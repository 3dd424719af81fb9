//! The settings of groups, under their Kafka names.

use std::time::Duration;

/// Settings of groups and of what they commit. The defaults are Kafka's, but for the sizes, which have no bound there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOptions {
    /// `group.min.session.timeout.ms`: the shortest session timeout that a member may ask for.
    pub session_timeout_min: Duration,
    /// `group.max.session.timeout.ms`: the longest session timeout that a member may ask for.
    pub session_timeout_max: Duration,
    /// `group.initial.rebalance.delay.ms`: how long a group that was empty waits for more members before it shares out.
    pub initial_rebalance_delay: Duration,
    /// `group.max.size`: the most members of one group.
    pub size_max: usize,
    /// `offset.metadata.max.bytes`: the longest text committed with an offset, in bytes.
    pub offset_metadata_max_bytes: usize,
    /// `offsets.retention.minutes`: how long committed offsets are kept when their group has no members any more.
    pub offsets_retention: Duration,
    /// `group.consumer.session.timeout.ms`: how long a member of the consumer protocol may be silent.
    pub consumer_session_timeout: Duration,
    /// `group.consumer.heartbeat.interval.ms`: how often a member of the consumer protocol is to come.
    pub consumer_heartbeat_interval: Duration,
    /// `group.consumer.max.size`: the most members of one group of the consumer protocol.
    pub consumer_size_max: usize,
}

impl Default for GroupOptions {
    fn default() -> GroupOptions {
        GroupOptions {
            session_timeout_min: Duration::from_secs(6),
            session_timeout_max: Duration::from_secs(30 * 60),
            initial_rebalance_delay: Duration::from_secs(3),
            size_max: 10_000,
            offset_metadata_max_bytes: 4096,
            offsets_retention: Duration::from_secs(7 * 24 * 60 * 60),
            consumer_session_timeout: Duration::from_secs(45),
            consumer_heartbeat_interval: Duration::from_secs(5),
            consumer_size_max: 1_000,
        }
    }
}
