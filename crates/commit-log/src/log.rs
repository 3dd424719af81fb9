//! The log: its parts, and how far it has come.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

use pagelog_record::{Epoch, Offset, Seed, StreamId};
use pagelog_segment::{Position, Progress, Segments};

use crate::error::LogFailure;
use crate::index::Indexes;
use crate::options::LogOptions;
use crate::rewrite::Epochs;
use crate::ring::Ring;
use crate::run::Run;
use crate::stream::Stream;
use crate::tail::Tail;
use crate::watermark::Watermark;

/// One ordered log of entries.
///
/// It starts no thread and decides no sync: what is appended becomes written and durable when the holder of the one
/// [`crate::SyncSide`] says so.
///
/// The marks, from the highest down: *appended* is the end of the unbroken run of filled entries; *written* is what is in the file, which
/// the death of this process leaves alone; *durable* is what a power cut leaves alone.
///
/// Lock order: the tail's lock, then a stream's. Neither is held while waiting for anything else.
pub struct Log {
    id: [u8; 16],
    seed: Seed,
    epoch: Epoch,
    options: LogOptions,
    segments: Segments,
    ring: Option<Ring>,
    tail: Mutex<Tail>,
    room: Condvar,
    /// On the staged route; on the mapped one it is where *written* is.
    appended: AtomicU64,
    /// On the mapped route: what was filled before something in front of it.
    run: Run,
    written: Arc<Watermark>,
    durable: Arc<Watermark>,
    indexes: Indexes,
    failure: OnceLock<Arc<LogFailure>>,
    bell: Bell,
    /// Where each epoch begins, from the position on that reading began at.
    epochs: Epochs,
    /// Where the entry lies that says that the log was closed.
    stopped_at: OnceLock<Position>,
    /// The newest checkpoint that there is.
    newest_checkpoint: Mutex<Option<Position>>,
}

/// What an opening found and made, before it becomes a [`Log`].
pub(crate) struct Parts {
    pub(crate) id: [u8; 16],
    pub(crate) seed: Seed,
    pub(crate) epoch: Epoch,
    pub(crate) options: LogOptions,
    pub(crate) segments: Segments,
    pub(crate) ring: Option<Ring>,
    pub(crate) tail: Tail,
    pub(crate) indexes: Indexes,
    pub(crate) epochs: Epochs,
    pub(crate) newest_checkpoint: Option<Position>,
}

/// Wakes the thread that writes and syncs, if it sleeps.
struct Bell {
    /// What must have been appended for the sleeper to be woken; [`AWAKE`]: nobody sleeps.
    wake_at: AtomicU64,
    sleeper: Mutex<Option<Thread>>,
}

/// The place of [`Bell::wake_at`] when nobody sleeps.
const AWAKE: u64 = u64::MAX;

/// A sleeper that no append wakes.
const NEVER: Position = Position(AWAKE - 1);

impl Default for Bell {
    fn default() -> Bell {
        Bell {
            wake_at: AtomicU64::new(AWAKE),
            sleeper: Mutex::default(),
        }
    }
}

impl Log {
    pub(crate) fn new(parts: Parts) -> Arc<Log> {
        let end = Position(parts.tail.position);
        Arc::new(Log {
            id: parts.id,
            seed: parts.seed,
            epoch: parts.epoch,
            options: parts.options,
            segments: parts.segments,
            ring: parts.ring,
            tail: Mutex::new(parts.tail),
            room: Condvar::new(),
            appended: AtomicU64::new(end.0),
            run: Run::default(),
            written: Watermark::new(end),
            durable: Watermark::new(end),
            indexes: parts.indexes,
            failure: OnceLock::new(),
            bell: Bell::default(),
            epochs: parts.epochs,
            stopped_at: OnceLock::new(),
            newest_checkpoint: Mutex::new(parts.newest_checkpoint),
        })
    }

    /// The log's id, a random UUID made with the log and kept for its life.
    pub fn id(&self) -> [u8; 16] {
        self.id
    }

    /// Which opening of the log this is; the first is 1.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The end of the unbroken run of filled entries.
    pub fn appended(&self) -> Position {
        match self.ring {
            Some(_) => Position(self.appended.load(SeqCst)),
            None => self.written.get(),
        }
    }

    /// Where the next entry goes, or before: every place that was given to an entry lies below.
    pub fn reserved(&self) -> Position {
        Position(self.tail().position)
    }

    /// Everything below is in the file: it can be read, and survives the death of this process.
    pub fn written(&self) -> &Arc<Watermark> {
        &self.written
    }

    /// Everything below is on the disk: it survives a power cut.
    pub fn durable(&self) -> &Arc<Watermark> {
        &self.durable
    }

    /// What ended the log, if something did.
    pub fn failure(&self) -> Option<Arc<LogFailure>> {
        self.failure.get().cloned()
    }

    /// The options that the log was opened with.
    pub fn options(&self) -> &LogOptions {
        &self.options
    }

    /// The stream with this id, empty if the log holds nothing of it.
    pub fn stream(&self, id: StreamId) -> Arc<Stream> {
        self.indexes.streams.get(id)
    }

    /// Forgets a stream that will not be asked for again; its entries count for nothing.
    pub fn forget(&self, id: StreamId) {
        if let Some(stream) = self.indexes.streams.find(id) {
            stream.forget();
        }
    }

