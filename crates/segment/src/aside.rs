//! Segments that have left the run: kept aside until nobody refers to them, then made ready to be used again, or deleted
//! bit by bit.
//!
//! ```text
//! NAME → rename to NAME.old → sync directory → out of the run → last reference goes ─┬→ no page in memory → spare
//!                                                                                    └→ shorten, shorten, … → remove
//! ```
//!
//! So a segment leaves the run on the disk before it does in memory, and what a power loss interrupts is found under the
//! other name at the next open and gone on with.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::spares::{Spare, Spares};
use crate::{Segment, Storage, StorageFile};

/// How much of a file is given back at once. A whole multiple of the largest folio of the page cache (2 MiB on most
/// machines): the kernel zeroes the rest of a folio that a new end of file cuts, and a socket may still be sending it.
pub(crate) const DELETE_STEP_SIZE: u64 = 16 << 20;

/// The pause between two steps, in which the file system serves those who append.
const DELETE_PAUSE: Duration = Duration::from_millis(10);

/// How often it is looked whether the last reference to a segment is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often the kernel is asked to let go of a file's pages, [`LOOK_EVERY`], before it is deleted instead of used again.
/// A peer that reads slowly may hold pages for long.
const LET_GO_TRIES: u32 = 100;

/// How long to wait after a failure before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The thread that deletes, stopped and joined on drop.
#[derive(Debug)]
pub(crate) struct Aside {
    shared: Arc<Shared>,
    spares: Arc<Spares>,
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
    what: What,
    /// How often the kernel has not let go of its pages.
    tries: u32,
    /// Whether a failure has been told.
    told: bool,
}

#[derive(Debug)]
enum What {
    /// The segment that it was; somebody may refer to it.
    Segment(Arc<Segment>),
    /// Nobody does any more, but sockets.
    File(Arc<dyn StorageFile>),
    /// Left by an earlier process, and not opened yet.
    Found,
}

/// How a try to get a file out of the way went.
enum Outcome {
    Done,
    /// The kernel still holds pages of it.
    Resident,
    /// Stopped before it was deleted in full.
    Stopped,
}

/// What the thread works on.
struct Worker {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
    spares: Arc<Spares>,
}

impl Aside {
    /// Starts the thread, which begins with the files `found`.
    pub(crate) fn start(
        storage: Arc<dyn Storage>,
        spares: Spares,
        found: Vec<String>,
    ) -> io::Result<Aside> {
        let spares = Arc::new(spares);
        let shared = Arc::<Shared>::default();
        let found = found
            .into_iter()
            .map(|name| Leaving::new(name, What::Found));
        shared.lock().leaving = found.collect();
        let worker = Worker {
            shared: Arc::clone(&shared),
            storage,
            spares: Arc::clone(&spares),
        };
        let thread = thread::Builder::new()
            .name("segment-deleter".to_owned())
            .spawn(move || worker.run())?;
        Ok(Aside {
            shared,
            spares,
            thread: Some(thread),
        })
    }

    /// Takes over a segment whose file has the second name already.
    pub(crate) fn put(&self, name: String, segment: Arc<Segment>) {
        self.push(Leaving::new(name, What::Segment(segment)));
    }

    /// A file to be used again: the kernel has no page of it in memory.
    pub(crate) fn take_spare(&self) -> Option<Spare> {
        while let Some(spare) = self.spares.take() {
            // Somebody may have read the file meanwhile, and sent what he read.
            match let_go_all(&*spare.file) {
                Ok(0) => return Some(spare),
                _ => self.give_back(spare),
            }
        }
        None
    }

    /// Takes a file back that could not be used again; it is deleted.
    pub(crate) fn give_back(&self, spare: Spare) {
        self.push(Leaving {
            tries: LET_GO_TRIES,
            ..Leaving::new(spare.name, What::File(spare.file))
        });
    }

    /// Keeps files to be used again from now on, or deletes those there are and keeps none.
    pub(crate) fn keep_spares(&self, kept: bool) {
        self.spares.keep(kept);
        while let Some(spare) = (!kept).then(|| self.spares.take()).flatten() {
            self.give_back(spare);
        }
    }

    /// How many files wait to be used again.
    pub(crate) fn spares(&self) -> usize {
        self.spares.count()
    }

    fn push(&self, leaving: Leaving) {
        self.shared.lock().leaving.push(leaving);
        self.shared.changed.notify_all();
    }

    /// How many files have left the run and are neither deleted nor spare yet.
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
    fn new(name: String, what: What) -> Leaving {
        Leaving {
            name,
            what,
            tries: 0,
            told: false,
        }
    }

    /// Nobody refers to it but this; and nobody can who does not already.
    fn is_unreferenced(&self) -> bool {
        match &self.what {
            What::Segment(segment) => segment.is_unreferenced(),
            What::File(_) | What::Found => true,
        }
    }

    /// The file alone, nothing of it mapped by this process any more.
    fn unmap(&mut self, storage: &dyn Storage) -> io::Result<Arc<dyn StorageFile>> {
        let file = match &self.what {
            What::Segment(segment) => Arc::clone(segment.file()),
            What::File(file) => Arc::clone(file),
            What::Found => storage.open(&self.name)?,
        };
        // The last reference to the segment goes here, and with it its mappings.
        self.what = What::File(Arc::clone(&file));
        Ok(file)
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
                Some(leaving) => self.work_on(leaving),
            };
            if !pause.is_zero() && !self.shared.pause(pause) {
                return;
            }
        }
    }

    /// Answers how long to wait before the next one.
    fn work_on(&self, mut leaving: Leaving) -> Duration {
        match self.dispose(&mut leaving) {
            Ok(Outcome::Done) => {
                self.shared.done(None);
                Duration::ZERO
            }
            Ok(Outcome::Resident) => {
                leaving.tries += 1;
                self.shared.done(Some(leaving));
                LOOK_EVERY
            }
            Ok(Outcome::Stopped) => {
                self.shared.done(Some(leaving));
                Duration::ZERO
            }
            Err(error) => self.failed(leaving, &error),
        }
    }

    /// Keeps as a spare or deletes what nobody refers to. At the stop the rest is left to the next open.
    fn dispose(&self, leaving: &mut Leaving) -> io::Result<Outcome> {
        let file = leaving.unmap(&*self.storage)?;
        if leaving.tries < LET_GO_TRIES && self.spares.wants(file.size()?) {
            match let_go_all(&*file) {
                Ok(0) => {
                    let name = leaving.name.clone();
                    self.spares.put(Spare { name, file });
                    return Ok(Outcome::Done);
                }
                Ok(_) => return Ok(Outcome::Resident),
                Err(error) => {
                    let file = &leaving.name;
                    tracing::info!(file, %error, "it is not known who still sends a deleted segment, so its file is not used again");
                }
            }
        }
        if !self.shorten(&*file)? {
            return Ok(Outcome::Stopped);
        }
        self.storage.remove(&leaving.name)?;
        tracing::debug!(file = leaving.name, "deleted");
        Ok(Outcome::Done)
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

/// How many pages of the file the kernel still holds.
fn let_go_all(file: &dyn StorageFile) -> io::Result<u64> {
    file.let_go(0..file.size()?)
}
