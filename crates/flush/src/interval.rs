//! Interval flush: what is staged is written often, what is written is synced now and then.
//!
//! Over the staged route two threads do that, so that writing goes on while a sync runs: the ring would be full before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use pagelog_commit_log::{Log, LogFailure, Position, Route, SyncSide, Syncer};

use crate::policy::Interval;

/// The pages that an [`Interval`] counts, in bytes.
const PAGE_SIZE: u64 = 4096;

/// Keeps the policy until the stop or a failure.
pub(crate) fn keep(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
) -> Result<(), Arc<LogFailure>> {
    match sync.log().options().route {
        Route::Mapped => keep_mapped(sync, stop, policy),
        Route::Staged { .. } => keep_staged(sync, stop, policy),
    }
}

/// When the next sync is due.
struct Schedule<'a> {
    policy: &'a Interval,
    looked_at: Instant,
    synced_at: Instant,
}

impl Schedule<'_> {
    fn new(policy: &Interval, now: Instant) -> Schedule<'_> {
        Schedule {
            policy,
            looked_at: now,
            synced_at: now,
        }
    }

    /// How long from `now` until the next look.
    fn rest(&self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.looked_at);
        self.policy.interval.saturating_sub(passed)
    }

    /// Looks, if it is time to, and says whether what waits for a sync is enough, or has waited for long enough.
    fn is_due(&mut self, waiting: u64, now: Instant) -> bool {
        if !self.rest(now).is_zero() {
            return false;
        }
        self.looked_at = now;
        let enough = waiting >= u64::from(self.policy.pages_least) * PAGE_SIZE;
        let passed = now.saturating_duration_since(self.synced_at);
        let due = enough || passed >= self.policy.thorough;
        if due {
            self.synced_at = now;
        }
        due
    }
}

/// The bytes that are written and not durable.
fn waiting(log: &Log) -> u64 {
    // Durable first, which never passes the other.
    let durable = log.durable().get();
    log.written().get().0 - durable.0
}

fn keep_mapped(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
) -> Result<(), Arc<LogFailure>> {
    let mut schedule = Schedule::new(policy, Instant::now());
    while !stop.load(SeqCst) {
        sync.rest(|| stop.load(SeqCst), None, schedule.rest(Instant::now()));
        sync.write()?;
        if schedule.is_due(waiting(sync.log()), Instant::now()) {
            sync.sync()?;
        }
    }
    Ok(())
}

fn keep_staged(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
) -> Result<(), Arc<LogFailure>> {
    let mut syncer = sync.split();
    let ended = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let log = Arc::clone(sync.log());
        let syncing = start_syncing(scope, &log, &mut syncer, &ended, policy);
        let alone = syncing.is_none();
        let written = keep_writing(sync, stop, policy, alone);
        ended.store(true, SeqCst);
        if let Some(syncing) = syncing {
            syncing.thread().unpark();
            // A failed sync has ended the log, and is found there.
            if let Err(panic) = syncing.join() {
                std::panic::resume_unwind(panic);
            }
        }
        written
    });
    sync.join(&syncer);
    written
}

/// A thread of its own for the syncs; without one, writing waits for them.
fn start_syncing<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    log: &Arc<Log>,
    syncer: &'env mut Syncer,
    ended: &'env AtomicBool,
    policy: &'env Interval,
) -> Option<ScopedJoinHandle<'scope, ()>> {
    let log = Arc::clone(log);
    let run = move || {
        let mut schedule = Schedule::new(policy, Instant::now());
        while !ended.load(SeqCst) {
            thread::park_timeout(schedule.rest(Instant::now()));
            if schedule.is_due(waiting(&log), Instant::now()) && syncer.sync().is_err() {
                return;
            }
        }
    };
    let started = thread::Builder::new()
        .name("flush-sync".into())
        .spawn_scoped(scope, run);
    started
        .inspect_err(|error| tracing::warn!(%error, "writing waits for syncs: no thread for them"))
        .ok()
}

fn keep_writing(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
    alone: bool,
) -> Result<(), Arc<LogFailure>> {
    let mut schedule = Schedule::new(policy, Instant::now());
    while !stop.load(SeqCst) {
        let enough = u64::from(policy.write_pages_least) * PAGE_SIZE;
        let until = Position(sync.log().written().get().0.saturating_add(enough));
        // Woken before its time it is by enough pages, or by an appender who finds the ring full: either way, empty it.
        sync.rest(|| stop.load(SeqCst), Some(until), policy.write_interval);
        sync.write()?;
        if alone && schedule.is_due(waiting(sync.log()), Instant::now()) {
            sync.sync()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Interval = Interval {
        interval: Duration::from_millis(500),
        pages_least: 4,
        thorough: Duration::from_secs(10),
        write_interval: Duration::from_millis(200),
        write_pages_least: 4,
    };
    const ENOUGH: u64 = 4 * PAGE_SIZE;

    #[test]
    fn looks_once_an_interval() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut schedule = Schedule::new(&POLICY, start);
        assert_eq!(schedule.rest(after(100)), Duration::from_millis(400));
        assert!(!schedule.is_due(ENOUGH, after(499)));
        assert!(schedule.is_due(ENOUGH, after(500)));
        // The next look is counted from this one, whether it found enough or not.
        assert!(!schedule.is_due(ENOUGH, after(999)));
        assert!(!schedule.is_due(ENOUGH - 1, after(1_000)));
        assert!(!schedule.is_due(ENOUGH, after(1_499)));
        assert!(schedule.is_due(ENOUGH, after(1_500)));
        assert_eq!(schedule.rest(after(9_000)), Duration::ZERO);
    }

    #[test]
    fn too_little_waits_for_the_thorough_look() {
        let start = Instant::now();
        let mut schedule = Schedule::new(&POLICY, start);
        let looks = |schedule: &mut Schedule<'_>, from: u32| {
            (from + 1..)
                .find(|look| schedule.is_due(1, start + POLICY.interval * *look))
                .expect("numbers do not end")
        };
        assert_eq!(looks(&mut schedule, 0), 20);
        // One that was due for its size puts the thorough one off.
        assert!(schedule.is_due(ENOUGH, start + POLICY.interval * 30));
        assert_eq!(looks(&mut schedule, 30), 50);
    }

    /// A clock that seems to go back, as between processors, makes nothing due and ends nothing.
    #[test]
    fn an_earlier_time_is_no_time_passed() {
        let start = Instant::now();
        let mut schedule = Schedule::new(&POLICY, start + Duration::from_secs(60));
        assert!(!schedule.is_due(ENOUGH, start));
        assert_eq!(schedule.rest(start), POLICY.interval);
    }
}
