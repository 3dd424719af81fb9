//! InitProducerId: a number for a producer that wants its batches stored once.

use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

pub(super) fn handle(call: &Call, request: &InitProducerIdRequest<'_>) -> Result<Answer, Refusal> {
    let response = match producer_id(call, request) {
        Ok(producer_id) => InitProducerIdResponse {
            producer_id,
            producer_epoch: 0,
            ..Default::default()
        },
        Err(error) => InitProducerIdResponse {
            error,
            producer_epoch: -1,
            ..Default::default()
        },
    };
    Ok(Answer::Now(call.respond(&response)))
}

/// Without a transactional id, a client that wants to begin anew (KIP-360) gets a new id too: nothing ties it to the old one.
fn producer_id(call: &Call, request: &InitProducerIdRequest<'_>) -> Result<i64, ErrorCode> {
    match request.transactional_id {
        Some("") => return Err(ErrorCode::INVALID_REQUEST),
        // There are no transactions yet. Of all errors this is the one that clients take for final and show.
        Some(_) => return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        None => {}
    }
    call.broker.store.new_producer_id().map_err(|error| {
        tracing::error!("{error}");
        ErrorCode::COORDINATOR_NOT_AVAILABLE
    })
}
