//! Where entries lie: in memory while their segment is being filled, then in one file for each segment, sorted by stream and offset.
//!
//! ```text
//!   0.index        8192.index      16384.run  17000.run      memory
//!   ├──────────────┼───────────────┼──────────┼──────────────┼─────────▶ appended
//!                                                            └ beyond what is durable nothing is written into a file
//! ```
//!
//! A `.run` holds a part of a segment that did not fit in memory; it is of use to this process only. When a segment is full and durable its runs
//! and what memory holds of it become its `.index`.
//!
//! An entry may have been moved: the same payload and offsets lie again further on. Whoever looks an offset up asks memory first and then the
//! files from the newest to the oldest, and the newest copy wins.

mod build;
mod file;
mod files;
mod format;
mod from_memory;
mod item;
mod memory;
mod merge;
mod opening;
mod reader;
mod sealing;
mod writer;

use std::io;

use pagelog_os::MemoryFault;
use pagelog_segment::Position;

pub(crate) use build::{build, sorted};
pub(crate) use file::IndexFile;
pub(crate) use files::{Files, index_name, is_index, is_leftover, number, run_name};
pub(crate) use format::SEGMENT_SIZE_MAX;
pub(crate) use item::{Item, Keyed};
pub(crate) use memory::{Pool, Recent};
pub(crate) use merge::{Merge, Sorted};
pub(crate) use opening::Indexing;
pub use reader::IndexReader;
pub(crate) use sealing::Indexes;
pub use sealing::{IndexWork, SealError};
pub(crate) use writer::{Target, publish, remove, write};

/// Why an index file is of no use. Nothing is lost by it: it is built again from its segment.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read, or its segment cannot.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A mapped page of it could not be provided.
    #[error("it cannot be read: {0}")]
    Fault(#[from] MemoryFault),
    /// It is shorter than it says.
    #[error("it has {found} bytes and should have {expected}")]
    Short {
        /// Its size.
        found: u64,
        /// The size it should have at least.
        expected: u64,
    },
    /// It does not begin as an index does.
    #[error("it is no index of this version")]
    NoIndex,
    /// Some of its bytes are not as they were written.
    #[error("its bytes from {at} on are not as they were written")]
    Checksum {
        /// The first byte of those that one checksum covers.
        at: u64,
    },
    /// Its fields do not fit together.
    #[error("its fields at byte {at} do not fit together")]
    Fields {
        /// Where they lie.
        at: u64,
    },
    /// It says nothing of an entry, or not where it lies.
    #[error("it does not tell where the entry at position {0} lies")]
    Untold(Position),
    /// It belongs to another log.
    #[error("it is of another log")]
    OtherLog,
    /// It is about other positions than those asked for.
    #[error("it is about positions {from} to {to}")]
    OtherPlace {
        /// The first position it is about.
        from: Position,
        /// The one behind the last.
        to: Position,
    },
    /// The segment holds another entry where the index says that its last one lies.
    #[error("the entry at position {0} of the log is another one than the index was made of")]
    Stale(Position),
}
