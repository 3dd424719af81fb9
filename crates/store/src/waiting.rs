//! Readers that wait for more records: who is told when a partition grows.
//!
//! A waiting reader registers with every partition it reads from, then looks once more, then waits. An append takes everyone off
//! the partition's list and tells them where the new entry ends; they are polled when readers may see that far, and
//! register again if it was not enough. So a partition nobody waits for pays for an empty list, and an append never meets the
//! same waiter twice.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::{Context, Mark, Notify, Position};

/// Names waiters; two are never equal in one process.
static NEXT_KEY: AtomicU64 = AtomicU64::new(0);

/// Whom to tell that there may be more to read. Cheap to clone.
#[derive(Clone)]
pub struct Waiter {
    notify: Arc<dyn Notify>,
    token: u64,
    key: u64,
}

impl Waiter {
    /// The answer that is being made in `context`.
    pub fn new(context: &Context<'_>) -> Waiter {
        Waiter {
            notify: Arc::clone(context.notify),
            token: context.token,
            key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Asks that the waiting answer be polled when `mark` has reached `at`; at once if it has.
    pub fn tell(&self, mark: Mark, at: Position) {
        self.notify.notify(self.token, mark, at);
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Waiter")
            .field("token", &self.token)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// The waiters of one partition, by key.
#[derive(Debug, Default)]
pub(crate) struct Waiters(BTreeMap<u64, Waiter>);

impl Waiters {
    /// Adds a waiter; once, however often it asks.
    pub(crate) fn add(&mut self, waiter: &Waiter) {
        self.0.entry(waiter.key).or_insert_with(|| waiter.clone());
    }

    /// Forgets a waiter.
    pub(crate) fn remove(&mut self, waiter: &Waiter) {
        self.0.remove(&waiter.key);
    }

    /// Everyone, who are then no longer on the list.
    pub(crate) fn take(&mut self) -> Waiters {
        std::mem::take(self)
    }

    /// Asks each of them to be polled when `mark` has reached `at`; not to be called under a lock.
    pub(crate) fn tell(&self, mark: Mark, at: Position) {
        for waiter in self.0.values() {
            waiter.tell(mark, at);
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
