//! DescribeAcls, CreateAcls, DeleteAcls: there is no authorizer, so there are no rules, and none can be made.

use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::acls::{
    AclCreationResult, CreateAclsRequest, CreateAclsResponse, DeleteAclsFilterResult,
    DeleteAclsRequest, DeleteAclsResponse, DescribeAclsResponse,
};

fn message() -> Option<String> {
    Some("this broker has no authorizer".to_owned())
}

pub(super) fn describe(call: &Call) -> Result<Answer, Refusal> {
    Ok(Answer::Now(call.respond(&DescribeAclsResponse {
        error: ErrorCode::SECURITY_DISABLED,
        error_message: message(),
        ..Default::default()
    })))
}

pub(super) fn create(call: &Call, request: &CreateAclsRequest) -> Result<Answer, Refusal> {
    let refused = |_| AclCreationResult {
        error: ErrorCode::SECURITY_DISABLED,
        error_message: message(),
    };
    Ok(Answer::Now(call.respond(&CreateAclsResponse {
        results: request.creations.iter().map(refused).collect(),
        ..Default::default()
    })))
}

pub(super) fn delete(call: &Call, request: &DeleteAclsRequest) -> Result<Answer, Refusal> {
    let refused = |_| DeleteAclsFilterResult {
        error: ErrorCode::SECURITY_DISABLED,
        error_message: message(),
        ..Default::default()
    };
    Ok(Answer::Now(call.respond(&DeleteAclsResponse {
        results: request.filters.iter().map(refused).collect(),
        ..Default::default()
    })))
}
