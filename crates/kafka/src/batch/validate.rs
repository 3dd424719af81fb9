//! Whether a batch from a producer may be stored as it is.
//!
//! The checks and their order are those of Kafka's broker, whose codes clients know. Two are stricter: compressed records must count their
//! offsets 0, 1, 2, … (Kafka would write the batch anew), and nothing may follow the compressed frame.

use std::ops::ControlFlow;

use pagelog_record::crc32c;

use super::header::CRC_FROM;
use super::walk::{Ahead, RecordHead, walk, walk_plain};
use super::{BatchError, BatchHeader, Codec, HEADER_SIZE, RecordProblem};

/// What the compressed batches of one request may decompress to, all together: the largest frame that a broker takes
/// (`socket.request.max.bytes`). What a client could not have sent plain, it cannot send compressed; and this bounds the work that
/// a request can ask for, which with zstd could otherwise be ten thousand times its size.
pub const DECOMPRESSED_SIZE_MAX: u64 = 100 * 1024 * 1024;

/// What a topic allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max.message.bytes`: the largest batch, header included.
    pub size_max: usize,
    /// `message.timestamp.before.max.ms`: how far records may lie in the past.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far records may lie in the future.
    pub timestamp_after_max_ms: i64,
    /// Whether zstd may be used: only from Produce version 7 on can every reader be expected to know it (KIP-110).
    pub zstd_allowed: bool,
    /// `message.timestamp.type`: whether records get the time of their append, in place of their own.
    pub log_append_time: bool,
    /// Whether every record needs a key, as in a topic that is compacted.
    pub keys_required: bool,
}

impl Default for Limits {
    /// Kafka's own: 1 MiB and 12 bytes, any past, one hour of future.
    fn default() -> Self {
        Self {
            size_max: 1_048_588,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            zstd_allowed: true,
            log_append_time: false,
            keys_required: false,
        }
    }
}

/// What is known of a batch that may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValidBatch {
    /// Its header; the corrected one, if there is one.
    pub header: BatchHeader,
    /// Its records, at least one.
    pub count: u32,
    /// The greatest time of a record, in milliseconds; -1 when they have none.
    pub max_timestamp: i64,
    /// The header to store in place of its own, when the client's max timestamp was wrong. The payload stays as it is.
    pub corrected: Option<[u8; HEADER_SIZE]>,
}

/// The validation of the batches of one request.
#[derive(Debug, Clone)]
pub struct Validation {
    now_ms: i64,
    decompressed_left: u64,
}

impl Validation {
    /// Begins with a request. `now_ms` is the broker's time.
    pub fn new(now_ms: i64) -> Self {
        Self {
            now_ms,
            decompressed_left: DECOMPRESSED_SIZE_MAX,
        }
    }

    /// Checks the one batch in `records`, down to its records, against what its topic allows.
    ///
    /// # Errors
    /// The first thing that is wrong with it; [`BatchError::code`] is the producer's answer.
    pub fn batch(&mut self, records: &[u8], limits: &Limits) -> Result<ValidBatch, BatchError> {
        let header = one_batch(records, limits)?;
        check_fields(&header, limits)?;
        let of_records = self.check_records(&header, records, limits)?;
        Ok(self.valid(header, of_records, limits))
    }

