//! ApiVersions: what this broker serves.

use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::api_versions::{ApiVersionsRequest, ApiVersionsResponse, advertised};

pub(super) fn handle(call: &Call, request: &ApiVersionsRequest<'_>) -> Result<Answer, Refusal> {
    // Software names came with version 3 (KIP-511).
    let error = if call.version >= 3 && !request.names_software() {
        ErrorCode::INVALID_REQUEST
    } else {
        ErrorCode::NONE
    };
    let response = ApiVersionsResponse {
        error,
        apis: advertised(),
        // No feature is finalized, and that never changes while the process lives.
        finalized_features_epoch: 0,
        ..Default::default()
    };
    Ok(Answer::Now(call.respond(&response)))
}
