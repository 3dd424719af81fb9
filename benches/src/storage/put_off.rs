//! How long a thread was ready to run and had no processor: what others on the machine cost it, told from what its own work made it wait for.

use std::time::Duration;

use anyhow::{Context, Result};

/// Of the thread that made it.
pub(super) struct PutOff {
    seen: Duration,
}

impl PutOff {
    /// # Errors
    /// Where the kernel does not count it (`CONFIG_SCHED_INFO`).
    pub(super) fn new() -> Result<PutOff> {
        let seen = until_now()?;
        Ok(PutOff { seen })
    }

    /// How long since the last call, or since it was made.
    ///
    /// # Errors
    /// As [`PutOff::new`].
    pub(super) fn since_last(&mut self) -> Result<Duration> {
        let now = until_now()?;
        let since = now.saturating_sub(self.seen);
        self.seen = now;
        Ok(since)
    }
}

/// The second number of `/proc/PID/task/TID/schedstat`: nanoseconds on a run queue (`Documentation/scheduler/sched-stats.rst`).
fn until_now() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")
        .context("how long this thread waited for a processor")?;
    let waited = text.split_whitespace().nth(1).unwrap_or("");
    Ok(Duration::from_nanos(waited.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_put_off_no_longer_than_it_has_been_there() {
        let began = std::time::Instant::now();
        let mut put_off = PutOff::new().unwrap();
        std::thread::yield_now();
        let since = put_off.since_last().unwrap();
        assert!(since <= began.elapsed(), "{since:?}");
    }
}
