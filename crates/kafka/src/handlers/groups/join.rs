//! JoinGroup: answered when the next generation begins, or at once with what is wrong.

use pagelog_store::GroupName;
use pagelog_store::answer::{Answer, Context};

use super::waiting::promised;
use super::{Attempt, Client, NoRoom, Stop};
use crate::codec::{ErrorCode, Field, JoinGroupRequest, JoinGroupResponse, RequestHeader};
use crate::groups::classic::Join;
use crate::groups::promise::Promise;
use crate::groups::{Group, Turn};
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: Call,
    client: Client,
    frame: &[u8],
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    super::attempt(call, client, frame, context, attempt)
}

fn attempt(attempt: &Attempt<'_>) -> Result<Result<Answer, NoRoom>, Refusal> {
    let (header, mut body) = RequestHeader::decode(attempt.frame)?;
    let request: JoinGroupRequest<'_> = Field::decode(&mut body, header.version)?;
    let call = attempt.call;
    let refuse = |error| Answer::Now(call.respond(&refused(error, request.member_id)));
    let name = match check(call, &request) {
        Ok(name) => name,
        Err(error) => return Ok(Ok(refuse(error))),
    };
    let promise = Promise::new(attempt.waiter.clone(), call.broker.store.settles_at());
    let join = Join {
        request: &request,
        version: header.version,
        client_id: &attempt.client.id,
        client_host: &attempt.client.host,
    };
    Ok(match act(attempt, &name, &join, &promise) {
        Ok(()) => Ok(promised(call, &name, promise, || {
            refused(ErrorCode::COORDINATOR_NOT_AVAILABLE, "")
        })),
        Err(stop) => stop.answer(ErrorCode::GROUP_MAX_SIZE_REACHED, refuse),
    })
}

fn act(
    attempt: &Attempt<'_>,
    name: &GroupName,
    join: &Join<'_>,
    promise: &Promise<JoinGroupResponse>,
) -> Result<(), Stop> {
    let groups = &attempt.call.broker.groups;
    let act = |group: &mut Group, turn: &Turn<'_>| match group.as_classic(turn) {
        Some(group) => group.join(join, promise, turn).map_err(Stop::Log),
        // It has members of the consumer protocol, and is not migrated while it has.
        None => Err(Stop::Refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)),
    };
    if join.request.member_id.is_empty() {
        groups
            .with_or_new(name, attempt.now, act)
            .map_err(|_| Stop::Refused(ErrorCode::COORDINATOR_NOT_AVAILABLE))?
    } else {
        groups
            .with(name, attempt.now, act)
            .unwrap_or(Err(Stop::Refused(ErrorCode::UNKNOWN_MEMBER_ID)))
    }
}

fn check(call: &Call, request: &JoinGroupRequest<'_>) -> Result<GroupName, ErrorCode> {
    let name = super::name(request.group_id)?;
    let options = call.broker.groups.options();
    let session = u64::try_from(request.session_timeout_ms)
        .map(std::time::Duration::from_millis)
        .map_err(|_| ErrorCode::INVALID_SESSION_TIMEOUT)?;
    if (options.session_timeout_min..=options.session_timeout_max).contains(&session) {
        Ok(name)
    } else {
        Err(ErrorCode::INVALID_SESSION_TIMEOUT)
    }
}

fn refused(error: ErrorCode, member_id: &str) -> JoinGroupResponse {
    JoinGroupResponse {
        error,
        member_id: member_id.to_owned(),
        ..Default::default()
    }
}
