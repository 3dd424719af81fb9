//! DeleteTopics: by name, from version 6 on by id too; answered when the deletion is settled.
//!
//! Runs on a worker, since the log may have no room at the moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{DeleteTopicError, Topic};
use uuid::Uuid;

use super::changes::{Changes, Refused, deadline, log_error, reports};
use super::connection::{Call, Refusal};
use super::room::{room_deadline, with_room};
use crate::codec::ErrorCode;
use crate::codec::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};

reports!(DeletableTopicResult);

pub(super) fn handle(
    call: Call,
    request: DeleteTopicsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, request.timeout_ms);
    Ok(Answer::Work(Box::new(move || {
        delete(call, request, deadline)
    })))
}

fn delete(call: Call, request: DeleteTopicsRequest, deadline: Instant) -> Answer {
    let asked = asked(&call, request.topics, request.names);
    let mut times: HashMap<(Option<String>, Uuid), u32> = HashMap::new();
    for topic in &asked {
        *times
            .entry((topic.name.clone(), topic.topic_id))
            .or_default() += 1;
    }
    let mut changes = Changes::new();
    for topic in asked {
        let mut result = DeletableTopicResult {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            ..Default::default()
        };
        let deleted = match times.get(&(topic.name.clone(), topic.topic_id)) {
            Some(1) => delete_one(&call, &topic, request.timeout_ms),
            _ => Err((
                ErrorCode::INVALID_REQUEST,
                "the topic is named twice".to_owned(),
            )),
        };
        let deleted = deleted.map(|(topic, end)| {
            result.name = Some(topic.name().as_str().to_owned());
            result.topic_id = topic.id();
            end
        });
        changes.add(result, deleted);
    }
    changes.answer(call, deadline, |call, topics| {
        call.respond(&DeleteTopicsResponse {
            topics,
            ..Default::default()
        })
    })
}

/// Both forms of the question as the newer one.
fn asked(call: &Call, topics: Vec<DeleteTopicState>, names: Vec<String>) -> Vec<DeleteTopicState> {
    if call.version >= 6 {
        return topics;
    }
    let named = |name| DeleteTopicState {
        name: Some(name),
        topic_id: Uuid::nil(),
    };
    names.into_iter().map(named).collect()
}

fn delete_one(
    call: &Call,
    asked: &DeleteTopicState,
    timeout_ms: i32,
) -> Result<(Arc<Topic>, Position), Refused> {
    if !call.broker.options.delete_topic_enable {
        let message = "delete.topic.enable is false".to_owned();
        return Err((ErrorCode::TOPIC_DELETION_DISABLED, message));
    }
    let topic = find(call, asked)?;
    let store = &call.broker.store;
    let deleted = with_room(
        store,
        room_deadline(timeout_ms),
        DeleteTopicError::busy,
        || store.delete_topic(topic.id()),
    );
    match deleted {
        Ok(at) => Ok((topic, at)),
        Err(error) => {
            let code = match &error {
                DeleteTopicError::Unknown { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                DeleteTopicError::Log(error) => log_error(error),
            };
            Err((code, error.to_string()))
        }
    }
}

fn find(call: &Call, asked: &DeleteTopicState) -> Result<Arc<Topic>, Refused> {
    let topics = call.broker.store.topics();
    let (found, error) = match (&asked.name, asked.topic_id.is_nil()) {
        (Some(name), true) => (topics.by_name(name), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (None, false) => (topics.by_id(asked.topic_id), ErrorCode::UNKNOWN_TOPIC_ID),
        _ => {
            let message = "a topic is named by its name or by its id".to_owned();
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    };
    found
        .cloned()
        .ok_or((error, "there is no such topic".to_owned()))
}
