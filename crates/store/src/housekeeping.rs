//! The thread that keeps the log small: retention, carrying forward, the removal of old segments, and a look at the disk.
//!
//! ```text
//!   retention moves starts ──▶ does little enough count in the oldest segment? ──▶ carry it ──▶ wait until durable ──▶ remove
//!                                                  ▲                                                                     │
//!                                                  └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! It appends like everyone else, in small steps with rests between them, and waits where the log is busy: appenders do not wait for it.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::disk_watch::{DiskLimits, DiskWatch, MeasureDisk};
use crate::shorten::{PassError, Passed, Shortener};
use crate::store::Store;

/// How often it looks whether there is something to do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The first pass is not made before this, so that a start is not slowed down.
const FIRST_PASS_AFTER: Duration = Duration::from_secs(30);

/// What the housekeeping is told.
#[derive(Clone)]
pub struct HousekeepingOptions {
    /// How often retention is looked at.
    pub retention_interval: Duration,
    /// How much is carried forward in a second, in bytes; while the disk is past its warning, there is no limit.
    pub carry_bytes_per_second: u64,
    /// How full the disk may be.
    pub disk: DiskLimits,
    /// Measures the disk.
    pub measure: MeasureDisk,
}

/// The thread `housekeeping`, stopped and joined on drop: within one step of what it does.
#[derive(Debug)]
pub struct Housekeeping {
    rest: Arc<Rest>,
    thread: Option<JoinHandle<()>>,
}

/// The thread's sleep, and the word that ends it.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    stopping: Mutex<bool>,
    changed: Condvar,
}

struct Keeping {
    store: Arc<Store>,
    rest: Arc<Rest>,
    options: HousekeepingOptions,
    disk: DiskWatch,
    /// What the last pass failed with, so that it is told once.
    failed: Option<String>,
}

impl Housekeeping {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub fn start(store: Arc<Store>, options: HousekeepingOptions) -> io::Result<Housekeeping> {
        let rest = Arc::<Rest>::default();
        let disk = DiskWatch::new(options.disk, Arc::clone(&options.measure));
        let keeping = Keeping {
            store,
            rest: Arc::clone(&rest),
            options,
            disk,
            failed: None,
        };
        let thread = std::thread::Builder::new()
            .name("housekeeping".to_owned())
            .spawn(move || keeping.run())?;
        Ok(Housekeeping {
            rest,
            thread: Some(thread),
        })
    }

    /// Ends the thread, and waits for it: at most for the step it is in.
    pub fn stop(mut self) {
        self.join();
    }

    fn join(&mut self) {
        self.rest.stop();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Housekeeping {
    fn drop(&mut self) {
        self.join();
    }
}

impl Rest {
    /// Sleeps for `time`; whether to go on after it.
    pub(crate) fn rest(&self, time: Duration) -> bool {
        let going_on = |stopping: &mut bool| !*stopping;
        let waited = self.changed.wait_timeout_while(self.lock(), time, going_on);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.lock()
    }

    fn stop(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // Nothing that can panic runs under it.
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeping {
    fn run(mut self) {
        let interval = self.options.retention_interval;
        let mut due = Instant::now() + interval.min(FIRST_PASS_AFTER);
        loop {
            self.disk.look(&self.store);
            if Instant::now() >= due || self.disk.wants_room() {
                self.pass();
                due = Instant::now() + interval;
            }
            let left = due.saturating_duration_since(Instant::now());
            if self.store.failure().is_some() || !self.rest.rest(left.min(LOOK_EVERY)) {
                return;
            }
        }
    }

    fn pass(&mut self) {
        let bytes_per_second = match self.disk.is_past_warning() {
            true => u64::MAX,
            false => self.options.carry_bytes_per_second,
        };
        let shortener = Shortener::new(&self.store, &self.rest, bytes_per_second);
        let passed = shortener.pass(self.disk.wants_room());
        match passed {
            Ok(passed) => {
                self.failed = None;
                tell(&passed);
            }
            Err(PassError::Stopped) => {}
            Err(error) => self.tell_failure(&error),
        }
    }

    fn tell_failure(&mut self, error: &PassError) {
        let text = error.to_string();
        if self.failed.as_ref() != Some(&text) {
            tracing::warn!("old segments cannot be removed: {text}; it is tried again");
            self.failed = Some(text);
        }
    }
}

fn tell(passed: &Passed) {
    if passed.segments_removed > 0 {
        tracing::info!(
            segments = passed.segments_removed,
            carried_bytes = passed.bytes_carried,
            "removed old segments"
        );
    }
    if passed.starts_moved > 0 {
        tracing::debug!(partitions = passed.starts_moved, "deleted old records");
    }
}

impl std::fmt::Debug for HousekeepingOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HousekeepingOptions")
            .field("retention_interval", &self.retention_interval)
            .field("carry_bytes_per_second", &self.carry_bytes_per_second)
            .field("disk", &self.disk)
            .finish_non_exhaustive()
    }
}
