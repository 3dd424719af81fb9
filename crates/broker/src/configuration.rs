//! From settings to the options of each crate, and the checks of settings that only work together.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{LogOptions, Route, Warm};
use pagelog_flush::{Interval, Policy};
use pagelog_kafka::{GroupOptions, KafkaOptions, NODE_ID, configs};
use pagelog_net::{ColdReads, Landings, ServerOptions};
use pagelog_os::Space;
use pagelog_store::answer::Mark;
use pagelog_store::{
    Cleanup, DiskLimits, HousekeepingOptions, StoreOptions, TimestampType, TopicConfig,
};

use pagelog_transfer::Choices;

use crate::doctor;
use crate::listen::Listen;
use crate::settings::Settings;
use crate::settings::error::SettingsError;
use crate::settings::kind::size;
use crate::settings::table;

/// Everything that the wiring needs.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Where the log lives.
    pub(crate) data_directory: PathBuf,
    /// Where Kafka clients connect.
    pub(crate) kafka_listeners: Vec<Listen>,
    /// What the store and its log are opened with.
    pub(crate) store: StoreOptions,
    /// What keeps the log small.
    pub(crate) housekeeping: HousekeepingOptions,
    /// When the log is flushed.
    pub(crate) policy: Policy,
    /// How sockets are served; without the listeners.
    pub(crate) net: ServerOptions,
    /// Whether the paths of sending are to be measured after the start.
    pub(crate) measures_paths: bool,
    /// The settings of the Kafka protocol.
    pub(crate) kafka: KafkaOptions,
    /// How often groups are looked at for what has run out.
    pub(crate) groups_sweep_interval: Duration,
}

impl Configuration {
    /// The options that the settings mean.
    ///
    /// # Errors
    /// [`SettingsError::Together`]: two settings do not go together; the message names both, and a remedy.
    pub(crate) fn new(settings: &Settings) -> Result<Configuration, SettingsError> {
        check_sizes(settings)?;
        let policy = policy(settings);
        let (choices, measures_paths) = doctor::choices(
            settings.text(&table::TRANSFER_PATH),
            Path::new(settings.text(&table::DATA_DIR)),
        );
        Ok(Configuration {
            data_directory: PathBuf::from(settings.text(&table::DATA_DIR)),
            kafka_listeners: settings.listeners(&table::KAFKA_LISTENERS).to_vec(),
            store: store(settings, policy)?,
            housekeeping: housekeeping(settings),
            policy,
            net: net(settings, choices),
            measures_paths,
            kafka: kafka(settings),
            groups_sweep_interval: Duration::from_millis(
                settings.number(&table::KAFKA_OFFSETS_RETENTION_CHECK_INTERVAL_MS),
            ),
        })
    }
}

fn policy(settings: &Settings) -> Policy {
    if settings.text(&table::FLUSH_POLICY) == "sync" {
        return Policy::Sync;
    }
    let milliseconds = |setting| Duration::from_millis(settings.number(setting));
    Policy::Interval(Interval {
        interval: milliseconds(&table::FLUSH_INTERVAL_MS),
        pages_least: in_u32(settings.number(&table::FLUSH_PAGES_LEAST)),
        thorough: milliseconds(&table::FLUSH_THOROUGH_MS),
        write_interval: milliseconds(&table::WRITE_INTERVAL_MS),
        write_pages_least: in_u32(settings.number(&table::WRITE_PAGES_LEAST)),
    })
}

fn store(settings: &Settings, policy: Policy) -> Result<StoreOptions, SettingsError> {
    let settles_at = match policy {
        Policy::Sync => Mark::Durable,
        Policy::Interval(_) => Mark::Written,
    };
    let expiration = settings.number(&table::KAFKA_PRODUCER_ID_EXPIRATION_MS);
    let log = log(settings, policy)?;
    let staged = matches!(log.route, Route::Staged { .. });
    Ok(StoreOptions {
        settles_at,
        acknowledges_appended: staged && policy != Policy::Sync,
        producer_expiration: Duration::from_millis(expiration),
        topic_defaults: topic_defaults(settings),
        ..StoreOptions::new(log)
    })
}

