//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources, and what configurations do to a Produce.

use pagelog_kafka::batch::{BatchBuilder, NewRecord};
use pagelog_kafka::codec::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResponse, AlterableConfig,
};
use pagelog_kafka::codec::describe_configs::{
    DescribeConfigsEntry, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResponse,
};
use pagelog_kafka::codec::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, IncrementalConfig,
    IncrementalResource,
};
use pagelog_kafka::codec::list_config_resources::{
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use pagelog_kafka::codec::{ApiKey, ErrorCode};

use crate::client::{Client, batch};
use crate::home::Home;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The error, and the configurations.
fn described(
    client: &mut Client,
    version: i16,
    kind: i8,
    name: &str,
) -> (ErrorCode, Vec<DescribeConfigsEntry>) {
    let request = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            keys: None,
        }],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut response: DescribeConfigsResponse = client.ask(version, &request);
    let result = response.results.remove(0);
    (result.error, result.configs)
}

/// Value, source, and the sources of all synonyms.
fn shown(client: &mut Client, kind: i8, name: &str, config: &str) -> (String, i8, Vec<i8>) {
    let (error, entries) = described(client, 4, kind, name);
    assert_eq!(error, ErrorCode::NONE);
    let entry = entries.iter().find(|entry| entry.name == config);
    let entry = entry.expect(config);
    let sources = entry.synonyms.iter().map(|synonym| synonym.source);
    (
        entry.value.clone().unwrap_or_default(),
        entry.source,
        sources.collect(),
    )
}

fn change(client: &mut Client, kind: i8, name: &str, changes: &[(i8, &str, &str)]) -> ErrorCode {
    let config = |(operation, name, value): &(i8, &str, &str)| IncrementalConfig {
        name: (*name).to_owned(),
        operation: *operation,
        value: (*operation != DELETE).then(|| (*value).to_owned()),
    };
    let request = IncrementalAlterConfigsRequest {
        resources: vec![IncrementalResource {
            resource_type: kind,
            resource_name: name.to_owned(),
            configs: changes.iter().map(config).collect(),
        }],
        ..Default::default()
    };
    let response: IncrementalAlterConfigsResponse = client.ask(1, &request);
    let result = &response.responses[0];
    assert_eq!(
        result.error_message.is_some(),
        result.error != ErrorCode::NONE
    );
    result.error
}

#[test]
fn every_configuration_is_described_in_every_version() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    for version in ApiKey::DescribeConfigs.served() {
        for (kind, name, count) in [(TOPIC, "a", 33), (BROKER, "1", 340), (BROKER, "", 0)] {
            let (error, entries) = described(&mut client, version, kind, name);
            assert_eq!((error, entries.len()), (ErrorCode::NONE, count), "{name}");
            let documented = |one: &DescribeConfigsEntry| one.documentation.is_some();
            assert_eq!(entries.iter().all(documented), version >= 3 || count == 0);
        }
    }
    for (kind, name, error) in [
        (TOPIC, "b", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (BROKER, "2", ErrorCode::INVALID_REQUEST),
        (77, "a", ErrorCode::INVALID_REQUEST),
    ] {
        assert_eq!(described(&mut client, 4, kind, name).0, error);
    }
    let few = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "a".to_owned(),
            keys: Some(vec!["retention.ms".to_owned(), "nonsense".to_owned()]),
        }],
        ..Default::default()
    };
    let response: DescribeConfigsResponse = client.ask(4, &few);
    let entry = &response.results[0].configs[0];
    assert_eq!(response.results[0].configs.len(), 1);
    assert_eq!(
        (entry.value.as_deref(), entry.source, entry.config_type),
        (Some("604800000"), 5, 5)
    );
    running.stop();
}

