//! What the store and all its partitions share: the log, and when its entries count.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pagelog_commit_log::{Log, Watermark};

use crate::answer::{Mark, Position};

/// Shared by a store and its partitions.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) log: Arc<Log>,
    /// The mark from which on an entry is not taken back.
    pub(crate) settles_at: Mark,
    /// Whether records are acknowledged before they reach any mark.
    pub(crate) acknowledges_appended: bool,
    pub(crate) producer_expiration_ms: i64,
    /// The disk is so full that records are refused; see [`crate::DiskLimits`].
    pub(crate) refuses_records: AtomicBool,
}

impl Core {
    pub(crate) fn mark(&self, mark: Mark) -> &Watermark {
        match mark {
            Mark::Written => self.log.written(),
            Mark::Durable => self.log.durable(),
        }
    }

    /// Everything below is settled.
    pub(crate) fn settled(&self) -> Position {
        self.mark(self.settles_at).get()
    }
}
