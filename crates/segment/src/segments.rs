//! The run of segments in use, and the taking of the next one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::ahead::Ahead;
use crate::{NextError, OpenError, Position, Segment, Storage, run};

/// The segments of a log, one behind the other without a gap.
///
/// Readers take a snapshot and never wait. One thread of its own, `segment-allocator`, keeps the
/// next two files ready once [`Segments::start_ahead`] was called; dropping this value stops it.
#[derive(Debug)]
pub struct Segments {
    storage: Arc<dyn Storage>,
    segment_size: u64,
    /// Changed only while the lock inside `ahead` is held, or before there is one.
    run: ArcSwap<Vec<Arc<Segment>>>,
    ahead: OnceLock<Ahead>,
}

impl Segments {
    /// Opens every segment that `storage` holds; a new one holds none. Segments that are made later
    /// have `segment_size` bytes; those that exist keep the size they have.
    ///
    /// Files that an earlier process did not complete are removed, and the directory is synced.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Panics
    ///
    /// When `segment_size` is 0.
    pub fn open(storage: Arc<dyn Storage>, segment_size: u64) -> Result<Segments, OpenError> {
        assert!(segment_size > 0, "segments of no bytes");
        let run = run::open(&*storage)?;
        let run = ArcSwap::from_pointee(run);
        Ok(Segments {
            storage,
            segment_size,
            run,
            ahead: OnceLock::new(),
        })
    }

    /// The storage they lie in.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.storage
    }

    /// The segments in use at this moment, in order of position.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Vec<Arc<Segment>>> {
        self.run.load_full()
    }

    /// The segment in use that holds the byte at `position`.
    #[must_use]
    pub fn find(&self, position: Position) -> Option<Arc<Segment>> {
        let run = self.run.load();
        let behind = run.partition_point(|segment| segment.base() <= position);
        let segment = run.get(behind.checked_sub(1)?)?;
        (position < segment.end()).then(|| Arc::clone(segment))
    }

    /// Starts the thread that keeps the next segments ready. `after` is where the first of them
    /// begins: the end of the segment that the log's tail lies in, or its first position when there
    /// is none.
    ///
    /// Segments behind `after` that exist already, made ahead by an earlier process, leave the run
    /// and are the first to be taken. They are handed out as they were found: whatever bytes they
    /// hold are for the caller to tell from its own.
    ///
    /// # Errors
    ///
    /// When the thread cannot be started.
    ///
    /// # Panics
    ///
    /// When it was started before, or `after` is not the end (or the begin) of a segment.
    pub fn start_ahead(&self, after: Position) -> io::Result<()> {
        assert!(
            self.ahead.get().is_none(),
            "allocation ahead was started before"
        );
        let run = self.run.load_full();
        let kept = run.partition_point(|segment| segment.base() < after);
        let ends_at = |segment: &Arc<Segment>| segment.end() == after;
        let begins_at = |segment: &Arc<Segment>| segment.base() == after;
        let fits = match kept.checked_sub(1) {
            Some(last) => ends_at(&run[last]),
            None => run.first().is_none_or(begins_at),
        };
        assert!(fits, "no segment ends or begins at position {after}");

        let (kept, ready) = run.split_at(kept);
        let next = ready.last().map_or(after, |segment| segment.end());
        let ready = VecDeque::from(ready.to_vec());
        self.run.store(Arc::new(kept.to_vec()));
        let ahead = Ahead::start(Arc::clone(&self.storage), self.segment_size, ready, next)?;
        let second = self.ahead.set(ahead);
        assert!(
            second.is_ok(),
            "allocation ahead was started by two threads at once"
        );
        Ok(())
    }

    /// Moves the next segment to the end of the run, if it is ready; never waits for the storage.
    ///
    /// # Errors
    ///
    /// [`NextError`]; `NotReady` also before [`Segments::start_ahead`].
    pub fn take_next(&self) -> Result<Arc<Segment>, NextError> {
        let ahead = self.ahead.get().ok_or(NextError::NotReady)?;
        ahead.take(|segment| {
            let mut run = self.run.load().to_vec();
            run.push(Arc::clone(segment));
            self.run.store(Arc::new(run));
        })
    }

    /// Waits until the next segment is ready, up to `timeout`. For threads that may wait.
    ///
    /// # Errors
    ///
    /// [`NextError`]: `Failed` at once while it cannot be made, `NotReady` when the time is over.
    pub fn wait_next(&self, timeout: Duration) -> Result<(), NextError> {
        self.ahead.get().ok_or(NextError::NotReady)?.wait(timeout)
    }
}
