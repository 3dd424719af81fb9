//! Following a stream: what it holds, then what comes, as it comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_record::Offset;

use crate::log::Log;
use crate::read::{Payload, ReadError};
use crate::stream::Stream;
use crate::watermark::{WaitOutcome, Watermark};

/// Reads a stream from an offset on and waits at its end.
///
/// It sees what lies below a mark of the log: [`Log::durable`] for what a power cut leaves alone, [`Log::written`] for what can be read.
/// An event loop, which must not wait, calls [`Follower::read`] when a [`crate::Subscription`] to that mark says so.
///
/// ```
/// # use std::sync::Arc;
/// # use pagelog_commit_log::{Log, LogOptions, NewEntry, Opened, Route, StreamId};
/// use std::time::Duration;
/// use pagelog_commit_log::{Follower, Offset, WaitOutcome};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// # let storage = Arc::new(pagelog_commit_log::Directory::open(directory.path())?);
/// # let options = LogOptions::new(1 << 20, Route::Mapped, 1 << 16);
/// # let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
/// # let entry = NewEntry::record(b"hello");
/// let stream = log.stream(StreamId(1));
/// let mut follower = Follower::new(&log, &stream, log.durable(), Offset(0));
/// assert!(follower.read(1 << 20)?.is_empty());
///
/// let writer = std::thread::spawn({
///     let (log, stream) = (Arc::clone(&log), Arc::clone(&stream));
///     move || {
///         log.append(&stream, &entry).unwrap();
///         sync.sync().unwrap();
///         sync
///     }
/// });
/// assert_eq!(follower.wait(Some(Duration::from_secs(60))), WaitOutcome::Reached);
/// assert_eq!(follower.read(1 << 20)?[0].size, 5);
/// assert_eq!(follower.offset(), Offset(1));
/// # drop(writer.join());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follower {
    log: Arc<Log>,
    stream: Arc<Stream>,
    mark: Arc<Watermark>,
    offset: Offset,
}

impl Follower {
    /// Follows `stream` from `offset` on, as far as `mark` has come, which is one of the log's.
    pub fn new(
        log: &Arc<Log>,
        stream: &Arc<Stream>,
        mark: &Arc<Watermark>,
        offset: Offset,
    ) -> Follower {
        Follower {
            log: Arc::clone(log),
            stream: Arc::clone(stream),
            mark: Arc::clone(mark),
            offset,
        }
    }

    /// The offset of the record that is read next.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// What there is, up to `size_max` bytes but at least one entry, and goes on behind it. Never waits; of what was deleted meanwhile it
    /// gives nothing.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the next call tries again.
    pub fn read(&mut self, size_max: u64) -> Result<Vec<Payload>, ReadError> {
        let until = self.mark.get();
        let from = self.offset.max(self.stream.bounds(until).start);
        let found = self.log.read(&self.stream, from, until, size_max, true)?;
        if let Some(last) = found.last() {
            self.offset = Offset(last.base_offset.0 + i64::from(last.count));
        }
        Ok(found)
    }

    /// Blocks until there is something to read, for at most `timeout`, or until there will never be, if that is `None`:
    /// [`WaitOutcome::Closed`] and [`WaitOutcome::Failed`] come at once and stay.
    pub fn wait(&self, timeout: Option<Duration>) -> WaitOutcome {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            // The mark first: what it passes after this is waited for below.
            let seen = self.mark.get();
            let bounds = self.stream.bounds(seen);
            // Of what was deleted there is nothing to read.
            if bounds.end > self.offset.max(bounds.start) {
                return WaitOutcome::Reached;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.mark.wait(seen + 1, left) {
                WaitOutcome::Reached => {}
                other => return other,
            }
        }
    }
}
