//! Threads that each append, wait until it is durable, and append again.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::sample::Sample;

/// One round of `count` threads; `append` is given the number of its thread and comes back when the record is durable.
///
/// # Errors
/// The first failure of a thread.
pub(super) fn round(
    count: usize,
    duration: Duration,
    record_size: usize,
    append: impl Fn(usize) -> Result<()> + Sync,
) -> Result<Sample> {
    let start = Barrier::new(count + 1);
    let writer = |number: usize| -> Result<Sample> {
        let mut sample = Sample::empty();
        start.wait();
        let started = Instant::now();
        while started.elapsed() < duration {
            let before = Instant::now();
            append(number)?;
            sample.record(before.elapsed().as_nanos(), record_size as u64);
        }
        Ok(sample)
    };
    std::thread::scope(|scope| {
        let writer = &writer;
        let threads = (0..count)
            .map(|number| std::thread::Builder::new().spawn_scoped(scope, move || writer(number)))
            .collect::<Result<Vec<_>, _>>()
            .context("start a writer")?;
        start.wait();
        let started = Instant::now();
        let mut whole = Sample::empty();
        for thread in threads {
            let joined = thread.join();
            ensure!(joined.is_ok(), "a writer panicked");
            let sample = joined.unwrap_or_else(|_| Ok(Sample::empty()))?;
            whole.operations += sample.operations;
            whole.bytes += sample.bytes;
            whole.latency += sample.latency;
        }
        whole.wall = started.elapsed();
        Ok(whole)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;

    #[test]
    fn every_operation_of_every_writer_is_counted() {
        let appended = AtomicU64::new(0);
        let sample = round(3, Duration::from_millis(2), 10, |_| {
            appended.fetch_add(1, SeqCst);
            Ok(())
        });
        let sample = sample.unwrap();
        assert_eq!(sample.operations, appended.load(SeqCst));
        assert_eq!(sample.bytes, 10 * sample.operations);
        assert!(round(2, Duration::from_millis(2), 10, |_| anyhow::bail!("no")).is_err());
    }
}
