//! Metadata, CreateTopics, DeleteTopics.

use pagelog_kafka::codec::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse, ReplicaAssignment,
};
use pagelog_kafka::codec::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use pagelog_kafka::codec::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use pagelog_kafka::codec::{ApiKey, ErrorCode};
use uuid::Uuid;

use crate::client::{Client, decode};
use crate::home::{ADVERTISED, Home, wait_durable};

fn named(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic {
        name: Some(name.to_owned()),
        ..Default::default()
    }
}

fn about(topics: &[&str]) -> MetadataRequest {
    MetadataRequest {
        topics: Some(topics.iter().copied().map(named).collect()),
        ..Default::default()
    }
}

#[test]
fn asking_for_a_topic_makes_it_in_every_version() {
    let mut home = Home::new();
    home.kafka.num_partitions = 3;
    let running = home.start();
    let mut client = running.client();
    for version in ApiKey::Metadata.served() {
        let name = format!("topic-{version}");
        let response: MetadataResponse = client.ask(version, &about(&[&name]));
        let topic = &response.topics[0];
        assert_eq!(
            (topic.error, topic.partitions.len()),
            (ErrorCode::NONE, 3),
            "version {version}"
        );
        assert_eq!(topic.topic_id.is_nil(), version < 10);
        assert_eq!(topic.partitions[2].leader_id, 1);
        let broker = &response.brokers[0];
        assert_eq!(
            (broker.node_id, broker.host.as_str(), broker.port),
            (1, ADVERTISED.0, i32::from(ADVERTISED.1))
        );
        if version >= 2 {
            assert_eq!(
                response.cluster_id.as_deref(),
                Some(running.broker.cluster_id())
            );
        }
        // What was shown is on the disk.
        let made = running
            .broker
            .store
            .topics()
            .by_name(&name)
            .cloned()
            .expect("it was shown");
        assert!(running.broker.store.log().durable().get() >= made.created());
    }
    assert_eq!(running.broker.cluster_id().len(), 22);
    running.stop();
}

#[test]
fn nothing_is_made_when_client_or_setting_forbid_it() {
    let mut home = Home::new();
    let running = home.start();
    let mut client = running.client();
    let forbidden = MetadataRequest {
        allow_auto_topic_creation: false,
        ..about(&["a"])
    };
    for version in 4..=12 {
        let response: MetadataResponse = client.ask(version, &forbidden);
        assert_eq!(
            response.topics[0].error,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        );
    }
    drop(client);
    running.stop();

    home.kafka.auto_create_topics_enable = false;
    let running = home.start();
    let mut client = running.client();
    let response: MetadataResponse = client.ask(1, &about(&["a", "no/name"]));
    assert_eq!(
        response.topics[0].error,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    );
    assert_eq!(response.topics[1].error, ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert!(running.broker.store.topics().is_empty());
    running.stop();
}

#[test]
fn all_topics_none_or_one_by_its_id() {
    let running = Home::new().start();
    let mut client = running.client();
    let id = client.topic("a");
    client.topic("b");
    let count = |response: MetadataResponse| response.topics.len();
    assert_eq!(count(client.ask(0, &about(&[]))), 2);
    assert_eq!(count(client.ask(1, &about(&[]))), 0);
    let all = MetadataRequest {
        topics: None,
        ..Default::default()
    };
    assert_eq!(count(client.ask(1, &all)), 2);
    assert_eq!(count(client.ask(12, &all)), 2);
    assert_eq!(
        count(client.ask(12, &about(&["a", "a", "b"]))),
        2,
        "nobody is shown twice"
    );
    let by_id = |topic_id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id,
            name: None,
        }]),
        ..Default::default()
    };
    let found: MetadataResponse = client.ask(12, &by_id(id));
    assert_eq!(found.topics[0].name.as_deref(), Some("a"));
    let unknown: MetadataResponse = client.ask(12, &by_id(Uuid::from_u128(5)));
    assert_eq!(unknown.topics[0].error, ErrorCode::UNKNOWN_TOPIC_ID);
    running.stop();
}

