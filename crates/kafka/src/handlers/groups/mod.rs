//! The requests of groups: what they ask of the coordinator, and how its answers travel.

pub(super) mod commit;
pub(super) mod consumer_describe;
pub(super) mod consumer_heartbeat;
pub(super) mod delete;
pub(super) mod describe;
pub(super) mod fetch;
pub(super) mod forget;
pub(super) mod heartbeat;
pub(super) mod join;
pub(super) mod leave;
pub(super) mod list;
pub(super) mod sync;
mod waiting;

use std::time::{Duration, Instant};

use pagelog_store::answer::{Answer, Context};
use pagelog_store::{Busy, GroupName, LogError, Waiter};

use super::connection::{Call, Refusal};
use super::room::room_deadline;
use crate::codec::ErrorCode;

/// How long a worker waits for room in the log, in milliseconds: less than clients wait for an answer.
const ROOM_TIMEOUT_MS: i32 = 5_000;

/// How long one wait is at most, so that a missed signal costs no more.
const WAIT_ONCE: Duration = Duration::from_millis(100);

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The name that it gives itself.
    pub(super) id: String,
    /// Where it is, as Kafka writes it.
    pub(super) host: String,
}

/// A request that needs room in the log, as one attempt at it sees it.
struct Attempt<'a> {
    call: &'a Call,
    client: &'a Client,
    /// Without its length; it was decoded once already when an attempt on a worker sees it.
    frame: &'a [u8],
    waiter: &'a Waiter,
    now: Instant,
}

/// The log has no room at the moment.
struct NoRoom {
    busy: Busy,
    /// What to say if it has none for long.
    answer: Answer,
}

/// Attempts on the reactor, and as long as the log has no room, on a worker.
fn attempt(
    call: Call,
    client: Client,
    frame: &[u8],
    context: &Context<'_>,
    act: fn(&Attempt<'_>) -> Result<Result<Answer, NoRoom>, Refusal>,
) -> Result<Answer, Refusal> {
    let waiter = Waiter::new(context);
    let first = act(&Attempt {
        call: &call,
        client: &client,
        frame,
        waiter: &waiter,
        now: context.now,
    })?;
    let Err(no_room) = first else {
        return first.or_else(|no_room| Ok(no_room.answer));
    };
    let frame = frame.to_vec();
    let mut busy = no_room.busy;
    Ok(Answer::Work(Box::new(move || {
        let until = room_deadline(ROOM_TIMEOUT_MS);
        loop {
            call.broker.store.wait_room(busy, WAIT_ONCE);
            let now = Instant::now();
            let again = Attempt {
                call: &call,
                client: &client,
                frame: &frame,
                waiter: &waiter,
                now,
            };
            match act(&again) {
                Ok(Ok(answer)) => return answer,
                Ok(Err(no_room)) if now >= until => return no_room.answer,
                Ok(Err(no_room)) => busy = no_room.busy,
                Err(refusal) => return Answer::Close(refusal.into()),
            }
        }
    })))
}

/// The group of a request.
fn name(group_id: &str) -> Result<GroupName, ErrorCode> {
    GroupName::new(group_id).map_err(|_| ErrorCode::INVALID_GROUP_ID)
}

/// Why nothing came of an attempt.
enum Stop {
    Refused(ErrorCode),
    Log(LogError),
}

impl Stop {
    /// What to say. When the log did not take a group's entry, clients look for the coordinator again and come back.
    fn error(&self, too_large: ErrorCode) -> ErrorCode {
        match self {
            Stop::Refused(error) => *error,
            Stop::Log(LogError::TooLarge { .. }) => too_large,
            Stop::Log(_) => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        }
    }

    /// What to wait for, if it may be tried again then.
    fn busy(&self) -> Option<Busy> {
        match self {
            Stop::Refused(_) => None,
            Stop::Log(error) => error.busy(),
        }
    }

    /// The answer that `refuse` makes of it; or that it is to be tried again.
    fn answer(
        self,
        too_large: ErrorCode,
        refuse: impl FnOnce(ErrorCode) -> Answer,
    ) -> Result<Answer, NoRoom> {
        let answer = refuse(self.error(too_large));
        match self.busy() {
            Some(busy) => Err(NoRoom { busy, answer }),
            None => Ok(answer),
        }
    }
}

/// What a client may do with a group, as bits of the ACL operations: read, delete, describe. There are no ACLs, so all of it.
const AUTHORIZED_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8;

/// The same for an answer whose request may not have asked.
fn authorized_operations(asked: bool) -> i32 {
    if asked {
        AUTHORIZED_OPERATIONS
    } else {
        i32::MIN
    }
}
