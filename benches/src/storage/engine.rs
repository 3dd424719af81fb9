//! The storage engine without a broker: a log on the disk, and the thread that syncs it.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pagelog_commit_log::{
    AppendError, Appended, Log, LogOptions, NewEntry, Opened, Route, Storage, Stream, StreamId,
    WaitOutcome, Warm,
};
use pagelog_flush::{Flush, Interval, Policy, Report};
use pagelog_segment::{Directory, State};
use tempfile::TempDir;

use super::prepared::Prepared;
use crate::process::threads_named;

/// The size of a segment, the broker's default.
pub(super) const SEGMENT_SIZE: u64 = 1 << 30;
const RING_SIZE: usize = 16 << 20;
pub(super) const PAYLOAD_SIZE_MAX: u32 = 1 << 20;
/// How long an appender waits for room before it looks again.
const ROOM_TIMEOUT: Duration = Duration::from_millis(100);

/// A running log on a directory of its own, which goes with it.
pub(super) struct Engine {
    pub(super) log: Arc<Log>,
    /// The number of the thread that syncs.
    pub(super) flush_thread: u32,
    flush: Flush,
    directory: TempDir,
}

/// The staged route, as the broker has it by default.
pub(super) const STAGED: Route = Route::Staged {
    ring_size: RING_SIZE,
};

/// What is written ahead under `sync`, the broker's default.
const PREWRITE: u64 = 16 << 20;

/// Nothing is synced while it is measured: what that would cost is another question.
pub(super) const NEVER: Policy = Policy::Interval(Interval {
    interval: Duration::from_secs(3600),
    pages_least: 1,
    thorough: Duration::from_secs(3600),
    write_interval: Duration::from_secs(3600),
    write_pages_least: 1,
});

/// The whole of each segment, as fast as it goes.
pub(super) const WARM: Warm = Warm {
    window: None,
    bytes_per_second: None,
    flush_every: None,
    pin_window: 0,
    pin_max: 0,
};

/// The same, with what lies next pinned.
pub(super) const PINNED: Warm = Warm {
    pin_window: 16 << 20,
    pin_max: 48 << 20,
    ..WARM
};

/// The broker's default: a window of each segment, what lies next pinned.
pub(super) const WINDOW: Warm = Warm {
    window: Some(64 << 20),
    ..PINNED
};

/// For a log that is synced all the time: no sync finds what warming made dirty.
pub(super) const WARM_SYNCED: Warm = Warm {
    flush_every: NonZeroU64::new(1 << 20),
    ..WARM
};

/// The name of the thread that syncs.
const FLUSH: &str = "flush";
/// How long segments may take to be ready.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

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
        let storage = |path: &Path| Ok(Arc::new(Directory::open(path)?) as Arc<dyn Storage>);
        Engine::start_on(parent, storage, options, policy)
    }

    /// As [`Engine::start_with`], the first segment being a file that was used before.
    ///
    /// # Errors
    /// Where the log or its thread cannot be had.
    pub(super) fn start_used_again(
        parent: &Path,
        options: LogOptions,
        policy: Policy,
    ) -> Result<Engine> {
        let storage = |path: &Path| {
            let directory = Directory::open(path)?;
            Ok(Arc::new(Prepared::used_again(directory)) as Arc<dyn Storage>)
        };
        Engine::start_on(parent, storage, options, policy)
    }

    /// As [`Engine::start_with`], on the storage that `storage` makes of the new directory.
    ///
    /// # Errors
    /// Where the log or its thread cannot be had.
    pub(super) fn start_on(
        parent: &Path,
        storage: impl FnOnce(&Path) -> Result<Arc<dyn Storage>>,
        options: LogOptions,
        policy: Policy,
    ) -> Result<Engine> {
        let options = LogOptions {
            prewrite: if policy == Policy::Sync { PREWRITE } else { 0 },
            ..options
        };
        let directory = tempfile::Builder::new().prefix("log-").tempdir_in(parent)?;
        let storage = storage(directory.path())?;
        let Opened { log, sync, .. } = Log::open(storage, options, &mut |_| Ok(()))?;
        let others = threads_named(FLUSH)?;
        let flush = Flush::start(sync, policy)?;
        Ok(Engine {
            log,
            flush_thread: flush_thread(&others)?,
            flush,
            directory,
        })
    }

    /// Where its files lie.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until two segments are ready behind the one that is being filled, and warm if they are warmed.
    ///
    /// # Errors
    /// Where that takes too long.
    pub(super) fn wait_ready(&self) -> Result<()> {
        let began = Instant::now();
        let is_ready = || {
            let warm = self.log.warm_up();
            self.log.segments_ready() == 2
                && warm
                    .iter()
                    .all(|one| matches!(one.state, State::Done | State::Waiting))
        };
        while !is_ready() {
            ensure!(
                began.elapsed() < READY_TIMEOUT,
                "the next segments are never ready"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
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
    NewEntry::record(payload)
}

/// The thread that syncs and is none of `others`. A thread names itself when it has begun.
fn flush_thread(others: &[u32]) -> Result<u32> {
    let began = Instant::now();
    loop {
        let all = threads_named(FLUSH)?;
        if let Some(new) = all.into_iter().find(|id| !others.contains(id)) {
            return Ok(new);
        }
        ensure!(began.elapsed() < READY_TIMEOUT, "no thread {FLUSH} began");
        std::thread::yield_now();
    }
}
