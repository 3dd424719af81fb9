//! The storage engine without a broker: a log on the disk, and the thread that syncs it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pagelog_commit_log::{
    AppendError, Appended, Log, LogOptions, NewEntry, Opened, Producer, Route, Stream, StreamId,
    WaitOutcome,
};
use pagelog_flush::{Flush, Policy, Report};
use pagelog_segment::Directory;
use tempfile::TempDir;

/// The size of a segment, the broker's default.
pub(super) const SEGMENT_SIZE: u64 = 1 << 30;
const RING_SIZE: usize = 16 << 20;
const PAYLOAD_SIZE_MAX: u32 = 1 << 20;
/// How long an appender waits for room before it looks again.
const ROOM_TIMEOUT: Duration = Duration::from_millis(100);

/// A running log on a directory of its own, which goes with it.
pub(super) struct Engine {
    pub(super) log: Arc<Log>,
    flush: Flush,
    _directory: TempDir,
}

/// The staged route, as the broker has it by default.
pub(super) const STAGED: Route = Route::Staged {
    ring_size: RING_SIZE,
};

impl Engine {
    /// Starts on an empty directory below `parent`.
    ///
    /// # Errors
    /// Where the log or its thread cannot be had.
    pub(super) fn start(parent: &Path, route: Route, policy: Policy) -> Result<Engine> {
        let options = LogOptions::new(SEGMENT_SIZE, route, PAYLOAD_SIZE_MAX);
        Engine::start_with(parent, options, policy)
    }

    /// As [`Engine::start`], with other options of the log.
    ///
    /// # Errors
    /// Where the log or its thread cannot be had.
    pub(super) fn start_with(parent: &Path, options: LogOptions, policy: Policy) -> Result<Engine> {
        let directory = tempfile::Builder::new().prefix("log-").tempdir_in(parent)?;
        let storage = Arc::new(Directory::open(directory.path())?);
        let Opened { log, sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
        let flush = Flush::start(sync, policy)?;
        Ok(Engine {
            log,
            flush,
            _directory: directory,
        })
    }

    /// The stream with this number.
    pub(super) fn stream(&self, number: u32) -> Arc<Stream> {
        self.log.stream(StreamId(number + 1))
    }

    /// Appends one record, waiting for room where there is none.
    ///
    /// # Errors
    /// A log that has failed.
    pub(super) fn append(&self, stream: &Stream, payload: &[u8]) -> Result<Appended> {
        loop {
            match self.log.append(stream, &entry(payload)) {
                Ok(appended) => return Ok(appended),
                Err(AppendError::Busy(busy)) => self.log.wait_room(busy, ROOM_TIMEOUT),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Appends one record and waits until it is durable.
    ///
    /// # Errors
    /// A log that has failed.
    pub(super) fn append_durably(&self, stream: &Stream, payload: &[u8]) -> Result<()> {
        let appended = self.append(stream, payload)?;
        match self.log.durable().wait(appended.end, None) {
            WaitOutcome::Reached => Ok(()),
            outcome => bail!("the log said {outcome:?}"),
        }
    }

    /// Stops, and says what was written and synced.
    ///
    /// # Errors
    /// A log that has failed.
    pub(super) fn stop(self) -> Result<Report> {
        self.flush.stop().context("the log has failed")
    }
}

/// An entry of one record.
pub(super) fn entry(payload: &[u8]) -> NewEntry<'_> {
    NewEntry {
        count: 1,
        append_time_ms: 0,
        record_time_max_ms: 0,
        producer: Producer::NONE,
        head: &[],
        body: payload,
        patch: |_, _| {},
    }
}
