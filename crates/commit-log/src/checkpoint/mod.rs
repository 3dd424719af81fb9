//! What is derived from the entries of the log, written down, so that an opening reads only the entries that follow.
//!
//! ```text
//!   0.index      8192.index   │              durable ┐
//!   ├────────────┼────────────┼──────────────────────┼───────▶ appended
//!        told by the files    └ position: from here on an opening reads entries
//! ```
//!
//! It is taken while the log is in use, so it may tell of entries behind its position already: whoever takes them up again must come to the same.
//! It is written only when all that it tells is durable, and names how far that was: a log that ends before has lost something.
//!
//! The log needs none of them. Without one, or with one that cannot be used, every entry is read.

mod files;
mod format;
mod taking;

use std::io;

use pagelog_segment::Position;

use crate::recover::{Entry, Replay};

pub(crate) use files::{Candidates, is_checkpoint, is_unfinished, read as read_checkpoint};
pub(crate) use format::StreamMark;
pub use taking::{CheckpointWriteError, Draft};

/// What its owner derives from the entries of a log.
pub trait Derived {
    /// Takes what [`crate::Log::take_checkpoint`] was given once, in place of the entries before it and of all that was taken so far.
    ///
    /// # Errors
    ///
    /// What cannot be understood: then nothing has changed, and the log looks for an older checkpoint.
    fn restore(&mut self, told: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Takes the next entry; behind a checkpoint it may be one that the checkpoint tells of already.
    ///
    /// # Errors
    ///
    /// What ends the opening.
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// Wants every entry, and no checkpoint.
pub(crate) struct EveryEntry<'a, 'b>(pub(crate) &'a mut Replay<'b>);

impl Derived for EveryEntry<'_, '_> {
    fn restore(&mut self, _: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Err("every entry is wanted".into())
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        (self.0)(entry)
    }
}

/// Why a checkpoint is not used. Nothing is lost by it: the entries of the log say the same.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has not the size that it names, or none that a checkpoint can have.
    #[error("it has {found} bytes and should have {expected}")]
    Size {
        /// Its size.
        found: u64,
        /// The size it should have; for a file that is too short to say, the least.
        expected: u64,
    },
    /// It does not begin as a checkpoint does.
    #[error("it is no checkpoint of this version")]
    NoCheckpoint,
    /// Some of its bytes are not as they were written.
    #[error("its bytes from {at} on are not as they were written")]
    Checksum {
        /// The first byte of those that the checksum covers.
        at: u64,
    },
    /// Its fields do not fit together, or not its name.
    #[error("its fields at byte {at} do not fit together")]
    Fields {
        /// Where they lie.
        at: u64,
    },
    /// It belongs to another log.
    #[error("it is of another log")]
    OtherLog,
    /// The log does not hold its position any more, or not yet.
    #[error("it is about position {position}, and the log's files hold {from} to {to}")]
    OtherPlace {
        /// Its position.
        position: Position,
        /// Where the first segment begins.
        from: Position,
        /// Where the last one ends.
        to: Position,
    },
    /// A segment before its position has no index that can be used, so its entries have to be read.
    #[error("{file} cannot be used, or is not there")]
    Index {
        /// The index file's name.
        file: String,
    },
    /// The segment that holds its position does not begin with its head.
    #[error("{file} does not begin as a segment of its size does")]
    Head {
        /// The segment's file name.
        file: String,
    },
    /// The log's owner does not understand what it was told.
    #[error("its owner's part is refused: {0}")]
    Refused(Box<dyn std::error::Error + Send + Sync>),
}
