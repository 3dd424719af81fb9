//! AlterConfigs and IncrementalAlterConfigs: what is set is checked, written, and answered when it is settled.
//!
//! Run on a worker, since the log may have no room at the moment; one at a time, since a change is read, made and written.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{Cleanup, ConfigValues, ConfigureTopicError, LogError};

use super::resource::Resource;
use crate::codec::ErrorCode;
use crate::codec::alter_configs::{AlterConfigsRequest, AlterConfigsResponse, AlterConfigsResult};
use crate::codec::incremental_alter_configs::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, IncrementalConfig,
    IncrementalResult,
};
use crate::configs::{self, ConfigType, Definition, Table, Update, elements};
use crate::handlers::changes::{Changes, Refused, deadline, log_error, reports};
use crate::handlers::connection::{Call, Refusal};
use crate::handlers::room::{room_deadline, with_room};

reports!(AlterConfigsResult, IncrementalResult);

/// How long a change of configurations may take; the requests name no time.
const TIMEOUT_MS: i32 = 30_000;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(in crate::handlers) fn alter(
    call: Call,
    request: AlterConfigsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, TIMEOUT_MS);
    Ok(Answer::Work(Box::new(move || {
        replace_all(call, &request, deadline)
    })))
}

fn replace_all(call: Call, request: &AlterConfigsRequest, deadline: Instant) -> Answer {
    let mut changes = Changes::new();
    for asked in &request.resources {
        let result = AlterConfigsResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            ..Default::default()
        };
        let (kind, name) = (asked.resource_type, asked.resource_name.as_str());
        let changed = change(&call, kind, name, request.validate_only, |table, _| {
            let given = asked.configs.iter();
            let given = given.map(|config| (config.name.as_str(), config.value.as_deref()));
            set_all(table, given)
        });
        changes.add(result, changed);
    }
    changes.answer(call, deadline, |call, responses| {
        call.respond(&AlterConfigsResponse {
            responses,
            ..Default::default()
        })
    })
}

pub(in crate::handlers) fn incremental(
    call: Call,
    request: IncrementalAlterConfigsRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, TIMEOUT_MS);
    Ok(Answer::Work(Box::new(move || {
        change_some(call, &request, deadline)
    })))
}

fn change_some(call: Call, request: &IncrementalAlterConfigsRequest, deadline: Instant) -> Answer {
    let mut changes = Changes::new();
    for asked in &request.resources {
        let result = IncrementalResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name.clone(),
            ..Default::default()
        };
        let (kind, name) = (asked.resource_type, asked.resource_name.as_str());
        let changed = change(&call, kind, name, request.validate_only, |table, old| {
            apply(table, old, &asked.configs)
        });
        changes.add(result, changed);
    }
    changes.answer(call, deadline, |call, responses| {
        call.respond(&IncrementalAlterConfigsResponse {
            responses,
            ..Default::default()
        })
    })
}