#[test]
fn a_topic_is_shown_only_when_it_is_on_the_disk() {
    let home = Home::new();
    let (broker, mut sync) = home.open();
    let mut first = broker.client().send(12, &about(&["a"])).waits();
    let mut second = broker.client().send(12, &about(&["a"])).waits();
    assert!(first.poll().is_none() && second.poll().is_none());
    sync.write().expect("written");
    assert!(first.poll().is_none() && second.poll().is_none());
    sync.sync().expect("synced");
    let first: MetadataResponse = decode(&first.poll().expect("it is there"), 12);
    let second: MetadataResponse = decode(&second.poll().expect("it is there"), 12);
    assert_eq!(first.topics[0].topic_id, second.topics[0].topic_id);
}

fn creatable(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        partition_count: 2,
        replication_factor: 1,
        ..Default::default()
    }
}

fn create(
    client: &mut Client,
    version: i16,
    topics: Vec<CreatableTopic>,
) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest {
        topics,
        ..Default::default()
    };
    let response: CreateTopicsResponse = client.ask(version, &request);
    response.topics
}

#[test]
fn topics_are_made_and_deleted_in_every_version() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    for version in ApiKey::CreateTopics.served() {
        let name = format!("topic-{version}");
        let made = create(&mut client, version, vec![creatable(&name)]);
        assert_eq!(made[0].error, ErrorCode::NONE);
        if version >= 5 {
            assert_eq!(
                (made[0].partition_count, made[0].replication_factor),
                (2, 1)
            );
        }
        let found = running
            .broker
            .store
            .topics()
            .by_name(&name)
            .map(|topic| topic.id());
        if version >= 7 {
            assert_eq!(found, Some(made[0].topic_id));
        }
        let again = create(&mut client, version, vec![creatable(&name)]);
        assert_eq!(again[0].error, ErrorCode::TOPIC_ALREADY_EXISTS);
    }
    for version in ApiKey::DeleteTopics.served() {
        let name = format!("topic-{}", version + 1);
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState {
                name: Some(name.clone()),
                ..Default::default()
            }],
            names: vec![name.clone()],
            timeout_ms: 30_000,
        };
        let response: DeleteTopicsResponse = client.ask(version, &request);
        assert_eq!(
            response.topics[0].error,
            ErrorCode::NONE,
            "version {version}"
        );
        let again: DeleteTopicsResponse = client.ask(version, &request);
        assert_eq!(again.topics[0].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    drop(client);
    running.stop();
    let running = home.start();
    assert!(running.broker.store.topics().is_empty());
    running.stop();
}

