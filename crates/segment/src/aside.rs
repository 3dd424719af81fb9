//! Segments that have left the run: kept aside until nobody refers to them, then deleted bit by bit.
//!
//! ```text
//! NAME → rename to NAME.old → sync directory → out of the run → last reference goes → shorten, shorten, … → remove
//! ```
//!
//! So a segment leaves the run on the disk before it does in memory, and what a power loss interrupts is found under the
//! other name at the next open and gone on with.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::{Segment, Storage, StorageFile};

/// How much of a file is given back at once. A whole multiple of the largest folio of the page cache (2 MiB on most
/// machines): the kernel zeroes the rest of a folio that a new end of file cuts, and a socket may still be sending it.
pub(crate) const DELETE_STEP_SIZE: u64 = 64 << 20;

/// The pause between two steps, in which the file system serves those who append.
const DELETE_PAUSE: Duration = Duration::from_millis(10);

/// How often it is looked whether the last reference to a segment is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long to wait after a failure before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The thread that deletes, stopped and joined on drop.
#[derive(Debug)]
pub(crate) struct Aside {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when something comes in, and at the stop.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    leaving: Vec<Leaving>,
    /// What the thread has taken out of `leaving` and is busy with.
    busy: usize,
    stop: bool,
}

/// A file under its second name.
#[derive(Debug)]
struct Leaving {
    name: String,
    /// The segment it was; `None`: found at the open, so that this process has never handed it out.
    segment: Option<Arc<Segment>>,
    /// Whether a failure has been told.
    told: bool,
}

/// What the thread works on.
struct Worker {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
}

impl Aside {
    /// Starts the thread, which begins with the files `found`.
    pub(crate) fn start(storage: Arc<dyn Storage>, found: Vec<String>) -> io::Result<Aside> {
        let shared = Arc::<Shared>::default();
        shared.lock().leaving = found.into_iter().map(Leaving::found).collect();
        let worker = Worker {
            shared: Arc::clone(&shared),
            storage,
        };
        let thread = thread::Builder::new()
            .name("segment-deleter".to_owned())
            .spawn(move || worker.run())?;
        Ok(Aside {
            shared,
            thread: Some(thread),
        })
    }

    /// Takes over a segment whose file has the second name already.
    pub(crate) fn put(&self, name: String, segment: Arc<Segment>) {
        self.shared.lock().leaving.push(Leaving {
            segment: Some(segment),
            ..Leaving::found(name)
        });
        self.shared.changed.notify_all();
    }

    /// How many files have left the run and are not deleted yet.
    pub(crate) fn count(&self) -> usize {
        let state = self.shared.lock();
        state.leaving.len() + state.busy
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Leaving {
    fn found(name: String) -> Leaving {
        Leaving {
            name,
            segment: None,
            told: false,
        }
    }

    /// Nobody refers to it but this; and nobody can who does not already.
    fn is_unreferenced(&self) -> bool {
        self.segment
            .as_ref()
            .is_none_or(|segment| segment.is_unreferenced())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has left the run; false: stop.
    fn wait_leaving(&self) -> bool {
        let idle = |state: &mut State| !state.stop && state.leaving.is_empty();
        let state = self.changed.wait_while(self.lock(), idle);
        !state.unwrap_or_else(PoisonError::into_inner).stop
    }

    /// Waits for `time`; false: stop.
    fn pause(&self, time: Duration) -> bool {
        let going_on = |state: &mut State| !state.stop;
        let waited = self.changed.wait_timeout_while(self.lock(), time, going_on);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }

    /// Takes the first file that nobody refers to.
    fn take(&self) -> Option<Leaving> {
        let mut state = self.lock();
        let index = state.leaving.iter().position(Leaving::is_unreferenced)?;
        state.busy += 1;
        Some(state.leaving.remove(index))
    }

    /// What was taken is done with, or comes back.
    fn done(&self, unfinished: Option<Leaving>) {
        let mut state = self.lock();
        state.busy -= 1;
        state.leaving.extend(unfinished);
    }
}

impl Worker {
    fn run(self) {
        while self.shared.wait_leaving() {
            let pause = match self.shared.take() {
                None => LOOK_EVERY,
                Some(leaving) => match self.delete(&leaving) {
                    Ok(()) => {
                        self.shared.done(None);
                        continue;
                    }
                    Err(error) => self.failed(leaving, &error),
                },
            };
            if !self.shared.pause(pause) {
                return;
            }
        }
    }

    /// Deletes what nobody refers to. At the stop the rest is left to the next open.
    fn delete(&self, leaving: &Leaving) -> io::Result<()> {
        let file = match &leaving.segment {
            Some(segment) => Arc::clone(segment.file()),
            None => self.storage.open(&leaving.name)?,
        };
        if self.shorten(&*file)? {
            self.storage.remove(&leaving.name)?;
            tracing::debug!(file = leaving.name, "deleted");
        }
        Ok(())
    }

    /// False: stopped before there was nothing left.
    fn shorten(&self, file: &dyn StorageFile) -> io::Result<bool> {
        let mut size = file.size()?;
        while size > DELETE_STEP_SIZE {
            size = (size - 1) / DELETE_STEP_SIZE * DELETE_STEP_SIZE;
            file.shorten(size)?;
            if !self.shared.pause(DELETE_PAUSE) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn failed(&self, mut leaving: Leaving, error: &io::Error) -> Duration {
        if error.kind() == io::ErrorKind::NotFound {
            // Somebody else has removed it.
            self.shared.done(None);
            return Duration::ZERO;
        }
        if !leaving.told {
            let file = &leaving.name;
            tracing::warn!(file, %error, "a deleted segment's file cannot be removed; trying again every second");
            leaving.told = true;
        }
        self.shared.done(Some(leaving));
        RETRY_AFTER
    }
}
