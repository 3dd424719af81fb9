//! What can be wrong with a batch, and the error code that its producer is given for it.

use std::io;

use crate::codec::{DecodeError, ErrorCode};

/// Why a batch was refused.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// There is nothing, or null.
    #[error("there are no records")]
    Empty,
    /// Fewer bytes than a header has, or than the header claims.
    #[error("the batch needs {wanted} bytes and has {actual}")]
    Short {
        /// Bytes that it should have.
        wanted: usize,
        /// Bytes that it has.
        actual: usize,
    },
    /// A format that current clients do not write.
    #[error("the batch has format {0}; only format 2 is taken")]
    Magic(i8),
    /// The length in the header is less than a header.
    #[error("the batch claims a length of {0} bytes, less than its own header")]
    Length(i32),
    /// Bytes follow the batch: a partition takes one batch a request (Produce version 3 and later).
    #[error("{0} bytes follow the batch; one batch a partition is taken")]
    Trailing(usize),
    /// Larger than allowed.
    #[error("the batch has {size} bytes, more than the {limit} of max.message.bytes")]
    TooLarge {
        /// Its bytes.
        size: usize,
        /// The bytes allowed.
        limit: usize,
    },
    /// Damaged on the way.
    #[error("the batch's checksum is {stored:08x}, its bytes have {computed:08x}")]
    Checksum {
        /// The checksum in its header.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// The client gave an offset.
    #[error("a producer's batch begins at offset 0, not {0}")]
    BaseOffset(i64),
    /// No records, or not as many as offsets.
    #[error("the batch claims {count} records and a last offset delta of {last_offset_delta}")]
    Count {
        /// Records claimed.
        count: i32,
        /// Last offset delta claimed.
        last_offset_delta: i32,
    },
    /// Marked as the broker's own.
    #[error("a producer cannot write control batches, or such that a compaction has marked")]
    BrokerOnly,
    /// A producer id without epoch or sequence.
    #[error("producer {id} gives epoch {epoch} and sequence {sequence}")]
    Sequence {
        /// The producer's id.
        id: i64,
        /// Its epoch.
        epoch: i16,
        /// The sequence of its first record.
        sequence: i32,
    },
    /// A compression that does not exist.
    #[error("there is no compression {0}")]
    Codec(u8),
    /// Zstd came with Produce version 7 (KIP-110).
    #[error("zstd needs Produce version 7 or later")]
    ZstdTooEarly,
    /// The client claims to know when the broker appended it.
    #[error("a producer cannot set the timestamp type LogAppendTime")]
    LogAppendTime,
    /// A record's time is too far from the broker's.
    #[error("the time {timestamp} of record {index} is too far from the broker's, {now_ms}")]
    Timestamp {
        /// The record's place in the batch.
        index: u32,
        /// Its time in milliseconds.
        timestamp: i64,
        /// The broker's.
        now_ms: i64,
    },
    /// A record of a compacted topic needs a key, since of each key one record stays.
    #[error("record {index} has no key, and the topic is compacted")]
    NoKey {
        /// The record's place in the batch.
        index: u32,
    },
    /// A record breaks the format.
    #[error("record {index}: {problem}")]
    Record {
        /// The record's place in the batch.
        index: u32,
        /// What is wrong.
        problem: RecordProblem,
    },
    /// Bytes follow the last record.
    #[error("bytes follow the {0} records that the batch claims")]
    TooManyRecords(i32),
    /// The compressed bytes cannot be decompressed.
    #[error("the records cannot be decompressed: {0}")]
    Decompress(#[source] io::Error),
    /// The compressed bytes become too many.
    #[error("the records decompress to more than {limit} bytes")]
    DecompressedTooLarge {
        /// The bytes allowed.
        limit: u64,
    },
}

/// How a record breaks the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// The batch ends within it.
    #[error("the batch ends within it")]
    Truncated,
    /// A variable-length integer is too long.
    #[error("a variable-length integer does not fit its type")]
    Varint,
    /// A length or count is negative and not the -1 of null.
    #[error("a length is {0}")]
    Length(i64),
    /// Its fields take more bytes than its length says.
    #[error("its fields are longer than it is")]
    Overrun,
    /// Its fields take fewer bytes than its length says.
    #[error("{0} bytes follow its fields")]
    Underrun(u64),
    /// Offsets do not count 0, 1, 2, ….
    #[error("its offset delta is {0}")]
    OffsetDelta(i32),
    /// Base time and delta overflow.
    #[error("its time does not fit 64 bits")]
    Time,
    /// A header's name is not UTF-8 (seen only by clients).
    #[error("the name of a header is not UTF-8")]
    HeaderName,
}

impl BatchError {
    /// The code that the producer is given.
    ///
    /// Bytes that decompress to nonsense get a code that clients do not retry: the checksum was right, so they would send the same again.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Short { .. } | Self::Length(_) | Self::Checksum { .. } => {
                ErrorCode::CORRUPT_MESSAGE
            }
            Self::TooLarge { .. } | Self::DecompressedTooLarge { .. } => {
                ErrorCode::MESSAGE_TOO_LARGE
            }
            Self::Codec(_) | Self::ZstdTooEarly => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            Self::LogAppendTime | Self::Timestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
            Self::Empty
            | Self::Magic(_)
            | Self::Trailing(_)
            | Self::BaseOffset(_)
            | Self::Count { .. }
            | Self::BrokerOnly
            | Self::Sequence { .. }
            | Self::Record { .. }
            | Self::NoKey { .. }
            | Self::TooManyRecords(_)
            | Self::Decompress(_) => ErrorCode::INVALID_RECORD,
        }
    }

    /// The place in the batch of the record that made it fail, where one did (for `record_errors` of Produce version 8).
    pub fn record_index(&self) -> Option<u32> {
        match self {
            Self::Record { index, .. } | Self::Timestamp { index, .. } | Self::NoKey { index } => {
                Some(*index)
            }
            _ => None,
        }
    }
}

impl From<DecodeError> for RecordProblem {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Varint => Self::Varint,
            _ => Self::Truncated,
        }
    }
}
