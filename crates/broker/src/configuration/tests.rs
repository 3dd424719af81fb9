//! What the settings come to mean, and which do not go together.

use super::Configuration;
use crate::settings::Settings;
use crate::settings::source::{Assignment, Origin};
use pagelog_commit_log::Route;
use pagelog_flush::{Interval, Policy};
use pagelog_kafka::KafkaOptions;
use pagelog_os::probe::Overwrite;

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
fn blocks_are_written_ahead_of_syncs_only() {
    let ahead = |assignments: &[(&str, &str)]| configure(assignments).unwrap().store.log.prewrite;
    assert_eq!(ahead(&[]), 16 << 20);
    assert_eq!(ahead(&[("prewrite.bytes", "0")]), 0);
    assert_eq!(ahead(&[("flush.policy", "interval")]), 0);
}

#[test]
fn interval_maps_with_the_documented_times() {
    let configuration = configure(&[("flush.policy", "interval")]).unwrap();
    assert_eq!(configuration.policy, Policy::INTERVAL);
    assert_eq!(configuration.store.log.route, Route::Mapped);
}

#[test]
fn nothing_is_mapped_where_a_change_takes_new_blocks() {
    let suited = |assignments: &[(&str, &str)], overwrite| {
        let mut configuration = configure(assignments).unwrap();
        configuration.suit(overwrite).map(|()| configuration.store)
    };
    let interval = ("flush.policy", "interval");
    for fit in [
        Overwrite::InPlace,
        Overwrite::InPlaceOnRequest,
        Overwrite::Unknown,
    ] {
        assert_eq!(suited(&[interval], fit).unwrap().log.route, Route::Mapped);
    }
    let store = suited(&[interval], Overwrite::Elsewhere).unwrap();
    let asked = configure(&[interval, ("log.route", "staged")])
        .unwrap()
        .store;
    assert_eq!(store.log.route, asked.log.route);
    assert!(store.acknowledges_appended && asked.acknowledges_appended);

    let mapped = ("log.route", "mapped");
    let refused = suited(&[interval, mapped], Overwrite::Elsewhere).unwrap_err();
    assert!(
        refused.to_string().contains("log.route=mapped"),
        "{refused}"
    );
    let synced = suited(&[], Overwrite::Elsewhere).unwrap();
    assert!(!synced.acknowledges_appended);
    // An entry over zeros would take a new block.
    assert_eq!(synced.log.prewrite, 0);
    let marked = suited(&[], Overwrite::InPlaceOnRequest).unwrap();
    assert!(marked.log.prewrite > 0);
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