    /// As [`Validation::batch`], for a batch of `header` whose records lie elsewhere and are not compressed. Whether its size and its
    /// checksum are right is for the caller to find out.
    ///
    /// # Errors
    /// As [`Validation::batch`].
    pub fn records_elsewhere(
        &self,
        header: BatchHeader,
        records: impl Ahead,
        limits: &Limits,
    ) -> Result<ValidBatch, BatchError> {
        check_fields(&header, limits)?;
        let mut max_timestamp = i64::MIN;
        walk_plain(&header, records, |record| {
            check_record(&record, limits, self.now_ms)?;
            max_timestamp = max_timestamp.max(record.timestamp);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(self.valid(header, max_timestamp, limits))
    }

    /// What is known of a batch in which nothing is wrong but perhaps its time.
    fn valid(&self, header: BatchHeader, of_records: i64, limits: &Limits) -> ValidBatch {
        let max_timestamp = match limits.log_append_time {
            true => self.now_ms,
            false => of_records,
        };
        let wrong = limits.log_append_time || header.max_timestamp != max_timestamp;
        let header = match wrong {
            true => header.with_times(max_timestamp, limits.log_append_time),
            false => header,
        };
        ValidBatch {
            header,
            count: header.record_count as u32,
            max_timestamp,
            corrected: wrong.then(|| header.encode()),
        }
    }

    /// Looks at every record; gives the greatest time among them.
    fn check_records(
        &mut self,
        header: &BatchHeader,
        records: &[u8],
        limits: &Limits,
    ) -> Result<i64, BatchError> {
        let mut max_timestamp = i64::MIN;
        walk(header, records, &mut self.decompressed_left, |record| {
            check_record(&record, limits, self.now_ms)?;
            max_timestamp = max_timestamp.max(record.timestamp);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(max_timestamp)
    }
}

/// Checks a batch that is the only one of its request; see [`Validation`].
///
/// # Errors
/// As [`Validation::batch`].
pub fn validate(records: &[u8], limits: &Limits, now_ms: i64) -> Result<ValidBatch, BatchError> {
    Validation::new(now_ms).batch(records, limits)
}

/// The bytes are one whole batch as its client wrote it.
fn one_batch(records: &[u8], limits: &Limits) -> Result<BatchHeader, BatchError> {
    if records.is_empty() {
        return Err(BatchError::Empty);
    }
    let header = BatchHeader::parse(records)?;
    let (wanted, actual) = (header.size(), records.len());
    if wanted > limits.size_max {
        return Err(BatchError::TooLarge {
            size: wanted,
            limit: limits.size_max,
        });
    }
    if wanted > actual {
        return Err(BatchError::Short { wanted, actual });
    }
    if wanted < actual {
        return Err(BatchError::Trailing(actual - wanted));
    }
    let computed = crc32c::of(&records[CRC_FROM..]);
    if computed != header.crc {
        return Err(BatchError::Checksum {
            stored: header.crc,
            computed,
        });
    }
    Ok(header)
}

fn check_fields(header: &BatchHeader, limits: &Limits) -> Result<(), BatchError> {
    let BatchHeader {
        record_count: count,
        last_offset_delta,
        ..
    } = *header;
    if header.base_offset != 0 {
        return Err(BatchError::BaseOffset(header.base_offset));
    }
    if count <= 0 || last_offset_delta != count - 1 {
        return Err(BatchError::Count {
            count,
            last_offset_delta,
        });
    }
    if header.is_broker_only() {
        return Err(BatchError::BrokerOnly);
    }
    if header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        return Err(BatchError::Sequence {
            id: header.producer_id,
            epoch: header.producer_epoch,
            sequence: header.base_sequence,
        });
    }
    if header.is_log_append_time() {
        return Err(BatchError::LogAppendTime);
    }
    if header.codec()? == Codec::Zstd && !limits.zstd_allowed {
        return Err(BatchError::ZstdTooEarly);
    }
    Ok(())
}

fn check_record(record: &RecordHead, limits: &Limits, now_ms: i64) -> Result<(), BatchError> {
    let RecordHead {
        index,
        timestamp,
        offset_delta,
        has_key,
    } = *record;
    if i64::from(offset_delta) != i64::from(index) {
        let problem = RecordProblem::OffsetDelta(offset_delta);
        return Err(BatchError::Record { index, problem });
    }
    if limits.keys_required && !has_key {
        return Err(BatchError::NoKey { index });
    }
    if limits.log_append_time {
        return Ok(());
    }
    // -1 says that the record has no time.
    let early = now_ms.saturating_sub(timestamp) > limits.timestamp_before_max_ms;
    let late = timestamp.saturating_sub(now_ms) > limits.timestamp_after_max_ms;
    if timestamp != -1 && (early || late) {
        return Err(BatchError::Timestamp {
            index,
            timestamp,
            now_ms,
        });
    }
    Ok(())
}
