//! Allocation ahead of need: a thread that keeps the next segments ready.
//!
//! ```text
//! create NAME.new: blocks, size, sync ─┬→ rename to NAME → sync directory → ready → taken
//!        a spare: OTHER.old, as it is ─┘
//! ```
//!
//! So a file under a segment's name is complete always, also after a power loss between any two
//! steps; one under the other name is not in use and can go.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::aside::Aside;
use crate::spares::Spare;
use crate::{Position, Segment, SegmentsOptions, Storage, file_name, name};

/// Segments that are kept ready: the next one, and the one after for when a burst fills the next
/// before another is made.
const READY_MAX: usize = 2;

/// How long to wait after a failure before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why there is no next segment now.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NextError {
    /// It is being made.
    #[error("the next segment is not ready yet")]
    NotReady,
    /// It could not be made. Tried again every second: this error goes away with its reason.
    #[error("the next segment cannot be made: {0}")]
    Failed(#[source] Arc<io::Error>),
}

/// The allocating thread, stopped and joined on drop.
#[derive(Debug)]
pub(crate) struct Ahead {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and those who take from it share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Signalled at every change of `state`.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Arc<Segment>>,
    /// How often someone wanted one when there was none.
    not_ready: u64,
    /// The last try's error, while no later one has succeeded.
    failure: Option<Arc<io::Error>>,
    stop: bool,
}

/// What the thread works on.
struct Allocator {
    shared: Arc<Shared>,
    storage: Arc<dyn Storage>,
    aside: Arc<Aside>,
    options: SegmentsOptions,
    /// The base of the segment to be made next.
    next: Position,
}

impl Ahead {
    /// Starts the thread. `ready` are segments that exist already and have not been taken; the
    /// next one to be made begins at `next`.
    pub(crate) fn start(
        storage: Arc<dyn Storage>,
        aside: Arc<Aside>,
        options: SegmentsOptions,
        ready: VecDeque<Arc<Segment>>,
        next: Position,
    ) -> io::Result<Ahead> {
        let state = State {
            ready,
            ..State::default()
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let allocator = Allocator {
            shared: Arc::clone(&shared),
            storage,
            aside,
            options,
            next,
        };
        let thread = thread::Builder::new()
            .name("segment-allocator".to_owned())
            .spawn(move || allocator.run())?;
        Ok(Ahead {
            shared,
            thread: Some(thread),
        })
    }

    /// Takes the next segment without waiting; `keep` runs before anyone can take another.
    pub(crate) fn take(&self, keep: impl FnOnce(&Arc<Segment>)) -> Result<Arc<Segment>, NextError> {
        let mut state = self.shared.lock();
        if let Err(error) = state.check() {
            state.not_ready += 1;
            return Err(error);
        }
        let segment = state.ready.pop_front().ok_or(NextError::NotReady)?;
        keep(&segment);
        drop(state);
        self.shared.changed.notify_all();
        Ok(segment)
    }

    /// Those that are ready, in order.
    pub(crate) fn ready(&self) -> Vec<Arc<Segment>> {
        self.shared.lock().ready.iter().cloned().collect()
    }

    /// How often [`Ahead::take`] gave nothing.
    pub(crate) fn not_ready(&self) -> u64 {
        self.shared.lock().not_ready
    }

    /// Waits until [`Ahead::take`] gives something or has failed.
    pub(crate) fn wait(&self, timeout: Duration) -> Result<(), NextError> {
        let undecided = |state: &mut State| matches!(state.check(), Err(NextError::NotReady));
        let waited = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), timeout, undecided);
        waited.unwrap_or_else(PoisonError::into_inner).0.check()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked, the panic was told where it happened.
            let _ = thread.join();
        }
    }
}