/// Reads what is configured, has it changed, checks and writes it.
fn change(
    call: &Call,
    kind: i8,
    name: &str,
    validate_only: bool,
    new: impl FnOnce(&'static Table, &ConfigValues) -> Result<ConfigValues, Refused>,
) -> Result<Position, Refused> {
    let broker = &call.broker;
    let one_at_a_time = broker.config_changes.lock();
    let _one_at_a_time = one_at_a_time.unwrap_or_else(PoisonError::into_inner);
    let store = &broker.store;
    let until = room_deadline(TIMEOUT_MS);
    match Resource::find(call, kind, name)? {
        Resource::Topic(topic) => {
            let values = new(configs::topic(), topic.config().values())?;
            check_topic(call, &values)?;
            if validate_only {
                return Ok(Position(0));
            }
            let configured = with_room(store, until, ConfigureTopicError::busy, || {
                store.configure_topic(topic.id(), &values)
            });
            configured.map_err(|error| match &error {
                ConfigureTopicError::Unknown { .. } => {
                    (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, error.to_string())
                }
                ConfigureTopicError::Log(source) => (log_error(source), error.to_string()),
            })
        }
        Resource::Broker(key) => {
            let old = store.config(&key);
            let values = new(configs::broker(), &old)?;
            check_broker(call, &old, &values)?;
            if validate_only {
                return Ok(Position(0));
            }
            let configured = with_room(store, until, LogError::busy, || {
                store.configure(&key, &values)
            });
            configured.map_err(|error| (log_error(&error), error.to_string()))
        }
    }
}

/// What a topic may be made with.
pub(in crate::handlers) fn topic_values<'a>(
    call: &Call,
    given: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<ConfigValues, Refused> {
    let values = set_all(configs::topic(), given)?;
    check_topic(call, &values)?;
    Ok(values)
}

fn invalid(message: String) -> Refused {
    (ErrorCode::INVALID_CONFIG, message)
}

fn find(table: &'static Table, name: &str) -> Result<&'static Definition, Refused> {
    let found = table.get(name);
    found.ok_or_else(|| invalid(format!("there is no configuration {name}")))
}

fn set_all<'a>(
    table: &'static Table,
    given: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<ConfigValues, Refused> {
    let mut values = ConfigValues::new();
    for (name, value) in given {
        let definition = find(table, name)?;
        let Some(value) = value else {
            return Err(invalid(format!("{name} is given without a value")));
        };
        definition.check(value).map_err(invalid)?;
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            let message = format!("{name} is given twice");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    }
    Ok(values)
}

fn apply(
    table: &'static Table,
    old: &ConfigValues,
    operations: &[IncrementalConfig],
) -> Result<ConfigValues, Refused> {
    let mut values = old.clone();
    let mut seen = HashSet::new();
    for operation in operations {
        let name = operation.name.as_str();
        if !seen.insert(name) {
            let message = format!("{name} is changed twice");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
        let definition = find(table, name)?;
        match changed(definition, values.get(name), operation)? {
            None => values.remove(name),
            Some(value) => {
                definition.check(&value).map_err(invalid)?;
                values.insert(name.to_owned(), value)
            }
        };
    }
    Ok(values)
}

/// The value after one operation (KIP-339); `None`: it is not set any more.
fn changed(
    definition: &Definition,
    old: Option<&String>,
    operation: &IncrementalConfig,
) -> Result<Option<String>, Refused> {
    let name = definition.name;
    if operation.operation == DELETE {
        return Ok(None);
    }
    let Some(given) = &operation.value else {
        let message = format!("{name} is given without a value");
        return Err((ErrorCode::INVALID_REQUEST, message));
    };
    if operation.operation == SET {
        return Ok(Some(given.clone()));
    }
    if definition.config_type != ConfigType::List {
        return Err(invalid(format!(
            "{name} is no list: nothing can be appended to it or taken from it"
        )));
    }
    let old = old.map_or(definition.default.unwrap_or_default(), String::as_str);
    let mut list: Vec<&str> = elements(old).collect();
    match operation.operation {
        APPEND => {
            for element in elements(given) {
                if !list.contains(&element) {
                    list.push(element);
                }
            }
        }
        SUBTRACT => list.retain(|element| elements(given).all(|gone| gone != *element)),
        unknown => {
            let message = format!("there is no operation {unknown} on configurations");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    }
    Ok(Some(list.join(",")))
}

/// What the table allows and this broker cannot keep.
fn check_topic(call: &Call, values: &ConfigValues) -> Result<(), Refused> {
    let value = |name: &str| values.get(name).map(String::as_str);
    check_compression(value("compression.type"))?;
    check_size(call, "max.message.bytes", value("max.message.bytes"))?;
    let is_true = |name| value(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_true("remote.storage.enable") {
        let message = "remote.storage.enable=true: there is no storage elsewhere here";
        return Err(invalid(message.to_owned()));
    }
    warn_of_compaction(value("cleanup.policy"));
    Ok(())
}

fn check_broker(call: &Call, old: &ConfigValues, new: &ConfigValues) -> Result<(), Refused> {
    let changed = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(value));
    for (name, _) in changed {
        let definition = find(configs::broker(), name)?;
        if definition.update != Update::ClusterWide {
            let message = format!("{name} cannot be changed while the broker runs");
            return Err((ErrorCode::INVALID_REQUEST, message));
        }
    }
    let value = |name: &str| new.get(name).map(String::as_str);
    check_compression(value("compression.type"))?;
    check_size(call, "message.max.bytes", value("message.max.bytes"))?;
    warn_of_compaction(value("log.cleanup.policy"));
    Ok(())
}

/// Batches lie in the log as they came.
fn check_compression(value: Option<&str>) -> Result<(), Refused> {
    match value {
        None | Some("producer") => Ok(()),
        Some(other) => Err(invalid(format!(
            "compression.type={other} would have the broker compress batches anew, which it never does; only producer is taken"
        ))),
    }
}

/// The log takes no batch that is larger than it was opened for.
fn check_size(call: &Call, name: &str, value: Option<&str>) -> Result<(), Refused> {
    let most = call.broker.store.log().options().payload_size_max;
    let asked = value.and_then(|value| value.trim().parse::<u32>().ok());
    if asked.is_none_or(|asked| asked <= most) {
        return Ok(());
    }
    Err(invalid(format!(
        "{name}={} is more than the {most} bytes that the log takes; start the broker with a larger kafka.message.max.bytes",
        asked.unwrap_or_default()
    )))
}

/// Says once in the life of the process that nothing is compacted yet.
fn warn_of_compaction(policy: Option<&str>) {
    static SAID: AtomicBool = AtomicBool::new(false);
    let compacts = policy
        .and_then(Cleanup::parse)
        .is_some_and(|cleanup| cleanup.compact);
    if compacts && !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a topic has cleanup.policy=compact: its records are kept, but compaction does not run yet, so older records of a key stay"
        );
    }
}
