//! Metadata: this node, and the topics, some of which are made by being asked for.
//!
//! A topic is shown only once it is settled, whoever made it: a client must not learn of a topic that a power cut can take back.

use std::collections::HashSet;
use std::sync::Arc;

use pagelog_store::answer::{Answer, Position};
use pagelog_store::{CreateTopicError, Topic, TopicName};
use uuid::Uuid;

use super::authorized::{CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED, TOPIC_OPERATIONS};
use super::awaiting::{Awaited, Outcome};
use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use super::create_topics::refused;
use super::room::{room_deadline, with_room};
use crate::codec::ErrorCode;
use crate::codec::metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse,
    MetadataTopic,
};

/// How long making a topic may wait for room in the log; the request names no time.
const CREATE_TIMEOUT_MS: i32 = 10_000;

/// One topic of the answer.
enum Shown {
    Topic(Arc<Topic>),
    Error {
        error: ErrorCode,
        name: Option<String>,
        topic_id: Uuid,
    },
}

pub(super) fn handle(call: Call, request: MetadataRequest) -> Result<Answer, Refusal> {
    let asked = match &request.topics {
        // Version 0 cannot say null; its empty list is every topic, in later versions no topic.
        None => None,
        Some(topics) if topics.is_empty() && call.version == 0 => None,
        Some(topics) => Some(topics),
    };
    let Some(asked) = asked else {
        let is_long = call.broker.has_many_partitions();
        let topics = call.broker.store.topics();
        let show_all = move || {
            let shown = topics.iter().cloned().map(Shown::Topic).collect();
            show(call, shown, &request)
        };
        return Ok(if is_long {
            Answer::Work(Box::new(show_all))
        } else {
            show_all()
        });
    };
    if may_create(&call, &request) && asked.iter().any(|topic| is_missing(&call, topic)) {
        // Making a topic may have to wait for room in the log.
        return Ok(Answer::Work(Box::new(move || {
            let asked = request.topics.as_deref().unwrap_or_default();
            let shown = look_up(&call, asked, true);
            show(call, shown, &request)
        })));
    }
    let shown = look_up(&call, asked, false);
    Ok(show(call, shown, &request))
}

/// Before version 4 a client could not forbid it.
fn may_create(call: &Call, request: &MetadataRequest) -> bool {
    call.broker.options.auto_create_topics_enable
        && (call.version < 4 || request.allow_auto_topic_creation)
}

fn is_missing(call: &Call, asked: &MetadataRequestTopic) -> bool {
    let name = asked.name.as_deref().filter(|_| asked.topic_id.is_nil());
    name.is_some_and(|name| TopicName::new(name).is_ok() && call.broker.topic(name).is_none())
}

fn look_up(call: &Call, asked: &[MetadataRequestTopic], create: bool) -> Vec<Shown> {
    let mut seen = HashSet::new();
    let first_time =
        |topic: &&MetadataRequestTopic| seen.insert((topic.name.clone(), topic.topic_id));
    let asked: Vec<&MetadataRequestTopic> = asked.iter().filter(first_time).collect();
    asked
        .into_iter()
        .map(|topic| look_up_one(call, topic, create))
        .collect()
}

fn look_up_one(call: &Call, asked: &MetadataRequestTopic, create: bool) -> Shown {
    let found = match &asked.name {
        Some(name) if asked.topic_id.is_nil() => by_name(call, name, create),
        // Naming topics by id came with version 12; the field is older.
        _ if call.version < 12 => Err(ErrorCode::INVALID_REQUEST),
        _ => {
            let topics = call.broker.store.topics();
            topics
                .by_id(asked.topic_id)
                .cloned()
                .ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
        }
    };
    match found {
        Ok(topic) => Shown::Topic(topic),
        Err(error) => Shown::Error {
            error,
            // Before version 12 a name cannot be null.
            name: asked.name.clone().or((call.version < 12).then(String::new)),
            topic_id: asked.topic_id,
        },
    }
}