impl State {
    /// Whether a segment is ready.
    fn check(&self) -> Result<(), NextError> {
        match (&self.failure, self.ready.is_empty()) {
            (_, false) => Ok(()),
            (Some(error), true) => Err(NextError::Failed(Arc::clone(error))),
            (None, true) => Err(NextError::NotReady),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another segment is wanted; false: stop.
    fn wait_wanted(&self) -> bool {
        let full = |state: &mut State| !state.stop && state.ready.len() >= READY_MAX;
        let state = self.changed.wait_while(self.lock(), full);
        !state.unwrap_or_else(PoisonError::into_inner).stop
    }

    /// Waits until the next try is due, or the stop.
    fn wait_retry(&self) {
        let going_on = |state: &mut State| !state.stop;
        // Whether it timed out does not matter: the next wait looks at `stop`.
        let _ = self
            .changed
            .wait_timeout_while(self.lock(), RETRY_AFTER, going_on);
    }

    /// Whether there was a failure before this success.
    fn deliver(&self, segment: Arc<Segment>) -> bool {
        let mut state = self.lock();
        state.ready.push_back(segment);
        let recovered = state.failure.take().is_some();
        drop(state);
        self.changed.notify_all();
        recovered
    }

    /// Whether this failure is the first in a row.
    fn fail(&self, error: io::Error) -> bool {
        let first = self.lock().failure.replace(Arc::new(error)).is_none();
        self.changed.notify_all();
        first
    }
}

impl Allocator {
    fn run(mut self) {
        let found = self.shared.lock().ready.clone();
        found.iter().for_each(|segment| self.prepare(segment));
        drop(found);
        while self.shared.wait_wanted() {
            match self.make_next() {
                Ok(segment) => self.deliver(segment),
                Err(error) => self.fail(error),
            }
        }
    }

    fn prepare(&self, segment: &Segment) {
        self.warm(segment);
        if let Err(error) = segment.prewrite(self.options.prewrite) {
            let base = segment.base();
            tracing::warn!(%base, %error, "a segment's blocks cannot be written ahead of the appends; syncs in it take longer");
        }
    }

    fn warm(&self, segment: &Segment) {
        let Some(ahead) = &self.options.warm else {
            return;
        };
        if let Err(error) = segment.warm(ahead, 0) {
            let base = segment.base();
            tracing::warn!(%base, %error, "a segment cannot be warmed; its pages come in when they are used");
        }
    }

    fn deliver(&mut self, segment: Arc<Segment>) {
        self.prepare(&segment);
        let base = segment.base();
        self.next = segment.end();
        if self.shared.deliver(segment) {
            tracing::info!(%base, "segments can be allocated again");
        }
    }

    fn fail(&self, error: io::Error) {
        let text = error.to_string();
        if self.shared.fail(error) {
            let (base, size) = (self.next, self.options.segment_size);
            tracing::warn!(
                %base, size, error = text,
                "the next segment cannot be allocated; trying again every second"
            );
        }
        self.shared.wait_retry();
    }

    fn make_next(&self) -> io::Result<Arc<Segment>> {
        match self.aside.take_spare().and_then(|spare| self.reuse(spare)) {
            Some(segment) => Ok(segment),
            None => self.make_new(),
        }
    }

    /// `None`: it could not be; the next try is with a new file.
    fn reuse(&self, spare: Spare) -> Option<Arc<Segment>> {
        let name = file_name(self.next);
        let renamed = || {
            let segment = Segment::recycled(self.next, Arc::clone(&spare.file))?;
            self.storage.rename(&spare.name, &name)?;
            self.storage.sync_directory()?;
            Ok::<_, io::Error>(Arc::new(segment))
        };
        match renamed() {
            Ok(segment) => Some(segment),
            Err(error) => {
                let file = &spare.name;
                tracing::warn!(file, %error, "a deleted segment's file could not be used again");
                self.aside.give_back(spare);
                None
            }
        }
    }

    fn make_new(&self) -> io::Result<Arc<Segment>> {
        let new_name = name::new_file_name(self.next);
        let made = self.make(&new_name);
        if made.is_err() {
            // Of no use to anyone, and its blocks may be what is missing.
            let _ = self.storage.remove(&new_name);
        }
        made
    }

    fn make(&self, new_name: &str) -> io::Result<Arc<Segment>> {
        let file = self.storage.create(new_name, self.options.segment_size)?;
        let segment = Segment::new(self.next, file)?;
        self.storage.rename(new_name, &file_name(self.next))?;
        self.storage.sync_directory()?;
        Ok(Arc::new(segment))
    }
}
