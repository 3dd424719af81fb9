//! SyncGroup: answered when the leader has shared out and that is in the log.

use pagelog_store::answer::{Answer, Context};

use super::waiting::promised;
use super::{Attempt, Client, NoRoom, Stop};
use crate::codec::{ErrorCode, Field, RequestHeader, SyncGroupRequest, SyncGroupResponse};
use crate::groups::Group;
use crate::groups::promise::Promise;
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
    let request: SyncGroupRequest<'_> = Field::decode(&mut body, header.version)?;
    let call = attempt.call;
    let refuse = |error| Answer::Now(call.respond(&refused(error)));
    // From version 5 on a client says what it has joined for (KIP-559).
    if header.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return Ok(Ok(refuse(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)));
    }
    let name = match super::name(request.group_id) {
        Ok(name) => name,
        Err(error) => return Ok(Ok(refuse(error))),
    };
    let promise = Promise::new(attempt.waiter.clone(), call.broker.store.settles_at());
    let groups = &call.broker.groups;
    let synced = groups.with(&name, attempt.now, |group, turn| match group {
        Group::Classic(group) => Some(group.sync(&request, &promise, turn)),
        Group::Consumer(_) | Group::Gone => None,
    });
    Ok(match synced.flatten() {
        None => Ok(refuse(ErrorCode::UNKNOWN_MEMBER_ID)),
        Some(Ok(())) => Ok(promised(call, &name, promise, || {
            refused(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        })),
        Some(Err(error)) => Stop::Log(error).answer(ErrorCode::UNKNOWN_SERVER_ERROR, refuse),
    })
}

fn refused(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse {
        error,
        ..Default::default()
    }
}
