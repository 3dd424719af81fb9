//! The entry of a Pagelog commit log as it lies on disk: header, checksum, encode, decode.
//!
//! An entry is a header of [`HEADER_SIZE`] bytes, a payload, and zeros up to the next multiple of [`ALIGNMENT`].
//! This crate is the only place that knows those bytes. It does no I/O and reads no clock; `docs/format.md` draws what it encodes.
//!
//! ```
//! use pagelog_record::{Epoch, Header, Kind, Offset, Producer, Seed, StreamId};
//!
//! let seed = Seed::from_secret(b"sixteen byte key");
//! let header = Header {
//!     kind: Kind::Data,
//!     moved: false,
//!     payload_size: 5,
//!     position: 4096,
//!     durable: 4000,
//!     base_offset: Offset(7),
//!     append_time_ms: 1_700_000_000_000,
//!     record_time_max_ms: 1_700_000_000_000,
//!     stream: StreamId(3),
//!     count: 1,
//!     epoch: Epoch(1),
//!     producer: Producer::NONE,
//! };
//! let bytes = seed.seal(&header, &[b"hello"]);
//!
//! assert_eq!(seed.open(&bytes, b"hello"), Ok(header));
//! assert!(seed.open(&bytes, b"hellO").is_err());
//! ```

pub mod crc32c;
mod fields;
mod header;
mod seed;
mod sum;
mod vocabulary;

pub use fields::{Field, fields};
pub use header::{ALIGNMENT, HEADER_SIZE, Header, HeaderError, Kind, MAGIC, entry_size};
pub use seed::{Checksum, ChecksumError, EntryError, SECRET_SIZE, Sealing, Seed};
pub use sum::Sum;
pub use vocabulary::{Epoch, Offset, Producer, StreamId};
