//! What requests that change something have in common: one result for each thing, answered when the changes are settled.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pagelog_store::LogError;
use pagelog_store::answer::{Answer, Position};
use pagelog_transfer::Rope;

use super::awaiting::{Awaited, Outcome};
use super::connection::Call;
use crate::codec::ErrorCode;

/// Why something is not done: for the client's program, and for its user.
pub(super) type Refused = (ErrorCode, String);

/// The result of one change, as the answer holds it.
pub(super) trait Report: Send + 'static {
    /// What it says so far.
    fn error(&self) -> ErrorCode;

    /// Makes it say that nothing came of the change.
    fn refuse(&mut self, refused: Refused);
}

/// Results with an error and a message.
macro_rules! reports {
    ($($result:ty),* $(,)?) => {$(
        impl $crate::handlers::changes::Report for $result {
            fn error(&self) -> $crate::codec::ErrorCode {
                self.error
            }

            fn refuse(&mut self, (error, message): $crate::handlers::changes::Refused) {
                self.error = error;
                self.error_message = Some(message);
            }
        }
    )*};
}

pub(super) use reports;

/// What a request names, each name once; of one that is named more than once, the first, and that it is refused.
pub(super) fn once_each<T>(
    asked: &[T],
    name: fn(&T) -> &str,
) -> impl Iterator<Item = (&T, Result<(), Refused>)> {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for one in asked {
        *times.entry(name(one)).or_default() += 1;
    }
    asked.iter().filter_map(move |one| {
        let twice = "the topic is named twice";
        let outcome = match times.remove(name(one))? {
            1 => Ok(()),
            _ => Err((ErrorCode::INVALID_REQUEST, twice.to_owned())),
        };
        Some((one, outcome))
    })
}

/// What a request has changed so far.
pub(super) struct Changes<T> {
    results: Vec<T>,
    end: Position,
}

impl<T: Report> Changes<T> {
    pub(super) fn new() -> Changes<T> {
        Changes {
            results: Vec::new(),
            end: Position(0),
        }
    }

    /// Takes note of one change that is settled at a position; `result` is told if there was none.
    pub(super) fn add(&mut self, mut result: T, outcome: Result<Position, Refused>) {
        match outcome {
            Ok(end) => self.end = self.end.max(end),
            Err(refused) => result.refuse(refused),
        }
        self.results.push(result);
    }

    /// The answer, once everything is settled or the client's time is over.
    pub(super) fn answer(
        self,
        call: Call,
        deadline: Instant,
        respond: impl FnOnce(&Call, Vec<T>) -> Rope + Send + 'static,
    ) -> Answer {
        let store = call.broker.store.clone();
        let awaited = Awaited {
            mark: store.settles_at(),
            store,
            at: self.end,
            deadline: Some(deadline),
        };
        let mut results = self.results;
        awaited.then(move |outcome| {
            if let Some((error, message)) = late(outcome) {
                let done = results
                    .iter_mut()
                    .filter(|result| result.error() == ErrorCode::NONE);
                done.for_each(|result| result.refuse((error, message.to_owned())));
            }
            respond(&call, results)
        })
    }
}

/// When a client that waits `timeout_ms` gives up.
pub(super) fn deadline(now: Instant, timeout_ms: i32) -> Instant {
    now + Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}

/// What to say of a change that is in the log but was not settled in time.
fn late(outcome: Outcome) -> Option<(ErrorCode, &'static str)> {
    match outcome {
        Outcome::Reached => None,
        Outcome::TimedOut => Some((
            ErrorCode::REQUEST_TIMED_OUT,
            "not on the disk within the time; it may still come about",
        )),
        Outcome::Failed => Some((ErrorCode::KAFKA_STORAGE_ERROR, "the log has failed")),
    }
}

/// The log did not take an entry: for want of room, which may pass, or for good.
pub(super) fn log_error(error: &LogError) -> ErrorCode {
    match error {
        LogError::Busy(_) => ErrorCode::REQUEST_TIMED_OUT,
        LogError::TooLarge { .. } => ErrorCode::INVALID_CONFIG,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    }
}
