//! FindCoordinator: this node coordinates every group; there are no transactions yet.

use pagelog_store::answer::Answer;

use super::broker::NODE_ID;
use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) fn handle(call: &Call, request: &FindCoordinatorRequest<'_>) -> Result<Answer, Refusal> {
    let response = if call.version >= 4 {
        let keys = request.keys.iter();
        FindCoordinatorResponse {
            coordinators: keys
                .map(|key| coordinator(call, key, request.key_type))
                .collect(),
            ..Default::default()
        }
    } else {
        let found = coordinator(call, request.key, request.key_type);
        FindCoordinatorResponse {
            error: found.error,
            error_message: found.error_message,
            node_id: found.node_id,
            host: found.host,
            port: found.port,
            ..Default::default()
        }
    };
    Ok(Answer::Now(call.respond(&response)))
}

fn coordinator(call: &Call, key: &str, key_type: i8) -> Coordinator {
    let refused = |error, message: &str| Coordinator {
        key: key.to_owned(),
        error,
        error_message: Some(message.to_owned()),
        ..Default::default()
    };
    match key_type {
        GROUP => Coordinator {
            key: key.to_owned(),
            node_id: NODE_ID,
            host: call.advertised.host.clone(),
            port: i32::from(call.advertised.port),
            ..Default::default()
        },
        TRANSACTION => refused(
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "this broker has no transactions yet",
        ),
        _ => refused(
            ErrorCode::INVALID_REQUEST,
            "coordinators are of type 0 (groups) or 1 (transactions)",
        ),
    }
}