fn by_name(call: &Call, name: &str, create: bool) -> Result<Arc<Topic>, ErrorCode> {
    let name = TopicName::new(name).map_err(|_| ErrorCode::INVALID_TOPIC_EXCEPTION)?;
    match call.broker.topic(name.as_str()) {
        Some(topic) => Ok(topic),
        None if create => make(call, &name),
        None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

/// Makes a topic, or finds that another has just made it.
fn make(call: &Call, name: &TopicName) -> Result<Arc<Topic>, ErrorCode> {
    let options = &call.broker.options;
    let partition_count = u32::try_from(options.num_partitions).unwrap_or(1);
    let store = &call.broker.store;
    let made = with_room(
        store,
        room_deadline(CREATE_TIMEOUT_MS),
        CreateTopicError::busy,
        || store.create_topic(name, partition_count),
    );
    match made {
        Err(CreateTopicError::Exists { .. }) => call
            .broker
            .topic(name.as_str())
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        Err(error) => {
            let (code, message) = refused(error);
            tracing::warn!(topic = %name, "a topic that was asked for is not made: {message}");
            Err(code)
        }
        Ok(topic) => Ok(topic),
    }
}

/// The answer, when all topics in it are settled.
fn show(call: Call, shown: Vec<Shown>, request: &MetadataRequest) -> Answer {
    let created = shown.iter().map(|one| match one {
        Shown::Topic(topic) => topic.created(),
        Shown::Error { .. } => Position(0),
    });
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        at: created.max().unwrap_or(Position(0)),
        store,
        deadline: None,
    };
    let with_topic_operations = request.include_topic_authorized_operations;
    let with_cluster_operations = request.include_cluster_authorized_operations;
    awaited.then(move |outcome| {
        let operations = |asked, all| if asked { all } else { OPERATIONS_NOT_ASKED };
        let topics = shown.iter().map(|one| {
            let operations = operations(with_topic_operations, TOPIC_OPERATIONS);
            describe(&call, one, outcome, operations)
        });
        let response = MetadataResponse {
            brokers: vec![MetadataBroker {
                node_id: NODE_ID,
                host: call.advertised.host.clone(),
                port: i32::from(call.advertised.port),
                ..Default::default()
            }],
            cluster_id: Some(call.broker.cluster_id.clone()),
            controller_id: NODE_ID,
            topics: topics.collect(),
            cluster_authorized_operations: operations(with_cluster_operations, CLUSTER_OPERATIONS),
            ..Default::default()
        };
        call.respond(&response)
    })
}

fn describe(call: &Call, shown: &Shown, outcome: Outcome, operations: i32) -> MetadataTopic {
    let store = &call.broker.store;
    match shown {
        Shown::Error {
            error,
            name,
            topic_id,
        } => MetadataTopic {
            error: *error,
            name: name.clone(),
            topic_id: *topic_id,
            ..Default::default()
        },
        Shown::Topic(topic)
            if outcome != Outcome::Reached
                && !store.has_reached(store.settles_at(), topic.created()) =>
        {
            MetadataTopic {
                error: ErrorCode::KAFKA_STORAGE_ERROR,
                name: Some(topic.name().as_str().to_owned()),
                ..Default::default()
            }
        }
        Shown::Topic(topic) => MetadataTopic {
            name: Some(topic.name().as_str().to_owned()),
            topic_id: topic.id(),
            partitions: partitions(call, topic),
            topic_authorized_operations: operations,
            ..Default::default()
        },
    }
}

fn partitions(call: &Call, topic: &Topic) -> Vec<MetadataPartition> {
    let partition = |index| MetadataPartition {
        index,
        leader_id: NODE_ID,
        leader_epoch: call.broker.leader_epoch(),
        replica_nodes: vec![NODE_ID],
        isr_nodes: vec![NODE_ID],
        ..Default::default()
    };
    (0..topic.partitions().len() as i32)
        .map(partition)
        .collect()
}
