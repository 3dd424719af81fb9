//! Reading a partition: ranges of the log's files, never their bytes.
//!
//! Readers see whole entries below the settled position only, so that nothing they saw can be taken back.

use std::sync::Arc;

use pagelog_commit_log::{Bounds, Payload};
use pagelog_record::Offset;
use pagelog_transfer::{Region, Rope};

use crate::answer::Position;
use crate::error::ReadError;
use crate::partition::Partition;
use crate::waiting::Waiter;

/// How much to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// At most this many bytes …
    pub size_max: u64,
    /// … but the first batch even if it is larger.
    pub first_whole: bool,
}

/// What a partition holds from an offset on.
#[derive(Debug)]
pub struct Records {
    /// Whole batches, as they lie in the log; the first holds the offset asked for. May be empty.
    pub rope: Rope,
    /// The offset behind the last record that readers may see.
    pub high_watermark: Offset,
    /// The first offset that can be read.
    pub start: Offset,
    /// Whether these are all the records that readers may see: no limit has cut them.
    pub reaches_end: bool,
}

/// A batch found by time.
#[derive(Debug)]
pub struct FoundBatch {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// Its bytes.
    pub region: Region,
}

impl Partition {
    /// The batches from the one that holds `from` on, as far as readers may see and `limits` allow.
    ///
    /// # Errors
    ///
    /// When the topic is gone, or `from` lies before the first or behind the end of what readers may see.
    pub fn read(&self, from: Offset, limits: ReadLimits) -> Result<Records, ReadError> {
        let until = self.core().settled();
        let bounds = self.readable(until)?;
        if from < bounds.start || from > bounds.end {
            return Err(ReadError::OutOfRange {
                offset: from,
                start: bounds.start,
                end: bounds.end,
            });
        }
        let ReadLimits {
            size_max,
            first_whole,
        } = limits;
        let log = &self.core().log;
        let payloads = log.read(self.log_stream(), from, until, size_max, first_whole)?;
        let read_to = payloads
            .last()
            .map_or(from.0, |last| last.base_offset.0 + i64::from(last.count));
        let mut rope = Rope::new();
        for payload in payloads {
            rope.push_region(region(payload));
        }
        Ok(Records {
            rope,
            high_watermark: bounds.end,
            start: bounds.start,
            reaches_end: read_to >= bounds.end.0,
        })
    }

    /// The first batch with a record of this time or later.
    ///
    /// # Errors
    ///
    /// When the topic is gone.
    pub fn find_time(&self, time_ms: i64) -> Result<Option<FoundBatch>, ReadError> {
        let until = self.core().settled();
        self.readable(until)?;
        let found = self
            .core()
            .log
            .first_at_or_after(self.log_stream(), time_ms, until)?;
        Ok(found.map(FoundBatch::from))
    }

    /// The batch with the latest record; of several, the first.
    ///
    /// # Errors
    ///
    /// When the topic is gone.
    pub fn find_latest_time(&self) -> Result<Option<FoundBatch>, ReadError> {
        let until = self.core().settled();
        self.readable(until)?;
        let found = self.core().log.with_time_max(self.log_stream(), until)?;
        Ok(found.map(FoundBatch::from))
    }

    fn readable(&self, until: Position) -> Result<Bounds, ReadError> {
        if self.is_deleted() {
            return Err(ReadError::Deleted);
        }
        Ok(self.log_stream().bounds(until))
    }
}

fn region(payload: Payload) -> Region {
    Region::new(payload.file, payload.at, u64::from(payload.size))
}

impl From<Payload> for FoundBatch {
    fn from(payload: Payload) -> FoundBatch {
        FoundBatch {
            base_offset: payload.base_offset,
            region: region(payload),
        }
    }
}

/// A waiter's registration with some partitions; dropping it takes all of them back.
#[derive(Debug)]
pub struct Watch {
    waiter: Waiter,
    partitions: Vec<Arc<Partition>>,
}

impl Watch {
    /// Registers `waiter` with each of `partitions`: it is told when one of them grows as far as readers see, or is deleted.
    ///
    /// Look for records after this, not before: what grows in between is then either seen or told.
    pub fn new(waiter: Waiter, partitions: Vec<Arc<Partition>>) -> Watch {
        let watch = Watch { waiter, partitions };
        watch.renew();
        watch
    }

    /// How many partitions it is registered with.
    pub fn count(&self) -> usize {
        self.partitions.len()
    }

    /// Registers again with those that have told it something.
    pub fn renew(&self) {
        for partition in &self.partitions {
            partition.watch(&self.waiter);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for partition in &self.partitions {
            partition.unwatch(&self.waiter);
        }
    }
}
