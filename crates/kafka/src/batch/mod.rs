//! Record batches of format 2, the only one that current clients write: their header, their records, their compression.
//!
//! A batch is stored as it travels. [`Validation`] looks at every record of a produced batch, inside compressed ones too, and changes
//! nothing; [`patch`] then writes offset and leader epoch into the first sixteen bytes, which no checksum covers. [`lookup`] answers
//! by time from stored batches. [`BatchBuilder`] and [`records()`] are the client's side, for tests, benches and the load generator.
//!
//! ```
//! use pagelog_kafka::batch::{BatchBuilder, Limits, NewRecord, validate};
//!
//! let mut builder = BatchBuilder::new();
//! builder.push(&NewRecord { timestamp: 1_000, value: Some(b"hello"), ..Default::default() });
//! let valid = validate(&builder.build(), &Limits::default(), 1_000)?;
//! assert_eq!((valid.count, valid.max_timestamp), (1, 1_000));
//! # Ok::<(), pagelog_kafka::batch::BatchError>(())
//! ```

mod builder;
pub mod compression;
mod error;
mod header;
pub mod lookup;
mod records;
mod validate;
mod walk;

pub use builder::{BatchBuilder, NewRecord};
pub use compression::Codec;
pub use error::{BatchError, RecordProblem};
pub(crate) use header::CRC_FROM;
pub use header::{BatchHeader, HEADER_SIZE, PATCH_SIZE, batches, patch};
pub use lookup::{FoundRecord, find_first_at_or_after, max_timestamp_record};
pub use records::{Record, RecordHeaders, records};
pub use validate::{DECOMPRESSED_SIZE_MAX, Limits, ValidBatch, Validation, validate};
pub use walk::Ahead;
