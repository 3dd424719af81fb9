//! The thread that writes and syncs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pagelog_commit_log::{Counters, LogFailure, Position, SyncSide, Waker};

use crate::interval;
use crate::policy::Policy;

/// The running thread. Dropped without [`Flush::stop`] it stops too, but nobody hears how it ended.
#[derive(Debug)]
pub struct Flush {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<Ending>>,
}

type Ending = Result<Report, Arc<LogFailure>>;

/// How it went, from start to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Everything below is durable.
    pub durable: Position,
    /// What it took.
    pub counters: Counters,
}

/// Why no thread was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave no thread.
    #[error("cannot start the flush thread: {0}")]
    Thread(#[from] io::Error),
}

impl Flush {
    /// Starts the thread `flush`, which keeps `policy` for this log until it is stopped or a write or sync fails.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn start(sync: SyncSide, policy: Policy) -> Result<Flush, StartError> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let waker = sync.waker();
        let run = move || run(sync, policy, &stopping);
        let thread = std::thread::Builder::new()
            .name("flush".into())
            .spawn(run)?;
        Ok(Flush {
            stop,
            waker,
            thread: Some(thread),
        })
    }

    /// Writes and syncs what there is, closes the log, and ends the thread.
    ///
    /// # Errors
    ///
    /// The failure that ended the log, now or before.
    ///
    /// # Panics
    ///
    /// If the flush thread has panicked, with its panic.
    pub fn stop(mut self) -> Result<Report, Arc<LogFailure>> {
        match self.join() {
            Some(Ok(ending)) => ending,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            // Only `stop` and `drop` take the thread, and both end this value.
            None => unreachable!("the flush thread is joined once"),
        }
    }

    fn join(&mut self) -> Option<std::thread::Result<Ending>> {
        self.stop.store(true, SeqCst);
        self.waker.wake();
        self.thread.take().map(JoinHandle::join)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        if let Some(Ok(Err(failure))) = self.join() {
            tracing::error!("the log was not closed: {failure}");
        }
    }
}

fn run(mut sync: SyncSide, policy: Policy, stop: &AtomicBool) -> Ending {
    match policy {
        Policy::Sync => group_commit(&mut sync, stop)?,
        Policy::Interval(interval) => interval::keep(&mut sync, stop, &interval)?,
    }
    let durable = sync.close()?;
    Ok(Report {
        durable,
        counters: sync.counters(),
    })
}

/// One sync after the other as long as somebody is there to be served.
fn group_commit(sync: &mut SyncSide, stop: &AtomicBool) -> Result<(), Arc<LogFailure>> {
    while !stop.load(SeqCst) {
        let (began, before) = (Instant::now(), sync.counters().entries);
        let written = sync.write()?;
        let durable = sync.sync()?;
        let took = began.elapsed();
        // No linger: but whoever has just been served and is ready to run goes first, so that the next sync serves his next entry too.
        std::thread::yield_now();
        if durable >= written && !is_next_near(sync, durable, stop) {
            sync.sleep(|| stop.load(SeqCst), None);
        }
        // Whoever is in the midst of many requests has more than the first of them to bring: he gets a small part of the time that he would
        // wait for the sync after. Where the last group was one entry, its sender has no more, and must not wait.
        if sync.counters().entries > before + 1 {
            sync.wait_for_turns(took / 8);
        }
    }
    Ok(())
}

/// How long the thread stays awake for the next entry; less than a sync takes.
const NEAR: Duration = Duration::from_micros(100);

/// Whether an entry above `durable` is there or comes soon.
///
/// A client that waits for each answer sends again within tens of microseconds, and to wake this thread from its sleep would take as long again.
/// Everybody else who is ready to run goes first.
fn is_next_near(sync: &SyncSide, durable: Position, stop: &AtomicBool) -> bool {
    let began = Instant::now();
    loop {
        if sync.log().appended() > durable {
            return true;
        }
        if began.elapsed() >= NEAR || stop.load(SeqCst) {
            return false;
        }
        std::thread::yield_now();
    }
}
