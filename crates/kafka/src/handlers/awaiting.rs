//! An answer that is ready when a mark of the log has come far enough.

use std::sync::Arc;
use std::time::Instant;

use pagelog_store::Store;
use pagelog_store::answer::{Answer, Mark, Pending, Position, Wait};
use pagelog_transfer::Rope;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The mark is where it was awaited.
    Reached,
    /// The client's time is over.
    TimedOut,
    /// The log has failed: the mark will never get there.
    Failed,
}

/// What is awaited.
pub(super) struct Awaited {
    pub(super) store: Arc<Store>,
    pub(super) mark: Mark,
    pub(super) at: Position,
    pub(super) deadline: Option<Instant>,
}

struct Awaiting<F> {
    awaited: Awaited,
    finish: Option<F>,
}

impl Awaited {
    /// The answer that `finish` makes once the wait is over, which it may be already.
    pub(super) fn then(self, finish: impl FnOnce(Outcome) -> Rope + Send + 'static) -> Answer {
        if self.is_reached() {
            return Answer::Now(finish(Outcome::Reached));
        }
        Answer::Later(Box::new(Awaiting {
            awaited: self,
            finish: Some(finish),
        }))
    }

    fn is_reached(&self) -> bool {
        self.store.has_reached(self.mark, self.at)
    }

    fn outcome(&self, now: Instant) -> Option<Outcome> {
        // The failure is looked at first: what was reached before it counts, and nothing is reached after it.
        let failed = self.store.failure().is_some();
        if self.is_reached() {
            Some(Outcome::Reached)
        } else if failed {
            Some(Outcome::Failed)
        } else {
            let is_over = self.deadline.is_some_and(|deadline| deadline <= now);
            is_over.then_some(Outcome::TimedOut)
        }
    }
}

impl<F: FnOnce(Outcome) -> Rope + Send> Pending for Awaiting<F> {
    fn poll(&mut self, now: Instant) -> Option<Rope> {
        let outcome = self.awaited.outcome(now)?;
        let finish = self.finish.take()?;
        Some(finish(outcome))
    }

    fn wait(&self) -> Wait {
        Wait {
            mark: Some((self.awaited.mark, self.awaited.at)),
            deadline: self.awaited.deadline,
        }
    }
}
