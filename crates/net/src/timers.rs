//! One timer per connection, the earliest of all that it has to do at a time.

use std::collections::BTreeSet;
use std::time::Instant;

/// The timers of one reactor's connections, by slot. A connection remembers what it has set, so that nothing stale is kept.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Instant, u32)>);

impl Timers {
    /// Replaces the timer of `slot`.
    pub(crate) fn replace(&mut self, slot: u32, old: Option<Instant>, new: Option<Instant>) {
        if old == new {
            return;
        }
        if let Some(old) = old {
            self.0.remove(&(old, slot));
        }
        if let Some(new) = new {
            self.0.insert((new, slot));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes a slot whose timer is due; it has none then.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<u32> {
        let (at, _) = self.0.first()?;
        if *at > now {
            return None;
        }
        self.0.pop_first().map(|(_, slot)| slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn gives_out_what_is_due_in_order_and_forgets_what_was_replaced() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut timers = Timers::default();
        timers.replace(1, None, Some(at(30)));
        timers.replace(2, None, Some(at(20)));
        timers.replace(3, None, Some(at(20)));
        timers.replace(1, Some(at(30)), Some(at(10)));
        timers.replace(3, Some(at(20)), None);
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.take_due(at(9)), None);
        assert_eq!(timers.take_due(at(20)), Some(1));
        assert_eq!(timers.take_due(at(20)), Some(2));
        assert_eq!((timers.take_due(at(99)), timers.next()), (None, None));
    }
}
