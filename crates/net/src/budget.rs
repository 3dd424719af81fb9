//! The one limit on memory that peers can fill: partial frames, frames at work, answers not yet taken.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes in flight over all reactors. Past the limit nobody reads on, and nobody is closed for it.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
    /// Somebody stopped reading and wants to be woken when the use falls below the limit.
    awaited: AtomicBool,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Budget {
        Budget {
            limit,
            used: AtomicU64::new(0),
            awaited: AtomicBool::new(false),
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::SeqCst)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.used() >= self.limit
    }

    /// Says that somebody waits; ask [`Budget::is_over`] once more after this and before sleeping.
    pub(crate) fn await_room(&self) {
        self.awaited.store(true, Ordering::SeqCst);
    }

    /// Replaces what one connection uses. Whether those who wait for room are to be woken.
    pub(crate) fn replace(&self, old: u64, new: u64) -> bool {
        if new > old {
            self.used.fetch_add(new - old, Ordering::SeqCst);
        } else if new < old {
            self.used.fetch_sub(old - new, Ordering::SeqCst);
            return !self.is_over() && self.awaited.swap(false, Ordering::SeqCst);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_once_when_there_is_room_again() {
        let budget = Budget::new(100);
        assert!(!budget.replace(0, 99));
        assert!(!budget.is_over());
        assert!(!budget.replace(0, 50));
        assert!(budget.is_over());
        budget.await_room();
        assert!(!budget.replace(50, 20), "still over");
        assert!(budget.replace(20, 0));
        assert!(!budget.replace(99, 0), "nobody waits any more");
        assert_eq!(budget.used(), 0);
    }
}
