//! What can go wrong, one enum per activity: open, append, and the failure that ends a log.

use std::io;
use std::sync::Arc;

use pagelog_os::MemoryFault;
use pagelog_segment::Position;

use crate::meta::MetaError;
use crate::options::OptionsError;
use crate::scan::NotWhole;

/// Why a log cannot be opened. Nothing was changed on disk, except that a new log may have been begun.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options cannot work.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The log's identity cannot be read or written.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The run of segments is not whole.
    #[error(transparent)]
    Segments(#[from] pagelog_segment::OpenError),
    /// No first or next segment could be made.
    #[error("cannot make the segment that the log needs next: {0}")]
    Allocate(#[source] Arc<io::Error>),
    /// The log is being cut, and that was not finished.
    #[error(
        "a cut of the log at position {position} was begun and not finished: it is to be finished before anything else"
    )]
    CutUnfinished {
        /// Where it is being cut.
        position: Position,
    },
    /// The log is being cut, and it cannot be read where.
    #[error(
        "log.cut is damaged: a cut of the log was begun and not finished, and nothing says where"
    )]
    CutDamaged,
    /// Reading the log failed.
    #[error("cannot read the segment {file} at byte {at}: {source}")]
    Read {
        /// The segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// There is no log to be read.
    #[error("there is no log here: neither log.meta nor a segment")]
    NoLog,
    /// An entry that had been read whole was another one when the tail was to be written again.
    #[error(
        "the entry at position {position} ({file}) was whole when the log was read, and is not any more: the page cache has let go of what a \
         failed sync had not brought to the disk; nothing there was acknowledged as durable: start again, which reads what the disk holds"
    )]
    Changed {
        /// Where the entry lies.
        position: Position,
        /// Its segment's file name.
        file: String,
    },
    /// Writing the tail again failed.
    #[error("cannot write the log's tail again in {file}: {source}")]
    Rewrite {
        /// The segment's file name.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// An entry that had been durable is no longer whole.
    #[error(
        "the log is damaged at position {position} ({file}, byte {at}): {reason}; \
         the entry at position {proof} proves that everything below {durable} had been synced to the disk"
    )]
    Damaged {
        /// Where the first entry lies that is not whole.
        position: Position,
        /// Its segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What is wrong with it.
        reason: NotWhole,
        /// A later whole entry …
        proof: Position,
        /// … that names this durable position.
        durable: Position,
    },
    /// An entry that had been durable is no longer whole, and no entry behind it proves that, but another file.
    #[error(
        "the log is damaged at position {position} ({file}, byte {at}): {reason}; {proof} was written when everything below {durable} had been \
         synced to the disk"
    )]
    Lost {
        /// Where the first entry lies that is not whole.
        position: Position,
        /// Its segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What is wrong with it.
        reason: NotWhole,
        /// The name of a file …
        proof: String,
        /// … that was written when the log was durable up to here.
        durable: Position,
    },
    /// The last segment is full, or there is none, and the log is known to have gone on: the next one is missing.
    #[error(
        "the log ends at position {end}, with its last segment, and {proof} was written when everything below {durable} had been synced to the \
         disk: the file that begins there is missing"
    )]
    Ended {
        /// Where the last segment ends.
        end: Position,
        /// The name of a file …
        proof: String,
        /// … that was written when the log was durable up to here.
        durable: Position,
    },
    /// A segment's file is not as long as it was made.
    #[error(
        "the segment {file} has {found} bytes and was made with {made}: it was cut short or lengthened by hand"
    )]
    SegmentSize {
        /// The segment's file name.
        file: String,
        /// The size of the file.
        found: u64,
        /// The size in the segment's first entry.
        made: u64,
    },
    /// A segment's file has a size that no segment is made with.
    #[error(
        "the segment {file} has {found} bytes, which is no whole number of pages, or more than 32 GiB: it was cut short or lengthened by hand; restore it from a backup"
    )]
    SegmentUneven {
        /// The segment's file name.
        file: String,
        /// The size of the file.
        found: u64,
    },
    /// The segments hold entries, and none of them was sealed with this log's secret.
    #[error(
        "something that looks like an entry lies in {file} at byte {at}, and not one entry of the log fits log.meta: \
         one of the two is of another log; restore the one that belongs here"
    )]
    Foreign {
        /// The segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
    },
    /// A file that tells where entries lie can neither be used nor be made.
    #[error(transparent)]
    Index(#[from] crate::index::SealError),
    /// Whoever replays the log refused an entry.
    #[error("the entry at position {position} cannot be replayed: {source}")]
    Replay {
        /// Where the entry lies.
        position: Position,
        /// Why it was refused.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The first entry of this opening could not be appended or synced.
    #[error("cannot write to the log: {0}")]
    Failed(Arc<LogFailure>),
}

/// Why nothing was appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room yet: wait with [`crate::Log::wait_room`] on a thread that may, and try again.
    #[error("the log has no room yet: {0}")]
    Busy(Busy),
    /// The next segment cannot be made; the log tries again by itself.
    #[error("no next segment: {0}")]
    NoSpace(Arc<io::Error>),
    /// The payload is larger than the log was opened for.
    #[error("a payload of {size} bytes is larger than {max}")]
    TooLarge {
        /// The payload's size.
        size: u64,
        /// The largest that is taken.
        max: u32,
    },
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
    /// The log has failed and takes nothing any more.
    #[error(transparent)]
    Failed(Arc<LogFailure>),
}

/// What an appender would have to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// The staging ring is full.
    #[error("the staging ring is full")]
    Ring,
    /// The next segment is still being made.
    #[error("the next segment is still being made")]
    Segment,
}

/// What ended a log: after it nothing is acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// The kernel could not put written bytes on the disk. What it has dropped, a second sync would not bring back, so this is final.
    #[error("syncing the segment {file} failed: {source}")]
    Sync {
        /// The segment's file name.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Staged entries could not be written.
    #[error("writing the segment {file} at byte {at} failed: {source}")]
    Write {
        /// The segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The segment could not be mapped for stores.
    #[error("mapping the segment {file} failed: {source}")]
    Map {
        /// The segment's file name.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// A store into the mapped file met a page that is no longer there.
    #[error("a store into the segment {file} at byte {at} failed: {fault}")]
    Fault {
        /// The segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What the guard caught.
        fault: MemoryFault,
    },
    /// A thread died between reserving its place and filling it.
    #[error("an appending thread died before it had filled its place at position {position}")]
    Abandoned {
        /// The place.
        position: Position,
    },
}
