//! ConsumerGroupHeartbeat: answered when what it changed is settled.

use pagelog_store::answer::{Answer, Context};
use uuid::Uuid;

use super::Client;
use crate::codec::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode};
use crate::groups::consumer::{Answered, Beat, Refused};
use crate::groups::{Group, Turn};
use crate::handlers::awaiting::{Awaited, Outcome};
use crate::handlers::connection::{Call, Refusal};

pub(in crate::handlers) fn handle(
    call: Call,
    client: &Client,
    request: &ConsumerGroupHeartbeatRequest<'_>,
    context: &Context<'_>,
) -> Result<Answer, Refusal> {
    Ok(match beat(&call, client, request, context) {
        Ok(answered) => answer(call, answered),
        Err(refusal) => Answer::Now(call.respond(&refused(refusal))),
    })
}

fn beat(
    call: &Call,
    client: &Client,
    request: &ConsumerGroupHeartbeatRequest<'_>,
    context: &Context<'_>,
) -> Result<Answered, Refused> {
    let invalid = |message: &str| (ErrorCode::INVALID_REQUEST, message.to_owned());
    let name = super::name(request.group_id).map_err(|_| invalid("a group has a name"))?;
    // In version 0 the broker makes the id of one that joins; since version 1 the client does (KIP-1082).
    let made = Uuid::new_v4().to_string();
    let member_id = match request.member_id {
        "" if call.version == 0 && request.member_epoch == 0 => &made,
        "" => return Err(invalid("a member has an id")),
        id => id,
    };
    let topics = call.broker.store.topics();
    let beat = Beat {
        request,
        member_id,
        client_id: &client.id,
        client_host: &client.host,
        topics: &topics,
    };
    beat.check()?;
    if request.member_epoch == 0 {
        let act = |group: &mut Group, turn: &Turn<'_>| match group.as_consumer(turn) {
            Some(group) => group.beat(&beat, turn),
            None => Err(not_one(request.group_id)),
        };
        let beaten = call.broker.groups.with_or_new(&name, context.now, act);
        return beaten.unwrap_or_else(|_| {
            let message = "there are as many groups as are allowed".to_owned();
            Err((ErrorCode::COORDINATOR_NOT_AVAILABLE, message))
        });
    }
    let act = |group: &mut Group, turn: &Turn<'_>| match group {
        Group::Consumer(group) => group.beat(&beat, turn),
        Group::Classic(_) | Group::Gone => Err(not_one(request.group_id)),
    };
    let beaten = call.broker.groups.with(&name, context.now, act);
    beaten.unwrap_or_else(|| Err(not_one(request.group_id)))
}

/// A classic group with members is not migrated: its members have to leave first.
fn not_one(group_id: &str) -> Refused {
    let message = format!("{group_id} is not a group of the consumer protocol");
    (ErrorCode::GROUP_ID_NOT_FOUND, message)
}

fn answer(call: Call, (response, after): Answered) -> Answer {
    let store = call.broker.store.clone();
    let awaited = Awaited {
        mark: store.settles_at(),
        store,
        at: after,
        deadline: None,
    };
    awaited.then(move |outcome| match outcome {
        Outcome::Reached => call.respond(&response),
        Outcome::TimedOut | Outcome::Failed => {
            let message = "the log has failed".to_owned();
            call.respond(&refused((ErrorCode::COORDINATOR_NOT_AVAILABLE, message)))
        }
    })
}

fn refused((error, message): Refused) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error,
        error_message: Some(message),
        ..Default::default()
    }
}
