//! AlterClientQuotas: checked, kept by the store, in force at once, answered when settled.

use std::sync::PoisonError;
use std::time::Instant;

use pagelog_store::answer::{Answer, Context, Position};
use pagelog_store::{ConfigKey, ConfigKind, ConfigValues, LogError};

use super::entity::Entity;
use super::{CONSUMER_BYTE_RATE, PRODUCER_BYTE_RATE};
use crate::codec::ErrorCode;
use crate::codec::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlteredQuota, AlteredQuotaEntity,
    QuotaAlteration, QuotaOperation,
};
use crate::handlers::changes::{Changes, Refused, deadline, log_error, reports};
use crate::handlers::connection::{Call, Refusal};
use crate::handlers::room::{room_deadline, with_room};

reports!(AlteredQuota);

/// How long a change may take; the request names no time.
const TIMEOUT_MS: i32 = 30_000;

pub(in crate::handlers) fn alter(
    call: Call,
    request: AlterClientQuotasRequest,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    let deadline = deadline(context.now, TIMEOUT_MS);
    Ok(Answer::Work(Box::new(move || {
        change_all(call, &request, deadline)
    })))
}

fn change_all(call: Call, request: &AlterClientQuotasRequest, deadline: Instant) -> Answer {
    let mut changes = Changes::new();
    for asked in &request.entries {
        let entity = asked.entity.iter().map(|part| AlteredQuotaEntity {
            entity_type: part.entity_type.clone(),
            entity_name: part.entity_name.clone(),
        });
        let result = AlteredQuota {
            entity: entity.collect(),
            ..Default::default()
        };
        changes.add(result, change(&call, asked, request.validate_only));
    }
    call.broker.quotas.reload(&call.broker.store);
    changes.answer(call, deadline, |call, entries| {
        call.respond(&AlterClientQuotasResponse {
            entries,
            ..Default::default()
        })
    })
}

fn change(call: &Call, asked: &QuotaAlteration, validate_only: bool) -> Result<Position, Refused> {
    let broker = &call.broker;
    let one_at_a_time = broker.config_changes.lock();
    let _one_at_a_time = one_at_a_time.unwrap_or_else(PoisonError::into_inner);
    let parts = asked.entity.iter();
    let parts = parts.map(|part| (part.entity_type.as_str(), part.entity_name.as_deref()));
    let key = ConfigKey {
        kind: ConfigKind::Client,
        name: Entity::of_parts(parts)?.spell(),
    };
    let mut values = broker.store.config(&key);
    for operation in &asked.ops {
        apply(&mut values, operation)?;
    }
    if validate_only {
        return Ok(Position(0));
    }
    let until = room_deadline(TIMEOUT_MS);
    let kept = with_room(&broker.store, until, LogError::busy, || {
        broker.store.configure(&key, &values)
    });
    kept.map_err(|error| (log_error(&error), error.to_string()))
}

fn apply(values: &mut ConfigValues, operation: &QuotaOperation) -> Result<(), Refused> {
    let invalid = |message: String| Err((ErrorCode::INVALID_REQUEST, message));
    let key = operation.key.as_str();
    if key != PRODUCER_BYTE_RATE && key != CONSUMER_BYTE_RATE {
        return invalid(format!(
            "the quota {key} is not enforced here; known are {PRODUCER_BYTE_RATE} and {CONSUMER_BYTE_RATE}"
        ));
    }
    if operation.remove {
        values.remove(key);
        return Ok(());
    }
    let rate = f64::from(operation.value);
    if !(rate.is_finite() && rate >= 1.0) {
        return invalid(format!(
            "{key}={rate} is no rate; allowed is 1 or more bytes a second"
        ));
    }
    values.insert(key.to_owned(), rate.to_string());
    Ok(())
}