#[test]
fn what_cannot_be_made_is_refused_for_its_reason() {
    let mut home = Home::new();
    home.store.partitions_max = 100;
    let running = home.start();
    let mut client = running.client();
    let assignment = |index, node| ReplicaAssignment {
        partition_index: index,
        broker_ids: vec![node],
    };
    let assigned = |assignments: &[ReplicaAssignment]| CreatableTopic {
        partition_count: -1,
        replication_factor: -1,
        assignments: assignments.to_vec(),
        ..creatable("assigned")
    };
    let cases = [
        (creatable("no name"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (
            CreatableTopic {
                partition_count: 0,
                ..creatable("a")
            },
            ErrorCode::INVALID_PARTITIONS,
        ),
        (
            CreatableTopic {
                partition_count: -7,
                ..creatable("a")
            },
            ErrorCode::INVALID_PARTITIONS,
        ),
        (
            CreatableTopic {
                partition_count: 101,
                ..creatable("a")
            },
            ErrorCode::POLICY_VIOLATION,
        ),
        (
            CreatableTopic {
                partition_count: i32::MAX,
                ..creatable("a")
            },
            ErrorCode::POLICY_VIOLATION,
        ),
        (
            CreatableTopic {
                replication_factor: 3,
                ..creatable("a")
            },
            ErrorCode::INVALID_REPLICATION_FACTOR,
        ),
        (
            CreatableTopic {
                assignments: vec![assignment(0, 1)],
                ..creatable("a")
            },
            ErrorCode::INVALID_REQUEST,
        ),
        (
            assigned(&[assignment(0, 2)]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        ),
        (
            assigned(&[assignment(0, 1), assignment(2, 1)]),
            ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        ),
        (
            assigned(&[assignment(1, 1), assignment(0, 1)]),
            ErrorCode::NONE,
        ),
        (
            CreatableTopic {
                configs: vec![CreatableTopicConfig {
                    name: "cleanup.policy".to_owned(),
                    value: Some("burn".to_owned()),
                }],
                ..creatable("a")
            },
            ErrorCode::INVALID_CONFIG,
        ),
        (
            CreatableTopic {
                partition_count: -1,
                replication_factor: -1,
                ..creatable("defaults")
            },
            ErrorCode::NONE,
        ),
    ];
    for (topic, error) in cases {
        let shown = format!("{topic:?}");
        let made = create(&mut client, 7, vec![topic]);
        assert_eq!(made[0].error, error, "{shown}");
        assert_eq!(made[0].error_message.is_some(), error != ErrorCode::NONE);
    }
    let twice = create(
        &mut client,
        7,
        vec![creatable("twice"), creatable("twice"), creatable("once")],
    );
    let errors: Vec<_> = twice
        .iter()
        .map(|one| (one.name.as_str(), one.error))
        .collect();
    assert_eq!(
        errors,
        [
            ("twice", ErrorCode::INVALID_REQUEST),
            ("once", ErrorCode::NONE)
        ]
    );
    running.stop();
}

#[test]
fn a_validated_topic_is_not_made() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("there");
    let request = CreateTopicsRequest {
        topics: vec![creatable("there"), creatable("new")],
        validate_only: true,
        ..Default::default()
    };
    let response: CreateTopicsResponse = client.ask(7, &request);
    let errors: Vec<_> = response.topics.iter().map(|one| one.error).collect();
    assert_eq!(errors, [ErrorCode::TOPIC_ALREADY_EXISTS, ErrorCode::NONE]);
    assert!(running.broker.store.topics().by_name("new").is_none());
    running.stop();
}

#[test]
fn topics_are_deleted_by_id_and_only_when_that_is_allowed() {
    let mut home = Home::new();
    let running = home.start();
    let mut client = running.client();
    let id = client.topic("a");
    let request = |states: &[(Option<&str>, Uuid)]| DeleteTopicsRequest {
        topics: states
            .iter()
            .map(|(name, topic_id)| DeleteTopicState {
                name: name.map(str::to_owned),
                topic_id: *topic_id,
            })
            .collect(),
        timeout_ms: 30_000,
        ..Default::default()
    };
    let states = [
        (None, Uuid::from_u128(5)),
        (Some("a"), id),
        (None, Uuid::nil()),
        (None, id),
    ];
    let response: DeleteTopicsResponse = client.ask(6, &request(&states));
    let errors: Vec<_> = response.topics.iter().map(|one| one.error).collect();
    assert_eq!(
        errors,
        [
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::INVALID_REQUEST,
            ErrorCode::INVALID_REQUEST,
            ErrorCode::NONE
        ]
    );
    assert_eq!(response.topics[3].name.as_deref(), Some("a"));
    client.topic("b");
    wait_durable(&running.broker.store, running.broker.store.log().appended());
    drop(client);
    running.stop();

    home.kafka.delete_topic_enable = false;
    let running = home.start();
    let response: DeleteTopicsResponse = running
        .client()
        .ask(6, &request(&[(Some("b"), Uuid::nil())]));
    assert_eq!(response.topics[0].error, ErrorCode::TOPIC_DELETION_DISABLED);
    running.stop();
}
