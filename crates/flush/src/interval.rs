//! Interval flush: what is staged is written often, what is written is synced now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use pagelog_commit_log::{LogFailure, Position, Route, SyncSide};

use crate::policy::Interval;

/// The pages that an [`Interval`] counts, in bytes.
const PAGE_SIZE: u64 = 4096;

/// Keeps the policy until the stop or a failure.
pub(crate) fn keep(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
) -> Result<(), Arc<LogFailure>> {
    let staged = matches!(sync.log().options().route, Route::Staged { .. });
    let mut looked_at = Instant::now();
    let mut synced_at = looked_at;
    while !stop.load(SeqCst) {
        rest(sync, stop, policy, staged, looked_at.elapsed());
        // Woken before its time it is by four pages, or by an appender who finds the ring full: either way, empty it.
        let written = sync.write()?;
        if looked_at.elapsed() < policy.interval {
            continue;
        }
        looked_at = Instant::now();
        let waiting = written.0 - sync.log().durable().get().0;
        let enough = waiting >= u64::from(policy.pages_least) * PAGE_SIZE;
        if enough || synced_at.elapsed() >= policy.thorough {
            sync.sync()?;
            synced_at = Instant::now();
        }
    }
    Ok(())
}

/// Until the next look at what is to be synced; on the staged route until the next write, if that comes first.
fn rest(sync: &SyncSide, stop: &AtomicBool, policy: &Interval, staged: bool, since_look: Duration) {
    let look = policy.interval.saturating_sub(since_look);
    let stopping = || stop.load(SeqCst);
    if staged {
        let enough = u64::from(policy.write_pages_least) * PAGE_SIZE;
        let until = Position(sync.log().written().get().0.saturating_add(enough));
        sync.rest(stopping, Some(until), look.min(policy.write_interval));
    } else {
        sync.rest(stopping, None, look);
    }
}
