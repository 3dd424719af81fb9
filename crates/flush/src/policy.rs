//! The two promises.

use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{Log, Watermark};

/// What is promised of an entry, and what is done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Whoever waits for the durable mark survives a power cut. One sync serves everyone who waits when it starts; the next one starts
    /// when it ends and somebody waits. There is no linger; after a group of more than one entry,
    /// event loops in the midst of their round may finish it, for an eighth of that group's time at most.
    Sync,
    /// Entries survive the death of this process as soon as they are written, a power cut takes at most what the last intervals
    /// brought. On the mapped route they are written when they are appended; on the staged route a little later, and nobody
    /// reads them before, so the death of the process takes what waited in the ring.
    Interval(Interval),
}

/// The times of [`Policy::Interval`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// How often to look what is to be synced. RocketMQ's `flushIntervalCommitLog`: 500 ms.
    pub interval: Duration,
    /// Fewer unsynced pages than this (4,096 bytes each) are left for the next look. RocketMQ's `flushCommitLogLeastPages`: 4.
    pub pages_least: u32,
    /// After this time whatever is not synced is synced. RocketMQ's `flushCommitLogThoroughInterval`: 10 s.
    pub thorough: Duration,
    /// On the staged route: after this time whatever waits in the ring is written. RocketMQ's `commitIntervalCommitLog`: 200 ms.
    pub write_interval: Duration,
    /// On the staged route: so many pages in the ring are written at once. RocketMQ's `commitCommitLogLeastPages`: 4.
    pub write_pages_least: u32,
}

impl Policy {
    /// Interval flush with RocketMQ's defaults.
    pub const INTERVAL: Policy = Policy::Interval(Interval {
        interval: Duration::from_millis(500),
        pages_least: 4,
        thorough: Duration::from_secs(10),
        write_interval: Duration::from_millis(200),
        write_pages_least: 4,
    });

    /// How far readers may see: what cannot be taken back under this policy.
    pub fn visible<'a>(&self, log: &'a Log) -> &'a Arc<Watermark> {
        match self {
            Policy::Sync => log.durable(),
            Policy::Interval(_) => log.written(),
        }
    }
}
