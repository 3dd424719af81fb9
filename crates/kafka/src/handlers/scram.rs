//! DescribeUserScramCredentials: nobody has a password here.

use pagelog_store::answer::Answer;

use super::connection::{Call, Refusal};
use crate::codec::ErrorCode;
use crate::codec::describe_scram::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse, ScramResult,
};

pub(super) fn handle(
    call: &Call,
    request: &DescribeUserScramCredentialsRequest,
) -> Result<Answer, Refusal> {
    let named = request.users.iter().flatten();
    let unknown = named.map(|user| ScramResult {
        user: user.name.clone(),
        error: ErrorCode::RESOURCE_NOT_FOUND,
        error_message: Some("the user has no password here".to_owned()),
        ..Default::default()
    });
    let response = DescribeUserScramCredentialsResponse {
        results: unknown.collect(),
        ..Default::default()
    };
    Ok(Answer::Now(call.respond(&response)))
}
