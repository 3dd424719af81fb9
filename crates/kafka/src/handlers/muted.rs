//! Until when a connection is not read from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Shared by a connection and its answers that are still to come.
#[derive(Debug)]
pub(super) struct Muted {
    opened: Instant,
    /// Microseconds after `opened`; 0: it never was.
    until: AtomicU64,
}

impl Muted {
    pub(super) fn new() -> Muted {
        Muted {
            opened: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    /// It is not read from for `wait` from `now` on, or for longer if that was said before.
    pub(super) fn until(&self, now: Instant, wait: Duration) {
        let until = now
            .saturating_duration_since(self.opened)
            .saturating_add(wait);
        let until = u64::try_from(until.as_micros()).unwrap_or(u64::MAX);
        self.until.fetch_max(until, Ordering::Relaxed);
    }

    /// When it is read from again; `None`: it was never muted.
    pub(super) fn end(&self) -> Option<Instant> {
        match self.until.load(Ordering::Relaxed) {
            0 => None,
            micros => self.opened.checked_add(Duration::from_micros(micros)),
        }
    }
}
