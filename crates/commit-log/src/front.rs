//! The front of the log: how its oldest segment goes, and what still counts in it goes on living at the end.
//!
//! ```text
//!   front        …                    tail
//!   │ x  2  x │  │ 7  8 │  │ 9 10        │ 2 │      x: deleted
//!        └───────────────────────────────▲ appended again, marked as moved; when it is durable, the front is removed
//! ```
//!
//! Who removes segments sees to it that nothing counts in them any more: for entries of streams that is [`Carry`]; what control entries say, their
//! owner knows.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_record::{EntryError, HEADER_SIZE, Header, entry_size};
use pagelog_segment::{Position, RemoveError, Segment, file_name};

use crate::error::AppendError;
use crate::index::Item;
use crate::log::Log;
use crate::options::SEGMENT_HEAD_SIZE;
use crate::read::ReadError;
use crate::stream::Stream;
use crate::whole;

/// How many entries are looked up at once.
const LOOK_UP_COUNT: usize = 1024;

/// Entries of streams that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counting {
    /// How many.
    pub entries: u64,
    /// The bytes that they take in the log.
    pub bytes: u64,
}

/// Why an entry was not carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The log did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// It could not be read.
    #[error("cannot read the segment {file} at byte {at}: {source}")]
    Read {
        /// The segment's file name.
        file: String,
        /// Where in the file.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// What lies there is not what was written: it is not appended again, and its segment has to stay.
    #[error("the entry at position {position} ({file}) is not whole any more: {reason}")]
    Damaged {
        /// Where it lies.
        position: Position,
        /// The segment's file name.
        file: String,
        /// What is wrong.
        reason: EntryError,
    },
    /// What counts cannot be found out.
    #[error(transparent)]
    LookUp(#[from] ReadError),
    /// Another entry lies there than the index says.
    #[error("the entry at position {position} is not the one that the index names there")]
    Another {
        /// Where it lies.
        position: Position,
    },
}

/// Why the oldest segment was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveFrontError {
    /// Entries in it still count.
    #[error("{} entries below position {until} still count", .counting.entries)]
    Counts {
        /// Where the segment ends.
        until: Position,
        /// What counts.
        counting: Counting,
    },
    /// Whether something counts cannot be found out.
    #[error(transparent)]
    LookUp(#[from] ReadError),
    /// The segments did not let it go.
    #[error(transparent)]
    Segments(#[from] RemoveError),
}

impl Log {
    /// The positions of the oldest segment, if it may go as far as durability is concerned: it is durable as a whole, and the segment behind it begins durably.
    pub fn front(&self) -> Option<Range<Position>> {
        let segments = self.segments().snapshot();
        let [front, next, ..] = segments.as_slice() else {
            return None;
        };
        let begun = next.base() + SEGMENT_HEAD_SIZE;
        (self.durable().get() >= begun).then(|| front.positions())
    }

    /// The bytes of all segments that hold entries, the one that is being filled included.
    pub fn size(&self) -> u64 {
        let segments = self.segments().snapshot();
        segments.iter().map(|segment| segment.size()).sum()
    }

    /// What counts below `until`: it would be lost with its segments. Asks the index only.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn counting_below(&self, until: Position) -> Result<Counting, ReadError> {
        let mut counting = Counting::default();
        for stream in &*self.streams() {
            let mut from = stream.start();
            while let Some(items) = self.next_counting(stream, &mut from, until)? {
                counting.entries += items.len() as u64;
                let sizes = items.iter().map(|item| entry_size(item.payload_size));
                counting.bytes += sizes.sum::<u64>();
            }
        }
        Ok(counting)
    }

    /// Some entries of `stream` below `until` whose records count, from the offset `from` on, which is moved behind them: they are not wholly below
    /// the start, and have no copy at `until` or behind it. `None` when all have been given.
    fn next_counting(
        &self,
        stream: &Stream,
        from: &mut i64,
        until: Position,
    ) -> Result<Option<Vec<Item>>, ReadError> {
        let offset = (*from).max(stream.start());
        let mut sources = stream.below(until, offset, LOOK_UP_COUNT).to_vec();
        let files = self.indexes().files.snapshot();
        for file in files.iter().filter(|file| file.header().from < until) {
            let found = file.below(stream.id(), offset, until, LOOK_UP_COUNT);
            sources.push(found.map_err(|error| self.unusable(file, error))?);
        }
        // A source that gave as many as it was asked for may have more: nothing is said of what lies behind its last.
        let behind = |items: &[Item]| match items.len() < LOOK_UP_COUNT {
            true => i64::MAX,
            false => items.iter().map(Item::next).max().unwrap_or(i64::MAX),
        };
        let known = sources.iter().map(|items| behind(items)).min();
        let known = known.unwrap_or(i64::MAX);
        let mut items = sources.concat();
        if items.is_empty() {
            return Ok(None);
        }
        items.retain(|item| item.base_offset < known);
        // Of several copies below, the newest is enough.
        items.sort_unstable_by_key(Item::order);
        items.dedup_by_key(|item| item.base_offset);
        *from = items.last().map_or(known, Item::next);
        let mut counting = Vec::with_capacity(items.len());
        for item in items {
            if !self.has_copy(stream, &item, until)? {
                counting.push(item);
            }
        }
        Ok(Some(counting))
    }

    /// Whether a copy of the entry lies at `from` or behind it.
    fn has_copy(&self, stream: &Stream, item: &Item, from: Position) -> Result<bool, ReadError> {
        if stream.has_copy(item.base_offset, from) {
            return Ok(true);
        }
        let files = self.indexes().files.snapshot();
        for file in files.iter().filter(|file| file.header().to > from) {
            let found = file.seek(stream.id(), item.base_offset);
            let found = found.map_err(|error| self.unusable(file, error))?;
            let is_copy = |(_, copy): &(_, Item)| {
                copy.base_offset == item.base_offset && copy.position >= from.0
            };
            if found.as_ref().is_some_and(is_copy) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes the oldest segment, which ends at `until`. Its file goes when the last reader has let go of it.
    ///
    /// Everything that was carried out of it has to be durable.
    ///
    /// # Errors
    ///
    /// [`RemoveFrontError`]; the segment is there as before.
    pub fn remove_front(&self, front: &Range<Position>) -> Result<(), RemoveFrontError> {
        let until = front.end;
        let counting = self.counting_below(until)?;
        if counting.entries > 0 {
            return Err(RemoveFrontError::Counts { until, counting });
        }
        for stream in &*self.streams() {
            stream.drop_filed(until, self.indexes().pool());
        }
        self.segments().remove_front(front.start)?;
        self.indexes().front_removed(until);
        Ok(())
    }
}

/// Appends again what counts below a position.
#[derive(Debug)]
pub struct Carry {
    log: Arc<Log>,
    until: Position,
    streams: Vec<Arc<Stream>>,
    /// From which offset on the last of `streams` is to be asked.
    from: i64,
    /// What is to be carried of the last of `streams` that was asked.
    found: VecDeque<(Arc<Stream>, Item)>,
    segment: Option<Arc<Segment>>,
    payload: Vec<u8>,
    end: Position,
    bytes: u64,
}

impl Carry {
    /// For what counts below `until`, which is durable.
    pub fn new(log: &Arc<Log>, until: Position) -> Carry {
        Carry {
            log: Arc::clone(log),
            until,
            streams: log.streams().to_vec(),
            from: 0,
            found: VecDeque::new(),
            segment: None,
            payload: Vec::new(),
            end: Position(0),
            bytes: 0,
        }
    }

    /// Where the last entry ends that was appended again; 0 if there was none.
    pub fn end(&self) -> Position {
        self.end
    }

    /// The bytes of the entries that were appended again.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends again about `size_max` bytes of entries, at least one. Whether nothing was left to carry.
    ///
    /// # Errors
    ///
    /// [`CarryError`]; the next step begins with the entry that failed.
    pub fn step(&mut self, size_max: u64) -> Result<bool, CarryError> {
        let mut left = size_max.max(1);
        while left > 0 {
            let Some((stream, item)) = self.next()? else {
                return Ok(true);
            };
            let size = self.carry(&stream, &item)?;
            self.found.pop_front();
            left = left.saturating_sub(size);
        }
        Ok(false)
    }

    fn next(&mut self) -> Result<Option<(Arc<Stream>, Item)>, ReadError> {
        while self.found.is_empty() {
            let Some(stream) = self.streams.last() else {
                return Ok(None);
            };
            let (from, until) = (&mut self.from, self.until);
            match self.log.next_counting(stream, from, until)? {
                Some(items) => {
                    let found = items.into_iter().map(|item| (Arc::clone(stream), item));
                    self.found.extend(found);
                }
                None => {
                    self.streams.pop();
                    self.from = 0;
                }
            }
        }
        Ok(self.found.front().cloned())
    }

    /// Copies one entry; how many bytes it takes.
    fn carry(&mut self, stream: &Stream, item: &Item) -> Result<u64, CarryError> {
        let Some(header) = self.read(item)? else {
            // Its segment has gone meanwhile, and with it the item.
            return Ok(0);
        };
        let found = (
            header.position,
            header.stream,
            header.base_offset.0,
            header.count,
        );
        if found != (item.position, stream.id(), item.base_offset, item.count) {
            let position = Position(item.position);
            return Err(CarryError::Another { position });
        }
        let appended = self.log.append_moved(stream, &header, &self.payload)?;
        self.end = appended.end;
        self.bytes += header.entry_size();
        Ok(header.entry_size())
    }

    /// Reads an entry and verifies it: through the descriptor, so that a bad sector is an error and not a signal.
    fn read(&mut self, item: &Item) -> Result<Option<Header>, CarryError> {
        let position = Position(item.position);
        let holds = |segment: &Arc<Segment>| segment.positions().contains(&position);
        if !self.segment.as_ref().is_some_and(holds) {
            self.segment = self.log.segments().find(position);
        }
        let Some(segment) = &self.segment else {
            return Ok(None);
        };
        let at = position - segment.base();
        let mut header = [0; HEADER_SIZE];
        self.payload.resize(item.payload_size as usize, 0);
        for (at, into) in [
            (at, &mut header[..]),
            (at + HEADER_SIZE as u64, &mut self.payload[..]),
        ] {
            let read = whole::read(&**segment.file(), at, into);
            let read = read.and_then(|count| match count == into.len() {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            });
            read.map_err(|source| CarryError::Read {
                file: file_name(segment.base()),
                at,
                source,
            })?;
        }
        let opened = self.log.seed().open(&header, &self.payload);
        opened.map(Some).map_err(|reason| CarryError::Damaged {
            position,
            file: file_name(segment.base()),
            reason,
        })
    }
}
