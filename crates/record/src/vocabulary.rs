//! The words of a log: stream, offset, epoch, producer. Different things have different types.

use std::fmt;

/// One ordered sequence of records within the log: a topic's partition, or a queue.
///
/// Ids are dense, begin at 1 and are never given twice in the life of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

impl StreamId {
    /// The log's own entries, which belong to no stream of records.
    pub const CONTROL: StreamId = StreamId(0);
}

/// A record's number in its stream; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// How often the log had been opened when an entry was written; the first opening is 1. It never falls within a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// Who wrote an entry, for writers that number what they write so that a repetition is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Producer {
    /// The writer's id; −1 for writers that have none.
    pub id: i64,
    /// Raised when the same writer starts anew.
    pub epoch: i16,
    /// The number of the entry's first record among what this writer sent to this stream.
    pub sequence: i32,
}

impl Producer {
    /// A writer that does not number what it writes.
    pub const NONE: Producer = Producer {
        id: -1,
        epoch: 0,
        sequence: 0,
    };
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
