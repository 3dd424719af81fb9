//! A bound on log lines that peers can cause.

use std::time::{Duration, Instant};

/// Lets a number of lines a second pass and counts the others.
#[derive(Debug)]
pub(crate) struct LogGate {
    lines_per_second: u32,
    second: Option<Instant>,
    passed: u32,
    suppressed: u64,
}

impl LogGate {
    pub(crate) fn new(lines_per_second: u32) -> LogGate {
        LogGate {
            lines_per_second,
            second: None,
            passed: 0,
            suppressed: 0,
        }
    }

    /// Whether a line may be written now; if so, how many were not since the last.
    pub(crate) fn pass(&mut self, now: Instant) -> Option<u64> {
        if self
            .second
            .is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1))
        {
            self.second = Some(now);
            self.passed = 0;
        }
        if self.passed == self.lines_per_second {
            self.suppressed += 1;
            return None;
        }
        self.passed += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_so_many_a_second_and_tells_of_the_others() {
        let start = Instant::now();
        let mut gate = LogGate::new(2);
        let passed: Vec<_> = (0..5).map(|_| gate.pass(start)).collect();
        assert_eq!(passed, [Some(0), Some(0), None, None, None]);
        let later = start + Duration::from_secs(1);
        assert_eq!((gate.pass(later), gate.pass(later)), (Some(3), Some(0)));
    }
}
