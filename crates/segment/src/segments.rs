//! The run of segments in use, and the taking of the next one.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pagelog_page_cache::Progress;

use crate::ahead::Ahead;
use crate::aside::Aside;
use crate::spares::Spares;
use crate::{
    NextError, OpenError, Position, Segment, SegmentsOptions, Storage, file_name, old_file_name,
    run,
};

/// The segments of a log, one behind the other without a gap.
///
/// Readers take a snapshot and never wait. Two threads of its own, once [`Segments::start_ahead`] was called:
/// `segment-allocator` keeps the next two files ready, `segment-deleter` makes those that have left the run ready to be used
/// again, or deletes them. Dropping this value stops both.
#[derive(Debug)]
pub struct Segments {
    storage: Arc<dyn Storage>,
    options: SegmentsOptions,
    run: ArcSwap<Vec<Arc<Segment>>>,
    ahead: OnceLock<Ahead>,
    aside: OnceLock<Arc<Aside>>,
    /// Held while the oldest segment is removed: one after the other.
    removing: Mutex<()>,
    /// What had left the run when it was opened.
    found_old: Mutex<Vec<String>>,
}

/// Why a segment does not leave the run. It is still there, and can be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    /// Another segment is the oldest one, or it is the only one.
    #[error("the segment at position {base} is not the oldest of several")]
    NotOldest {
        /// The base that was given.
        base: Position,
    },
    /// Before [`Segments::start_ahead`] nothing is removed.
    #[error("the segments are being opened")]
    NotStarted,
    /// The storage refused. Trying again is safe, whatever of it has been done.
    #[error("cannot {action} {name}: {error}")]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// The file, or the directory.
        name: String,
        /// What the storage said.
        #[source]
        error: io::Error,
    },
}

impl Segments {
    /// Opens every segment that `storage` holds; a new one holds none.
    ///
    /// Files that an earlier process did not complete are removed, and the directory is synced. Files that have left the
    /// run are deleted once [`Segments::start_ahead`] was called.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Panics
    ///
    /// When the segment size is 0.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: SegmentsOptions,
    ) -> Result<Segments, OpenError> {
        assert!(options.segment_size > 0, "segments of no bytes");
        let run::Found { run, old } = run::open(&*storage)?;
        let run = ArcSwap::from_pointee(run);
        Ok(Segments {
            storage,
            options,
            run,
            ahead: OnceLock::new(),
            aside: OnceLock::new(),
            removing: Mutex::new(()),
            found_old: Mutex::new(old),
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
        let found = std::mem::take(&mut *lock(&self.found_old));
        let SegmentsOptions {
            segment_size,
            spares_max,
            ..
        } = self.options;
        let spares = Spares::new(segment_size, spares_max);
        let aside = Arc::new(Aside::start(Arc::clone(&self.storage), spares, found)?);
        let ahead = Ahead::start(
            Arc::clone(&self.storage),
            Arc::clone(&aside),
            self.options.clone(),
            ready,
            next,
        )?;
        let second = (
            self.ahead.set(ahead).is_err(),
            self.aside.set(aside).is_err(),
        );
        assert!(
            second == (false, false),
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
            self.run.rcu(|run| {
                let mut run = run.to_vec();
                run.push(Arc::clone(segment));
                run
            });
        })
    }

    /// Takes the oldest segment, which begins at `base`, out of the run: its bytes are none of the log's any more, also
    /// after a power loss. Whoever holds a reference to it (a snapshot, a [`Segment::view`] that is being sent) goes on
    /// reading. When the last one goes, the file is kept to be used again once the kernel holds no page of it, or deleted, a
    /// bit at a time, on the thread `segment-deleter`.
    ///
    /// Waits for the storage twice: it renames the file and syncs the directory. A crash before the end leaves the segment
    /// in the run or out of it, and never a gap.
    ///
    /// The caller sees to it that the segment behind it holds durable entries: they are where the log begins then.
    ///
    /// # Errors
    ///
    /// [`RemoveError`]; the segment is in the run still, and it can be tried again.
    pub fn remove_front(&self, base: Position) -> Result<(), RemoveError> {
        let aside = self.aside.get().ok_or(RemoveError::NotStarted)?;
        let _one_at_a_time = lock(&self.removing);
        let segment = match self.run.load().as_slice() {
            [oldest, _, ..] if oldest.base() == base => Arc::clone(oldest),
            _ => return Err(RemoveError::NotOldest { base }),
        };
        self.rename_old(base)?;
        // Others may take the next segment meanwhile; nobody else takes the oldest away.
        self.run.rcu(|run| run[1..].to_vec());
        aside.put(old_file_name(base), segment);
        Ok(())
    }

    /// How many segments are ready to be taken.
    #[must_use]
    pub fn ready(&self) -> usize {
        self.ahead.get().map_or(0, |ahead| ahead.ready().len())
    }

    /// How far the warm-ups are: of the last segment of the run, and of those that are ready. Empty without warm-up.
    #[must_use]
    pub fn warm_up(&self) -> Vec<Progress> {
        let last = self.run.load().last().cloned();
        let ready = self.ahead.get().map_or_else(Vec::new, Ahead::ready);
        let segments = last.into_iter().chain(ready);
        segments
            .filter_map(|segment| segment.warm_progress())
            .collect()
    }

    /// How often [`Segments::take_next`] found none ready: appenders who had to wait for a file.
    #[must_use]
    pub fn not_ready(&self) -> u64 {
        self.ahead.get().map_or(0, Ahead::not_ready)
    }

    /// What they were opened with.
    #[must_use]
    pub fn options(&self) -> &SegmentsOptions {
        &self.options
    }

    /// How many files have left the run and are neither deleted nor kept as spares yet.
    #[must_use]
    pub fn leaving(&self) -> usize {
        self.aside.get().map_or(0, |aside| aside.count())
    }

    /// Whether files are kept to be used again, which they are until told otherwise: a disk that is nearly full has better use for
    /// their room. Those that are kept now are deleted, a bit at a time.
    pub fn keep_spares(&self, kept: bool) {
        if let Some(aside) = self.aside.get() {
            aside.keep_spares(kept);
        }
    }

    /// How many files are kept to be used again.
    #[must_use]
    pub fn spares(&self) -> usize {
        self.aside.get().map_or(0, |aside| aside.spares())
    }

    fn rename_old(&self, base: Position) -> Result<(), RemoveError> {
        let (name, old) = (file_name(base), old_file_name(base));
        let failed = |action, name: &str| {
            let name = name.to_owned();
            move |error| RemoveError::Io {
                action,
                name,
                error,
            }
        };
        match self.storage.rename(&name, &old) {
            // Renamed by an earlier try, whose sync of the directory failed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.map_err(failed("rename", &name))?,
        }
        let synced = self.storage.sync_directory();
        synced.map_err(failed("sync", "the data directory"))
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // No code under these locks leaves anything half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