#[test]
fn a_value_comes_from_the_strongest_place_that_sets_it() {
    let mut home = Home::new();
    let settings = &mut home.kafka.static_values;
    settings.insert("message.max.bytes".to_owned(), "8192".to_owned());
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let name = "max.message.bytes";
    assert_eq!(
        shown(&mut client, TOPIC, "a", name),
        ("8192".to_owned(), 4, vec![4, 5])
    );
    for (kind, resource, config, value, expected) in [
        (BROKER, "", "message.max.bytes", "7000", vec![3, 4, 5]),
        (BROKER, "1", "message.max.bytes", "6000", vec![2, 3, 4, 5]),
        (TOPIC, "a", name, "5000", vec![1, 2, 3, 4, 5]),
    ] {
        let changed = change(&mut client, kind, resource, &[(SET, config, value)]);
        assert_eq!(changed, ErrorCode::NONE);
        let found = shown(&mut client, TOPIC, "a", name);
        assert_eq!(found, (value.to_owned(), expected[0], expected));
    }
    let topics = running.broker.store.topics();
    let config = topics.by_name("a").expect("it is there").config();
    assert_eq!(config.message_size_max, Some(5000));
    drop((topics, client));
    running.stop();

    let running = home.start();
    let mut client = running.client();
    let undo = |client: &mut Client, kind, resource, config| {
        let changed = change(client, kind, resource, &[(DELETE, config, "")]);
        assert_eq!(changed, ErrorCode::NONE);
        shown(client, TOPIC, "a", name).0
    };
    assert_eq!(
        shown(&mut client, TOPIC, "a", name).0,
        "5000",
        "it was kept"
    );
    assert_eq!(undo(&mut client, TOPIC, "a", name), "6000");
    assert_eq!(undo(&mut client, BROKER, "1", "message.max.bytes"), "7000");
    assert_eq!(undo(&mut client, BROKER, "", "message.max.bytes"), "8192");
    running.stop();
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let invalid = ErrorCode::INVALID_CONFIG;
    for (changes, error) in [
        (&[(SET, "nonsense", "1")][..], invalid),
        (&[(SET, "retention.ms", "soon")], invalid),
        (&[(SET, "retention.ms", "-2")], invalid),
        (&[(SET, "compression.type", "zstd")], invalid),
        (&[(SET, "compression.type", "producer")], ErrorCode::NONE),
        (&[(SET, "remote.storage.enable", "true")], invalid),
        (&[(SET, "max.message.bytes", "8193")], invalid),
        (&[(APPEND, "retention.ms", "1")], invalid),
        (
            &[(9, "cleanup.policy", "delete")],
            ErrorCode::INVALID_REQUEST,
        ),
        (
            &[(SET, "retention.ms", "1"), (DELETE, "retention.ms", "")],
            ErrorCode::INVALID_REQUEST,
        ),
        (
            &[(SET, "segment.ms", "1000"), (SET, "flush.ms", "5")],
            ErrorCode::NONE,
        ),
    ] {
        assert_eq!(
            change(&mut client, TOPIC, "a", changes),
            error,
            "{changes:?}"
        );
    }
    for (name, error) in [
        ("nonsense", invalid),
        ("num.partitions", ErrorCode::INVALID_REQUEST),
        ("advertised.listeners", ErrorCode::INVALID_REQUEST),
        ("log.retention.ms", ErrorCode::NONE),
    ] {
        assert_eq!(change(&mut client, BROKER, "1", &[(SET, name, "5")]), error);
    }
    let unknown = change(&mut client, TOPIC, "b", &[(SET, "retention.ms", "1")]);
    assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    running.stop();
}

#[test]
fn lists_are_changed_by_their_elements() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let name = "cleanup.policy";
    for (operation, given, expected) in [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SET, "delete", "delete"),
    ] {
        let changed = change(&mut client, TOPIC, "a", &[(operation, name, given)]);
        assert_eq!(changed, ErrorCode::NONE);
        assert_eq!(shown(&mut client, TOPIC, "a", name).0, expected);
    }
    running.stop();
}

