//! CreateTopics: answered when the new topics are settled.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::time::Instant;

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{ConfigValues, CreateTopicError, Topic, TopicName};

use super::broker::NODE_ID;
use super::changes::{Changes, Refused, deadline, log_error, once_each, reports};
use super::configs::{self, topic_values};
use super::connection::{Call, Refusal};
use super::room::{room_deadline, with_room};
use crate::codec::ErrorCode;
use crate::codec::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse, TopicConfig,
};

reports!(CreatableTopicResult);

/// A topic that may be made.
struct Plan {
    name: TopicName,
    partition_count: u32,
    values: ConfigValues,
}

pub(super) fn handle(
    call: Call,
    request: CreateTopicsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, request.timeout_ms);
    Ok(Answer::Work(Box::new(move || {
        create(call, &request, deadline)
    })))
}

fn create(call: Call, request: &CreateTopicsRequest, deadline: Instant) -> Answer {
    let mut changes = Changes::new();
    for (asked, once) in once_each(&request.topics, |topic| &topic.name) {
        let mut result = CreatableTopicResult {
            name: asked.name.clone(),
            ..Default::default()
        };
        let made = once.and_then(|()| create_one(&call, asked, request, &mut result));
        changes.add(result, made);
    }
    changes.answer(call, deadline, |call, topics| {
        call.respond(&CreateTopicsResponse {
            topics,
            ..Default::default()
        })
    })
}

/// Makes a topic, or sees whether it could be made, and fills in what the client is told of it.
fn create_one(
    call: &Call,
    asked: &CreatableTopic,
    request: &CreateTopicsRequest,
    result: &mut CreatableTopicResult,
) -> Result<Position, Refused> {
    let plan = plan(call, asked)?;
    let store = &call.broker.store;
    if request.validate_only {
        store
            .check_topic(&plan.name, plan.partition_count)
            .map_err(refused)?;
        result.partition_count = plan.partition_count as i32;
        result.replication_factor = 1;
        result.configs = Some(described(call, &plan.values));
        return Ok(Position(0));
    }
    let topic = with_room(
        store,
        room_deadline(request.timeout_ms),
        CreateTopicError::busy,
        || store.create_configured_topic(&plan.name, plan.partition_count, &plan.values),
    )
    .map_err(refused)?;
    fill(call, &topic, result);
    Ok(topic.created())
}

fn fill(call: &Call, topic: &Topic, result: &mut CreatableTopicResult) {
    result.topic_id = topic.id();
    result.partition_count = topic.partitions().len() as i32;
    result.replication_factor = 1;
    result.configs = Some(described(call, topic.config().values()));
}

/// The whole configuration of a topic that sets `values` (KIP-525).
fn described(call: &Call, values: &ConfigValues) -> Vec<TopicConfig> {
    if call.version < 5 {
        return Vec::new();
    }
    let all = configs::Known::of(call).topic(values);
    let one = |entry: configs::Entry| TopicConfig {
        name: entry.name.to_owned(),
        value: entry.value,
        read_only: false,
        source: entry.source as i8,
        is_sensitive: entry.is_sensitive,
    };
    all.into_iter().map(one).collect()
}

fn plan(call: &Call, asked: &CreatableTopic) -> Result<Plan, Refused> {
    let name = TopicName::new(&asked.name)
        .map_err(|error| (ErrorCode::INVALID_TOPIC_EXCEPTION, error.to_string()))?;
    let partition_count = if asked.assignments.is_empty() {
        check_replication(asked.replication_factor)?;
        partition_count(call, asked.partition_count)?
    } else {
        assigned_partition_count(asked)?
    };
    let given = asked.configs.iter();
    let given = given.map(|config| (config.name.as_str(), config.value.as_deref()));
    Ok(Plan {
        name,
        partition_count,
        values: topic_values(call, given)?,
    })
}

fn partition_count(call: &Call, asked: i32) -> Result<u32, Refused> {
    let count = if asked == -1 {
        call.broker.options.num_partitions
    } else {
        asked
    };
    match u32::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err((
            ErrorCode::INVALID_PARTITIONS,
            format!("a topic has at least one partition, not {count}"),
        )),
    }
}

/// One copy is the default, and all that one node can hold.
fn check_replication(asked: i16) -> Result<(), Refused> {
    if asked == 1 || asked == -1 {
        return Ok(());
    }
    Err((
        ErrorCode::INVALID_REPLICATION_FACTOR,
        format!("replication factor {asked} needs as many nodes; there is one"),
    ))
}

/// Assignments name every partition from 0 on once, each with the one node that there is.
fn assigned_partition_count(asked: &CreatableTopic) -> Result<u32, Refused> {
    if asked.partition_count != -1 || asked.replication_factor != -1 {
        let message = "with assignments, partition count and replication factor are -1".to_owned();
        return Err((ErrorCode::INVALID_REQUEST, message));
    }
    let mut indexes: Vec<i32> = asked
        .assignments
        .iter()
        .map(|one| one.partition_index)
        .collect();
    indexes.sort_unstable();
    let are_dense = indexes
        .iter()
        .zip(0..)
        .all(|(index, expected)| *index == expected);
    let are_here = asked
        .assignments
        .iter()
        .all(|one| one.broker_ids == [NODE_ID]);
    if are_dense && are_here {
        return Ok(indexes.len() as u32);
    }
    let message =
        format!("assignments name partitions 0, 1, 2, … once, each on node {NODE_ID} alone");
    Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, message))
}

/// What a client is told of a topic that the store did not make.
pub(super) fn refused(error: CreateTopicError) -> Refused {
    let code = match &error {
        CreateTopicError::Exists { .. } => ErrorCode::TOPIC_ALREADY_EXISTS,
        CreateTopicError::NoPartitions => ErrorCode::INVALID_PARTITIONS,
        CreateTopicError::TooManyPartitions { .. } | CreateTopicError::StreamsExhausted => {
            ErrorCode::POLICY_VIOLATION
        }
        CreateTopicError::Log(error) => log_error(error),
    };
    (code, error.to_string())
}
