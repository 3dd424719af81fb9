//! CreateTopics: answered when the new topics are settled.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{CreateTopicError, Topic, TopicName};

use super::awaiting::{Awaited, Outcome};
use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use super::room::{room_deadline, with_room};
use super::topic_configs;
use crate::codec::ErrorCode;
use crate::codec::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

/// Why a topic is not made: for the client's program, and for its user.
pub(super) type Refused = (ErrorCode, String);

/// A topic that may be made.
struct Plan {
    name: TopicName,
    partition_count: u32,
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

/// When a client that waits `timeout_ms` gives up.
pub(super) fn deadline(now: Instant, timeout_ms: i32) -> Instant {
    now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}

fn create(call: Call, request: &CreateTopicsRequest, deadline: Instant) -> Answer {
    let mut mentioned: HashMap<&str, u32> = HashMap::new();
    for topic in &request.topics {
        *mentioned.entry(&topic.name).or_default() += 1;
    }
    let mut results = Vec::new();
    let mut end = Position(0);
    for asked in &request.topics {
        // A name that is asked for twice is answered once, and refused.
        let Some(times) = mentioned.remove(asked.name.as_str()) else {
            continue;
        };
        let made = match times {
            1 => create_one(&call, asked, request),
            _ => Err((
                ErrorCode::INVALID_REQUEST,
                "the topic is asked for twice".to_owned(),
            )),
        };
        if let Ok(Some((_, created))) = &made {
            end = end.max(*created);
        }
        results.push(result(asked, made));
    }
    answer(call, results, end, deadline)
}

type Made = Option<(CreatableTopicResult, Position)>;

fn create_one(
    call: &Call,
    asked: &CreatableTopic,
    request: &CreateTopicsRequest,
) -> Result<Made, Refused> {
    let plan = plan(call, asked)?;
    let store = &call.broker.store;
    if request.validate_only {
        store
            .check_topic(&plan.name, plan.partition_count)
            .map_err(refused)?;
        return Ok(None);
    }
    let topic = with_room(
        store,
        room_deadline(request.timeout_ms),
        CreateTopicError::busy,
        || store.create_topic(&plan.name, plan.partition_count),
    )
    .map_err(refused)?;
    Ok(Some((described(&topic), topic.created())))
}

fn described(topic: &Topic) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name().as_str().to_owned(),
        topic_id: topic.id(),
        partition_count: topic.partitions().len() as i32,
        replication_factor: 1,
        ..Default::default()
    }
}

fn result(asked: &CreatableTopic, made: Result<Made, Refused>) -> CreatableTopicResult {
    match made {
        Ok(Some((result, _))) => result,
        Ok(None) => CreatableTopicResult {
            name: asked.name.clone(),
            ..Default::default()
        },
        Err((error, message)) => CreatableTopicResult {
            name: asked.name.clone(),
            error,
            error_message: Some(message),
            ..Default::default()
        },
    }
}

fn answer(
    call: Call,
    results: Vec<CreatableTopicResult>,
    end: Position,
    deadline: Instant,
) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at: end,
        deadline: Some(deadline),
    };
    awaited.then(move |outcome| {
        let mut topics = results;
        if let Some((error, message)) = late(outcome) {
            for topic in topics
                .iter_mut()
                .filter(|topic| topic.error == ErrorCode::NONE)
            {
                topic.error = error;
                topic.error_message = Some(message.to_owned());
            }
        }
        call.respond(&CreateTopicsResponse {
            topics,
            ..Default::default()
        })
    })
}

/// What to say of a change that is in the log but was not settled in time.
pub(super) fn late(outcome: Outcome) -> Option<(ErrorCode, &'static str)> {
    match outcome {
        Outcome::Reached => None,
        Outcome::TimedOut => Some((
            ErrorCode::REQUEST_TIMED_OUT,
            "not on the disk within the time; it may still come about",
        )),
        Outcome::Failed => Some((ErrorCode::KAFKA_STORAGE_ERROR, "the log has failed")),
    }
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
    topic_configs::check(&asked.configs).map_err(|message| (ErrorCode::INVALID_CONFIG, message))?;
    Ok(Plan {
        name,
        partition_count,
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

/// The log did not take an entry: for want of room, which may pass, or for good.
pub(super) fn log_error(error: &pagelog_store::LogError) -> ErrorCode {
    match error {
        pagelog_store::LogError::Busy(_) => ErrorCode::REQUEST_TIMED_OUT,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