    /// Forgets every stream but those that `kept` holds for; as [`Log::forget`].
    pub fn forget_all_but(&self, kept: impl Fn(StreamId) -> bool) {
        for stream in self.streams().iter().filter(|one| !kept(one.id())) {
            stream.forget();
        }
    }

    /// Deletes the records of `stream` below `to`; all of them, if that lies behind its end. Says where it starts now, which never goes back.
    ///
    /// The log itself does not remember it: whoever opens it says so again by [`Log::restore`].
    pub fn set_start(&self, stream: &Stream, to: Offset) -> Offset {
        stream.set_start(to)
    }

    /// Tells of `stream` what its entries no longer say, since some of them are gone: where it starts, and what its next offset is at least.
    ///
    /// For the time right after an opening: everything below `next` must be durable.
    pub fn restore(&self, stream: &Stream, start: Offset, next: Offset) {
        stream.restore(start, next);
    }

    /// All streams, by id.
    pub(crate) fn streams(&self) -> Arc<[Arc<Stream>]> {
        self.indexes.streams.sorted()
    }

    /// How many segments are ready to follow the one that is being filled; two at most.
    pub fn segments_ready(&self) -> usize {
        self.segments.ready()
    }

    /// How often an append was refused because no segment was ready.
    pub fn waits_for_segments(&self) -> u64 {
        self.segments.not_ready()
    }

    /// Whether files of deleted segments are kept to be used again; those there are go when they are not.
    pub fn keep_spares(&self, kept: bool) {
        self.segments.keep_spares(kept);
    }

    /// How many files of deleted segments are kept to be used again.
    pub fn segments_spare(&self) -> usize {
        self.segments.spares()
    }

    /// How far the warm-ups ahead of the appenders are: of the segment that is being filled and of those that are ready. Empty without warm-up.
    pub fn warm_up(&self) -> Vec<Progress> {
        self.segments.warm_up()
    }

    pub(crate) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn room(&self) -> &Condvar {
        &self.room
    }

    pub(crate) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    pub(crate) fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }

    pub(crate) fn indexes(&self) -> &Indexes {
        &self.indexes
    }

    pub(crate) fn seed(&self) -> &Seed {
        &self.seed
    }

    /// Held while a checkpoint is written: one after the other.
    pub(crate) fn newest_checkpoint(&self) -> MutexGuard<'_, Option<Position>> {
        self.newest_checkpoint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch of the last entry before `position`; `None` where no entry is known.
    pub(crate) fn epoch_before(&self, position: Position) -> Option<Epoch> {
        self.epochs.at(Position(position.0.checked_sub(1)?))
    }

    pub(crate) fn stopped_at(&self) -> Option<Position> {
        self.stopped_at.get().copied()
    }

    /// The last entry lies at `position`, and says that the log was closed.
    pub(crate) fn stop_at(&self, position: Position) {
        // A second one is of no use: the first has closed the log.
        let _ = self.stopped_at.set(position);
    }

    /// Says that neither mark will move again. Whoever waits is woken.
    pub(crate) fn close_marks(&self) {
        self.written.close();
        self.durable.close();
        self.room.notify_all();
    }

    /// The run of entries that are filled in the ring goes on to `to`. Called under the tail's lock.
    pub(crate) fn publish_appended(&self, to: Position) {
        self.appended.store(to.0, SeqCst);
    }

    /// Ends the log: the first failure stays. Whoever waits is woken.
    pub(crate) fn fail(&self, failure: LogFailure) -> Arc<LogFailure> {
        let failure = Arc::clone(self.failure.get_or_init(|| {
            tracing::error!("the log has failed and takes no more entries: {failure}");
            Arc::new(failure)
        }));
        self.written.fail();
        self.durable.fail();
        self.room.notify_all();
        self.ring_bell();
        failure
    }

    /// Wakes the thread that waits in [`Log::sleep`], if what it waits for has been appended.
    pub(crate) fn ring_for_appended(&self) {
        // Both in one order with the sleeper's own two steps: one of the two sees the other's.
        if self.bell.wake_at.load(SeqCst) <= self.appended().0 {
            self.ring_bell();
        }
    }

    /// Wakes the thread that waits in [`Log::sleep`], whatever it waits for.
    pub(crate) fn ring_bell(&self) {
        if self.bell.wake_at.swap(AWAKE, SeqCst) != AWAKE {
            let sleeper = self
                .bell
                .sleeper
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(thread) = &*sleeper {
                thread.unpark();
            }
        }
    }

    /// Lets this thread sleep until the bell rings or, if there is one, `until` has been appended, unless `awake` holds once the
    /// bell has been set up. May return for no reason.
    pub(crate) fn sleep(
        &self,
        awake: impl Fn() -> bool,
        until: Option<Position>,
        timeout: Option<std::time::Duration>,
    ) {
        let until = until.unwrap_or(NEVER);
        let me = std::thread::current();
        {
            let mut sleeper = self
                .bell
                .sleeper
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if sleeper.as_ref().is_none_or(|other| other.id() != me.id()) {
                *sleeper = Some(me);
            }
        }
        self.bell.wake_at.store(until.0.min(NEVER.0), SeqCst);
        if !awake() && self.appended() < until {
            match timeout {
                Some(timeout) => std::thread::park_timeout(timeout),
                None => std::thread::park(),
            }
        }
        self.bell.wake_at.store(AWAKE, SeqCst);
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("epoch", &self.epoch)
            .field("options", &self.options)
            .field("appended", &self.appended())
            .field("written", &self.written)
            .field("durable", &self.durable)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}
