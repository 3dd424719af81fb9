//! An answer that a group owes to somebody, and where it is put when the group can give it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use pagelog_store::Waiter;
use pagelog_store::answer::{Mark, Position};

/// A place for one answer. Both the group and whoever waits hold a clone.
pub(crate) struct Promise<T>(Arc<Inner<T>>);

struct Inner<T> {
    kept: Mutex<Option<Kept<T>>>,
    waiter: Waiter,
    settles_at: Mark,
}

/// An answer, and the position that has to be settled before it is given.
#[derive(Debug)]
pub(crate) struct Kept<T> {
    pub(crate) answer: T,
    pub(crate) after: Position,
}

impl<T> Promise<T> {
    /// Nothing is promised to anyone else: `waiter` is told when the answer may be given, which is when `settles_at` has come far enough.
    pub(crate) fn new(waiter: Waiter, settles_at: Mark) -> Promise<T> {
        Promise(Arc::new(Inner {
            kept: Mutex::new(None),
            waiter,
            settles_at,
        }))
    }

    /// Keeps the promise: the answer may be given once everything below `after` is settled. The first answer counts.
    pub(crate) fn keep(&self, answer: T, after: Position) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.is_none() {
            *kept = Some(Kept { answer, after });
            drop(kept);
            self.0.waiter.tell(self.0.settles_at, after);
        }
    }

    /// What the answer waits for: `None` as long as there is no answer.
    pub(crate) fn after(&self) -> Option<Position> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|kept| kept.after)
    }

    /// Takes the answer, if there is one.
    pub(crate) fn take(&self) -> Option<Kept<T>> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take()
    }
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Promise<T> {
        Promise(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Promise<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Promise")
            .field("after", &self.after())
            .finish_non_exhaustive()
    }
}
