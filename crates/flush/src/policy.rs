//! The two promises.

use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{Log, Watermark};

/// What is promised of an entry, and what is done for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Whoever waits for the durable mark survives a power cut. One sync serves everyone who waits when it starts; the next one starts
    /// when it ends and somebody waits. There is no linger.
    Sync,
    /// Entries survive the death of this process as soon as they are appended; a power cut takes at most what the last intervals brought.
    Interval {
        /// How often to look. RocketMQ's default is 500 ms.
        interval: Duration,
        /// Fewer unsynced pages than this (4,096 bytes each) are left for the next look. RocketMQ's default is 4.
        pages_least: u32,
        /// After this time whatever is not synced is synced. RocketMQ's default is 10 s.
        thorough: Duration,
    },
}

impl Policy {
    /// Interval flush with RocketMQ's defaults.
    pub const INTERVAL: Policy = Policy::Interval {
        interval: Duration::from_millis(500),
        pages_least: 4,
        thorough: Duration::from_secs(10),
    };

    /// How far readers may see: what cannot be taken back under this policy.
    pub fn visible<'a>(&self, log: &'a Log) -> &'a Arc<Watermark> {
        match self {
            Policy::Sync => log.durable(),
            Policy::Interval { .. } => log.written(),
        }
    }
}
