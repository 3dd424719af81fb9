//! No more than so many bytes a second.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Spreads work over time. Time in which nothing was asked for is not made up for later.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_second: Option<NonZeroU64>,
    /// When what was taken so far has been paid for.
    due: Option<Instant>,
}

impl Pace {
    /// `None`: no bound.
    pub(crate) fn new(bytes_per_second: Option<NonZeroU64>) -> Pace {
        Pace {
            bytes_per_second,
            due: None,
        }
    }

    /// Takes `size` bytes at the time `now`; says how long to wait before moving them.
    pub(crate) fn take(&mut self, now: Instant, size: u64) -> Duration {
        let Some(rate) = self.bytes_per_second else {
            return Duration::ZERO;
        };
        let start = self.due.map_or(now, |due| due.max(now));
        let cost = u128::from(size) * 1_000_000_000 / u128::from(rate.get());
        // A rate of a few bytes a second is a wait of days and not an overflow.
        let cost = Duration::from_nanos(cost.try_into().unwrap_or(u64::MAX));
        self.due = start.checked_add(cost).or(Some(start));
        start - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(bytes_per_second: u64) -> Pace {
        Pace::new(NonZeroU64::new(bytes_per_second))
    }

    #[test]
    fn without_a_bound_nothing_waits() {
        let mut pace = pace(0);
        let now = Instant::now();
        assert_eq!(pace.take(now, u64::MAX), Duration::ZERO);
        assert_eq!(pace.take(now, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn each_step_waits_for_those_before() {
        let mut pace = pace(1_000);
        let now = Instant::now();
        assert_eq!(pace.take(now, 500), Duration::ZERO);
        assert_eq!(pace.take(now, 1_000), Duration::from_millis(500));
        let later = now + Duration::from_millis(1_200);
        assert_eq!(pace.take(later, 100), Duration::from_millis(300));
    }

    #[test]
    fn idle_time_is_not_made_up_for() {
        let mut pace = pace(1_000);
        let now = Instant::now();
        pace.take(now, 500);
        let later = now + Duration::from_secs(10);
        assert_eq!(pace.take(later, 500), Duration::ZERO);
        assert_eq!(pace.take(later, 500), Duration::from_millis(500));
    }

    #[test]
    fn the_slowest_rate_and_the_largest_step_do_not_overflow() {
        let mut pace = pace(1);
        let now = Instant::now();
        pace.take(now, u64::MAX);
        pace.take(now, u64::MAX);
    }
}
