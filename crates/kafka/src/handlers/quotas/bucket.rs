//! A bucket that fills at a rate, and how long to wait when it has been overdrawn.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many seconds' worth a bucket holds at most: who was silent may send so much at once.
const BURST_SECONDS: f64 = 1.0;

/// The bytes that a client, or clients together, may still move.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Bytes a second.
    rate: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Negative when more was taken than there was.
    bytes: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(rate: f64, now: Instant) -> Bucket {
        Bucket {
            rate,
            level: Mutex::new(Level {
                bytes: rate * BURST_SECONDS,
                at: now,
            }),
        }
    }

    /// The most that should be moved at once: more would only be waited for longer.
    pub(super) fn burst(&self) -> u64 {
        (self.rate * BURST_SECONDS) as u64
    }

    /// Takes `bytes`, which have been moved in any case. How long the client has to wait until the bucket is not overdrawn.
    pub(super) fn take(&self, bytes: u64, now: Instant) -> Duration {
        // A panic under the lock leaves two numbers that are each right or old.
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(level.at).as_secs_f64();
        let full = self.rate * BURST_SECONDS;
        level.bytes = (level.bytes + passed * self.rate).min(full) - bytes as f64;
        level.at = level.at.max(now);
        if level.bytes >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-level.bytes / self.rate).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_any_time_no_more_goes_through_than_the_rate_and_one_burst() {
        let start = Instant::now();
        let bucket = Bucket::new(1000.0, start);
        let mut now = start;
        let mut moved = 0;
        for _ in 0..100 {
            moved += 300;
            now += bucket.take(300, now);
        }
        let seconds = now.duration_since(start).as_secs_f64();
        assert!((moved as f64 - 1000.0 * (seconds + BURST_SECONDS)).abs() < 1.0);
    }

    #[test]
    fn silence_fills_it_up_to_one_burst() {
        let start = Instant::now();
        let bucket = Bucket::new(1000.0, start);
        assert_eq!(bucket.take(1000, start), Duration::ZERO);
        let later = start + Duration::from_secs(60);
        assert_eq!(bucket.take(1000, later), Duration::ZERO);
        assert_eq!(bucket.take(500, later), Duration::from_millis(500));
    }
}
