//! An answer that a group gives when it can.

use std::time::Instant;

use pagelog_store::GroupName;
use pagelog_store::answer::{Answer, Pending, Position, Wait};
use pagelog_transfer::Rope;

use crate::codec::Response;
use crate::groups::promise::Promise;
use crate::handlers::connection::Call;

/// Waits for the group to keep its promise, then for the log to settle what the answer rests upon.
struct Waiting<T> {
    call: Call,
    group: GroupName,
    promise: Promise<T>,
    /// What is said if the log fails first.
    failed: fn() -> T,
    deadline: Option<Instant>,
}

/// The answer that `group` has promised.
pub(super) fn promised<T>(
    call: &Call,
    group: &GroupName,
    promise: Promise<T>,
    failed: fn() -> T,
) -> Answer
where
    T: for<'a> Response<'a> + Send + 'static,
{
    Answer::Later(Box::new(Waiting {
        call: call.clone(),
        group: group.clone(),
        promise,
        failed,
        deadline: None,
    }))
}

impl<T: for<'a> Response<'a> + Send> Waiting<T> {
    /// Before it looks, it does what has run out: with nobody else about, nobody else would.
    fn after(&mut self, now: Instant) -> Option<Position> {
        self.deadline = None;
        if let Some(after) = self.promise.after() {
            return Some(after);
        }
        let deadline = self.call.broker.groups.advance(&self.group, now);
        let after = self.promise.after();
        if after.is_none() {
            self.deadline = deadline;
        }
        after
    }
}

impl<T: for<'a> Response<'a> + Send> Pending for Waiting<T> {
    fn poll(&mut self, now: Instant) -> Option<Rope> {
        let after = self.after(now)?;
        let store = &self.call.broker.store;
        // The failure is looked at first: what was settled before it counts.
        let failed = store.failure().is_some();
        if after == Position(0) || store.has_reached(store.settles_at(), after) {
            let kept = self.promise.take()?;
            return Some(self.call.respond(&kept.answer));
        }
        failed.then(|| self.call.respond(&(self.failed)()))
    }

    fn wait(&self) -> Wait {
        let mark = self.call.broker.store.settles_at();
        Wait {
            mark: self.promise.after().map(|after| (mark, after)),
            deadline: self.deadline,
        }
    }
}