#[test]
fn the_older_way_replaces_everything_and_may_only_look() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let request = |validate_only, configs: &[(&str, &str)]| AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "a".to_owned(),
            configs: configs
                .iter()
                .map(|(name, value)| AlterableConfig {
                    name: (*name).to_owned(),
                    value: Some((*value).to_owned()),
                })
                .collect(),
        }],
        validate_only,
    };
    for version in ApiKey::AlterConfigs.served() {
        for (validate_only, configs, expected) in [
            (
                false,
                &[("retention.ms", "5"), ("segment.ms", "9")][..],
                "5",
            ),
            (true, &[("retention.ms", "6")], "5"),
            (false, &[("segment.ms", "9")], "604800000"),
        ] {
            let response: AlterConfigsResponse =
                client.ask(version, &request(validate_only, configs));
            assert_eq!(response.responses[0].error, ErrorCode::NONE);
            assert_eq!(shown(&mut client, TOPIC, "a", "retention.ms").0, expected);
        }
    }
    let wrong: AlterConfigsResponse = client.ask(2, &request(true, &[("nonsense", "")]));
    assert_eq!(wrong.responses[0].error, ErrorCode::INVALID_CONFIG);
    running.stop();
}

#[test]
fn what_has_a_configuration_is_listed() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("b");
    client.topic("a");
    let mut listed = |version, kinds: &[i8]| {
        let request = ListConfigResourcesRequest {
            resource_types: kinds.to_vec(),
        };
        let response: ListConfigResourcesResponse = client.ask(version, &request);
        let resources = response.resources.into_iter();
        let named: Vec<_> = resources.map(|one| (one.resource_type, one.name)).collect();
        (response.error, named)
    };
    let resource = |kind, name: &str| (kind, name.to_owned());
    let all = vec![
        resource(TOPIC, "a"),
        resource(TOPIC, "b"),
        resource(BROKER, "1"),
    ];
    assert_eq!(listed(1, &[]), (ErrorCode::NONE, all));
    let broker = vec![resource(BROKER, "1")];
    assert_eq!(listed(1, &[BROKER, 32]), (ErrorCode::NONE, broker));
    assert_eq!(listed(0, &[]), (ErrorCode::NONE, Vec::new()));
    assert_eq!(listed(1, &[77]).0, ErrorCode::UNSUPPORTED_VERSION);
    running.stop();
}

#[test]
fn a_topics_configuration_judges_what_is_produced() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let plain = batch(&[b"value"]);
    let keyed = || {
        let mut builder = BatchBuilder::new();
        builder.push(&NewRecord {
            timestamp: 1000,
            key: Some(b"key"),
            ..Default::default()
        });
        builder.build()
    };
    let mut with = |changes: &[(i8, &str, &str)], records: &[u8]| {
        assert_eq!(change(&mut client, TOPIC, "a", changes), ErrorCode::NONE);
        client.produce("a", records)
    };
    let small = with(&[(SET, "max.message.bytes", "70")], &plain);
    assert_eq!(small.error, ErrorCode::MESSAGE_TOO_LARGE);
    let old = with(
        &[
            (DELETE, "max.message.bytes", ""),
            (SET, "message.timestamp.before.max.ms", "5000"),
        ],
        &plain,
    );
    assert_eq!(old.error, ErrorCode::INVALID_TIMESTAMP);
    let appended = with(&[(SET, "message.timestamp.type", "LogAppendTime")], &plain);
    assert_eq!(appended.error, ErrorCode::NONE);
    assert!(appended.log_append_time_ms > 1_000_000_000_000);
    let lonely = with(&[(SET, "min.insync.replicas", "2")], &plain);
    assert_eq!(lonely.error, ErrorCode::NOT_ENOUGH_REPLICAS);
    let compacted = [
        (DELETE, "min.insync.replicas", ""),
        (SET, "cleanup.policy", "compact"),
    ];
    let refused = with(&compacted, &plain);
    assert_eq!(refused.error, ErrorCode::INVALID_RECORD);
    assert_eq!(refused.record_errors[0].batch_index, 0);
    let created = [
        (SET, "message.timestamp.type", "CreateTime"),
        (DELETE, "message.timestamp.before.max.ms", ""),
    ];
    let kept = with(&created, &keyed());
    assert_eq!((kept.error, kept.log_append_time_ms), (ErrorCode::NONE, -1));
    running.stop();
}
