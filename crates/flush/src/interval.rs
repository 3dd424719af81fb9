//! Interval flush: what is staged is written often, what is written is synced now and then.
//!
//! Over the staged route two threads do that, so that writing goes on while a sync runs: the ring would be full before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Instant;

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
    fn new(policy: &Interval) -> Schedule<'_> {
        let now = Instant::now();
        Schedule {
            policy,
            looked_at: now,
            synced_at: now,
        }
    }

    /// How long until the next look.
    fn rest(&self) -> std::time::Duration {
        let policy = self.policy.interval;
        policy.saturating_sub(self.looked_at.elapsed())
    }

    /// Looks, if it is time to, and says whether enough waits for a sync, or anything for long enough.
    fn is_due(&mut self, log: &Log) -> bool {
        if !self.rest().is_zero() {
            return false;
        }
        self.looked_at = Instant::now();
        let waiting = log.written().get().0 - log.durable().get().0;
        let enough = waiting >= u64::from(self.policy.pages_least) * PAGE_SIZE;
        let due = enough || self.synced_at.elapsed() >= self.policy.thorough;
        if due {
            self.synced_at = self.looked_at;
        }
        due
    }
}

fn keep_mapped(
    sync: &mut SyncSide,
    stop: &AtomicBool,
    policy: &Interval,
) -> Result<(), Arc<LogFailure>> {
    let mut schedule = Schedule::new(policy);
    while !stop.load(SeqCst) {
        sync.rest(|| stop.load(SeqCst), None, schedule.rest());
        sync.write()?;
        if schedule.is_due(sync.log()) {
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
        let mut schedule = Schedule::new(policy);
        while !ended.load(SeqCst) {
            thread::park_timeout(schedule.rest());
            if schedule.is_due(&log) && syncer.sync().is_err() {
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
    let mut schedule = Schedule::new(policy);
    while !stop.load(SeqCst) {
        let enough = u64::from(policy.write_pages_least) * PAGE_SIZE;
        let until = Position(sync.log().written().get().0.saturating_add(enough));
        // Woken before its time it is by enough pages, or by an appender who finds the ring full: either way, empty it.
        sync.rest(|| stop.load(SeqCst), Some(until), policy.write_interval);
        sync.write()?;
        if alone && schedule.is_due(sync.log()) {
            sync.sync()?;
        }
    }
    Ok(())
}
