//! Records by their time, inside stored batches, compressed ones too.
//!
//! A compressed batch is decompressed as a stream, which takes its time: call this from a worker, not from a reactor.

use std::ops::ControlFlow;

use super::walk::{RecordHead, walk};
use super::{BatchError, BatchHeader, DECOMPRESSED_SIZE_MAX, batches};

/// A record by its offset and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds.
    pub timestamp: i64,
}

impl FoundRecord {
    fn new(header: &BatchHeader, record: &RecordHead) -> Self {
        let offset = header
            .base_offset
            .saturating_add(i64::from(record.offset_delta));
        Self {
            offset,
            timestamp: record.timestamp,
        }
    }
}

/// The first record in `records`, one or more whole batches, whose offset is `from` or above and whose time is `timestamp` or later.
///
/// # Errors
/// When a batch that has to be opened cannot be read.
pub fn find_first_at_or_after(
    records: &[u8],
    from: i64,
    timestamp: i64,
) -> Result<Option<FoundRecord>, BatchError> {
    for batch in batches(records) {
        let (header, batch) = batch?;
        if header.max_timestamp < timestamp {
            continue;
        }
        let mut found = None;
        let mut decompressed_left = DECOMPRESSED_SIZE_MAX;
        walk(&header, batch, &mut decompressed_left, |record| {
            let candidate = FoundRecord::new(&header, &record);
            if record.timestamp < timestamp || candidate.offset < from {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(candidate);
            Ok(ControlFlow::Break(()))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The record of the greatest time in `records`, one or more whole batches; of equals the first.
///
/// # Errors
/// When a batch that has to be opened cannot be read.
pub fn max_timestamp_record(records: &[u8]) -> Result<Option<FoundRecord>, BatchError> {
    let mut greatest: Option<FoundRecord> = None;
    for batch in batches(records) {
        let (header, batch) = batch?;
        if greatest.is_some_and(|found| header.max_timestamp <= found.timestamp) {
            continue;
        }
        let mut decompressed_left = DECOMPRESSED_SIZE_MAX;
        walk(&header, batch, &mut decompressed_left, |record| {
            if greatest.is_none_or(|found| record.timestamp > found.timestamp) {
                greatest = Some(FoundRecord::new(&header, &record));
            }
            // No later record of the batch can have a greater time than its header names.
            let reached = record.timestamp >= header.max_timestamp;
            Ok(if reached {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
    }
    Ok(greatest)
}