/// What a topic is kept with that does not say so itself.
fn topic_defaults(settings: &Settings) -> TopicConfig {
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

/// What keeps the log small; the disk is that of the data directory.
fn housekeeping(settings: &Settings) -> HousekeepingOptions {
    let percent = |setting| in_u8(settings.number(setting));
    let clean = percent(&table::DISK_CLEAN_PERCENT);
    let interval = settings.number(&table::KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS);
    let directory = PathBuf::from(settings.text(&table::DATA_DIR));
    HousekeepingOptions {
        retention_interval: Duration::from_millis(interval),
        carry_bytes_per_second: settings.number(&table::CARRY_BYTES_PER_SECOND),
        disk: DiskLimits {
            warn_percent: percent(&table::DISK_WARN_PERCENT),
            clean_percent: (clean <= 100).then_some(clean),
            refuse_percent: percent(&table::DISK_REFUSE_PERCENT),
        },
        measure: Arc::new(move || Space::of(&directory)),
    }
}

/// The listeners are bound later, and handed over then.
fn net(settings: &Settings, choices: Choices) -> ServerOptions {
    let defaults = ServerOptions::default();
    ServerOptions {
        listeners: Vec::new(),
        reactors: match settings.number(&table::NET_REACTORS) {
            0 => defaults.reactors,
            reactors => in_usize(reactors),
        },
        workers: in_usize(settings.number(&table::NET_WORKERS)),
        fetchers: in_usize(settings.number(&table::NET_FETCHERS)),
        cold_reads: match settings.text(&table::NET_COLD_READS) {
            "keep" => ColdReads::Keep,
            "wait" => ColdReads::Wait,
            _ => ColdReads::LetGo,
        },
        idle_timeout: Duration::from_millis(settings.number(&table::NET_IDLE_TIMEOUT_MS)),
        connections_max: in_usize(settings.number(&table::NET_CONNECTIONS_MAX)),
        frame_size_max: in_usize(settings.number(&table::NET_FRAME_BYTES_MAX)),
        in_flight_bytes_max: settings.number(&table::NET_IN_FLIGHT_BYTES_MAX),
        choices,
        landings: match settings.text(&table::TRANSFER_LANDING) {
            "always" => Landings::ALWAYS,
            "never" => Landings::Never,
            _ => Landings::default(),
        },
        ..defaults
    }
}

fn kafka(settings: &Settings) -> KafkaOptions {
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

fn log(settings: &Settings, policy: Policy) -> Result<LogOptions, SettingsError> {
    let payload_size_max = in_u32(settings.number(&table::KAFKA_MESSAGE_MAX_BYTES));
    let segment_size = segment_size(settings, payload_size_max)?;
    let route = route(settings, policy, payload_size_max);
    Ok(LogOptions {
        spares_max: in_usize(settings.number(&table::SEGMENT_SPARES)),
        warm: warm(settings, policy),
        ..LogOptions::new(segment_size, route, payload_size_max)
    })
}

/// What the mapped route has made ready. Under `sync` what warming made dirty is written as it goes: else the next sync would.
fn warm(settings: &Settings, policy: Policy) -> Option<Warm> {
    const FLUSH_EVERY: Option<NonZeroU64> = NonZeroU64::new(4 << 20);
    let number = |setting| settings.number(setting);
    let window = match settings.text(&table::WARM) {
        "off" => return None,
        "whole" => None,
        _ => Some(number(&table::WARM_WINDOW_BYTES)),
    };
    Some(Warm {
        window,
        bytes_per_second: NonZeroU64::new(number(&table::WARM_BYTES_PER_SECOND)),
        flush_every: FLUSH_EVERY.filter(|_| policy == Policy::Sync),
        pin_window: number(&table::PIN_WINDOW_BYTES),
        pin_max: number(&table::PIN_BYTES),
    })
}

/// A segment is whole pages, and holds the largest batch.
fn segment_size(settings: &Settings, payload_size_max: u32) -> Result<u64, SettingsError> {
    let segment_size = settings.number(&table::SEGMENT_BYTES);
    let least = LogOptions::segment_size_min(payload_size_max);
    if segment_size < least {
        return Err(together(format!(
            "{} cannot hold {}: allowed is a segment of at least {least} bytes, or smaller batches",
            settings.shown(&table::SEGMENT_BYTES),
            settings.shown(&table::KAFKA_MESSAGE_MAX_BYTES),
        )));
    }
    if !segment_size.is_multiple_of(4096) {
        let shown = settings.shown(&table::SEGMENT_BYTES);
        return Err(together(format!(
            "{shown} is no multiple of 4096: segments are whole pages"
        )));
    }
    Ok(segment_size)
}

fn route(settings: &Settings, policy: Policy, payload_size_max: u32) -> Route {
    match (settings.text(&table::LOG_ROUTE), policy) {
        ("auto", Policy::Sync) | ("staged", _) => Route::Staged {
            ring_size: ring_size(settings, payload_size_max),
        },
        (_, _) => Route::Mapped,
    }
}

/// The ring as it was set, or as large as the largest batch needs it.
fn ring_size(settings: &Settings, payload_size_max: u32) -> usize {
    let asked = settings.number(&table::RING_BYTES);
    let needed = LogOptions::ring_size_min(payload_size_max).next_multiple_of(4096);
    if asked < needed {
        tracing::info!(
            "the ring is raised from {} to {}, to hold the largest batch",
            size(asked),
            size(needed)
        );
    }
    usize::try_from(asked.max(needed)).unwrap_or(usize::MAX)
}

/// A batch fits in a frame, and a frame in the budget of all frames; else it could never come in.
fn check_sizes(settings: &Settings) -> Result<(), SettingsError> {
    let chain = [
        &table::KAFKA_MESSAGE_MAX_BYTES,
        &table::NET_FRAME_BYTES_MAX,
        &table::NET_IN_FLIGHT_BYTES_MAX,
    ];
    for pair in chain.windows(2) {
        if settings.number(pair[0]) > settings.number(pair[1]) {
            let (inner, outer) = (settings.shown(pair[0]), settings.shown(pair[1]));
            return Err(together(format!(
                "{inner} does not fit in {outer}: lower the first or raise the second"
            )));
        }
    }
    Ok(())
}

fn together(message: String) -> SettingsError {
    SettingsError::Together(message)
}

// The ranges in the table lie within these types.

fn in_u8(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn in_i32(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn in_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn in_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn in_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::Configuration;
    use crate::settings::Settings;
    use crate::settings::source::{Assignment, Origin};
    use pagelog_commit_log::Route;
    use pagelog_flush::{Interval, Policy};
    use pagelog_kafka::KafkaOptions;

    fn configure(assignments: &[(&str, &str)]) -> Result<Configuration, String> {
        let assignment = |(name, text): &(&str, &str)| Assignment {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            origin: Origin::Flag("--set"),
        };
        let source = assignments.iter().map(assignment).collect();
        let settings = Settings::resolve(&[source]).map_err(|error| error.to_string())?;
        Configuration::new(&settings).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_stage_and_sync() {
        let configuration = configure(&[]).unwrap();
        assert_eq!(configuration.policy, Policy::Sync);
        assert_eq!(
            configuration.store.log.route,
            Route::Staged {
                ring_size: 16 << 20
            }
        );
        assert_eq!(configuration.store.log.segment_size, 1 << 30);
    }

    #[test]
    fn the_defaults_of_the_table_are_those_of_the_protocol() {
        let mut kafka = configure(&[]).unwrap().kafka;
        let shown = std::mem::take(&mut kafka.static_values);
        assert_eq!(kafka, KafkaOptions::default());
        let shown: Vec<&str> = shown.keys().map(String::as_str).collect();
        for name in ["broker.id", "log.dirs", "log.retention.ms", "node.id"] {
            assert!(shown.contains(&name), "{name} is not in {shown:?}");
        }
        assert!(!shown.contains(&"num.partitions"), "Kafka's default");
        let set = configure(&[("kafka.num.partitions", "3")]).unwrap();
        assert_eq!(set.kafka.static_values["num.partitions"], "3");
    }

    #[test]
    fn topics_are_kept_for_a_week_unless_that_is_said() {
        let defaults = configure(&[]).unwrap().store.topic_defaults;
        assert_eq!(defaults.retention_ms, Some(7 * 24 * 60 * 60 * 1000));
        assert_eq!(
            (defaults.retention_bytes, defaults.cleanup.compact),
            (None, false)
        );
        let said = configure(&[
            ("kafka.log.retention.ms", "-1"),
            ("kafka.log.retention.bytes", "5"),
            ("kafka.log.cleanup.policy", "compact,delete"),
            ("kafka.log.message.timestamp.type", "LogAppendTime"),
        ]);
        let said = said.unwrap().store.topic_defaults;
        assert_eq!((said.retention_ms, said.retention_bytes), (None, Some(5)));
        assert!(said.cleanup.compact && said.cleanup.delete);
        assert_eq!(said.timestamp_type, pagelog_store::TimestampType::Append);
    }

    #[test]
    fn the_largest_allowed_numbers_are_taken_as_they_are() {
        let gib = (1_u64 << 30).to_string();
        let most = configure(&[
            ("kafka.fetch.max.bytes", &gib),
            (
                "kafka.log.message.timestamp.before.max.ms",
                "9223372036854775807",
            ),
            ("flush.policy", "interval"),
            ("flush.pages.least", "1048576"),
        ]);
        let most = most.unwrap();
        assert_eq!(most.kafka.fetch_max_bytes, 1 << 30);
        assert_eq!(most.kafka.log_message_timestamp_before_max_ms, i64::MAX);
        assert!(matches!(
            most.policy,
            Policy::Interval(Interval {
                pages_least: 1_048_576,
                ..
            })
        ));
    }

    #[test]
    fn interval_maps_with_the_documented_times() {
        let configuration = configure(&[("flush.policy", "interval")]).unwrap();
        assert_eq!(configuration.policy, Policy::INTERVAL);
        assert_eq!(configuration.store.log.route, Route::Mapped);
    }

    #[test]
    fn either_policy_goes_with_either_route() {
        assert_eq!(
            configure(&[("log.route", "mapped")])
                .unwrap()
                .store
                .log
                .route,
            Route::Mapped
        );
        let staged = configure(&[
            ("log.route", "staged"),
            ("flush.policy", "interval"),
            ("write.interval.ms", "50"),
            ("write.pages.least", "16"),
        ])
        .unwrap();
        assert!(matches!(staged.store.log.route, Route::Staged { .. }));
        assert!(staged.store.acknowledges_appended);
        let Policy::Interval(interval) = staged.policy else {
            panic!("interval was asked for");
        };
        assert_eq!(interval.write_interval.as_millis(), 50);
        assert_eq!(interval.write_pages_least, 16);
    }

    #[test]
    fn warming_is_a_window_the_whole_or_off() {
        let warm = |assignments: &[(&str, &str)]| configure(assignments).unwrap().store.log.warm;
        let usual = warm(&[]).unwrap();
        assert_eq!((usual.window, usual.pin_max), (Some(64 << 20), 48 << 20));
        assert!(usual.flush_every.is_some() && usual.bytes_per_second.is_none());
        let whole = warm(&[("warm.ahead", "whole"), ("flush.policy", "interval")]).unwrap();
        assert_eq!((whole.window, whole.flush_every), (None, None));
        assert_eq!(warm(&[("warm.ahead", "off")]), None);
        let spares = configure(&[("segment.spares", "5")]).unwrap();
        assert_eq!(spares.store.log.spares_max, 5);
    }

    #[test]
    fn a_segment_holds_the_largest_batch() {
        let error = configure(&[("segment.bytes", "64KiB")]).unwrap_err();
        assert!(
            error.contains("kafka.message.max.bytes = 1048588 (default)"),
            "{error}"
        );
        let small = [
            ("segment.bytes", "64KiB"),
            ("kafka.message.max.bytes", "32KiB"),
        ];
        assert_eq!(configure(&small).unwrap().store.log.segment_size, 65536);
        let uneven = configure(&[("segment.bytes", "2000001")]).unwrap_err();
        assert!(uneven.contains("no multiple of 4096"), "{uneven}");
    }

    #[test]
    fn the_ring_is_raised_for_large_batches() {
        let Route::Staged { ring_size } = configure(&[("kafka.message.max.bytes", "32MiB")])
            .unwrap()
            .store
            .log
            .route
        else {
            panic!("sync stages");
        };
        assert!(ring_size > 64 << 20, "{ring_size}");
    }

    #[test]
    fn a_batch_fits_in_a_frame_and_a_frame_in_the_budget() {
        let error = configure(&[("net.frame.bytes.max", "1MiB")]).unwrap_err();
        assert!(
            error.contains("does not fit in net.frame.bytes.max = 1MiB (--set)"),
            "{error}"
        );
        let error = configure(&[("net.in-flight.bytes.max", "1MiB")]).unwrap_err();
        assert!(
            error.contains("does not fit in net.in-flight.bytes.max = 1MiB (--set)"),
            "{error}"
        );
    }
}
