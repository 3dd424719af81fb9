//! The routes and policies under test, made so small that segments roll and the ring wraps all the time.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{Header, Kind, Log, LogOptions, OpenError, Recovery, Route, Warm};
use pagelog_flush::{Flush, Interval, Policy};
use pagelog_testing::MemoryStorage;

/// The largest payload of the workload, bytes.
pub(crate) const PAYLOAD_SIZE_MAX: u32 = 1_500;

/// A route and a policy.
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    pub(crate) options: LogOptions,
    pub(crate) policy: Policy,
}

const fn options(route: Route) -> LogOptions {
    LogOptions::new(4 * 4096, route, PAYLOAD_SIZE_MAX)
}

const RING: Route = Route::Staged {
    ring_size: 5_000 / 8 * 8,
};

pub(crate) const STAGED_SYNC: Setup = Setup {
    name: "staged, sync",
    options: options(RING),
    policy: Policy::Sync,
};

/// Zeros are written right ahead of the entries, all the time.
pub(crate) const PREWRITTEN_SYNC: Setup = Setup {
    name: "staged and written ahead, sync",
    options: prewritten(),
    policy: Policy::Sync,
};

const fn prewritten() -> LogOptions {
    let mut options = options(RING);
    options.prewrite = 8 << 10;
    options
}

pub(crate) const MAPPED_SYNC: Setup = Setup {
    name: "mapped, sync",
    options: options(Route::Mapped),
    policy: Policy::Sync,
};

pub(crate) const MAPPED_INTERVAL: Setup = Setup {
    name: "mapped, interval",
    options: options(Route::Mapped),
    policy: OFTEN,
};

pub(crate) const STAGED_INTERVAL: Setup = Setup {
    name: "staged, interval",
    options: options(RING),
    policy: OFTEN,
};

/// A window that moves within each segment, flushed as it goes, with some of it pinned.
const WARM: Warm = Warm {
    window: Some(8 << 10),
    bytes_per_second: None,
    flush_every: NonZeroU64::new(4 << 10),
    pin_window: 4 << 10,
    pin_max: 16 << 10,
};

pub(crate) const WARMED_SYNC: Setup = Setup {
    name: "mapped and warmed, sync",
    options: warmed(),
    policy: Policy::Sync,
};

pub(crate) const WARMED_INTERVAL: Setup = Setup {
    name: "mapped and warmed, interval",
    options: warmed(),
    policy: OFTEN,
};

const fn warmed() -> LogOptions {
    let mut options = options(Route::Mapped);
    options.warm = Some(WARM);
    options
}

/// So often that images of every state are taken.
const OFTEN: Policy = Policy::Interval(Interval {
    interval: Duration::from_micros(200),
    pages_least: 1,
    thorough: Duration::from_millis(2),
    write_interval: Duration::from_micros(50),
    write_pages_least: 1,
});

/// An open log with its flush thread.
pub(crate) struct Running {
    pub(crate) log: Arc<Log>,
    pub(crate) flush: Flush,
    /// How many operations the storage had counted when the opening was over.
    pub(crate) opened_after: u64,
    pub(crate) recovery: Recovery,
    /// The data entries that replay met, in its order.
    pub(crate) replayed: Vec<Header>,
}

impl Setup {
    pub(crate) fn open(&self, storage: &MemoryStorage) -> Result<Running, OpenError> {
        let mut replayed = Vec::new();
        let opened = Log::open(Arc::new(storage.clone()), self.options, &mut |entry| {
            if entry.header.kind == Kind::Data {
                replayed.push(*entry.header);
            }
            Ok(())
        })?;
        let opened_after = storage.operations();
        let flush = Flush::start(opened.sync, self.policy).expect("policy and route fit");
        Ok(Running {
            log: opened.log,
            flush,
            opened_after,
            recovery: opened.recovery,
            replayed,
        })
    }
}
