//! Reading a stream: not bytes, but where they lie.

use std::io;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_record::{HEADER_SIZE, Header, Offset};
use pagelog_segment::{Position, Segment};

use crate::index::Item;
use crate::log::Log;
use crate::stream::Stream;
use crate::whole;

/// The payload of one entry as a range of a file, which it keeps alive.
#[derive(Clone, Debug)]
pub struct Payload {
    /// The open file and its read-only mapping.
    pub file: Arc<MappedFile>,
    /// Where the payload begins in it, in bytes.
    pub at: u64,
    /// The payload's size in bytes.
    pub size: u32,
    /// The offset of its first record.
    pub base_offset: Offset,
    /// How many offsets it takes.
    pub count: u32,
    /// Where the entry ends in the log.
    pub end: Position,
}

/// An entry of a stream as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Where it lies.
    pub position: Position,
    /// The offset of its first record.
    pub base_offset: Offset,
    /// How many offsets it takes.
    pub count: u32,
    /// The payload's size in bytes.
    pub payload_size: u32,
    /// A time that none of its records is behind, in milliseconds since 1970: its own highest, or that of an earlier entry. Below 0 if none is known.
    pub time_max_ms: i64,
}

impl Indexed {
    /// The offset behind its last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.base_offset.0 + i64::from(self.count))
    }
}

impl Log {
    /// Up to `count_max` entries of `stream` in the order of their offsets, from the one that holds `from` on, as far as they lie below `until`.
    ///
    /// Asks the index only: nothing is read.
    pub fn entries(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        count_max: usize,
    ) -> Vec<Indexed> {
        let mut found = Vec::new();
        if count_max == 0 {
            return found;
        }
        stream.entries_from(from, until, |item| {
            found.push(Indexed {
                position: Position(item.position),
                base_offset: Offset(item.base_offset),
                count: item.count,
                payload_size: item.payload_size,
                time_max_ms: item.time_max_so_far,
            });
            found.len() < count_max
        });
        found
    }

    /// The header of the entry that lies at `position`, read from the file; its checksum, which covers the payload too, is not verified. `None` if no segment holds
    /// it, or no header lies there.
    ///
    /// # Errors
    ///
    /// What the storage says.
    pub fn header_at(&self, position: Position) -> io::Result<Option<Header>> {
        let Some(segment) = self.segments().find(position) else {
            return Ok(None);
        };
        let mut bytes = [0; HEADER_SIZE];
        let at = position - segment.base();
        if whole::read(&**segment.file(), at, &mut bytes)? < HEADER_SIZE {
            return Ok(None);
        }
        let header = Header::decode(&bytes).ok();
        Ok(header.filter(|header| header.position == position.0))
    }

    /// The payloads of the entries of `stream` from the one that holds `from` on, as far as they lie below `until` and fit in `size_max` bytes.
    ///
    /// The first one is there whatever its size if `first_whole`; the others are whole or not there.
    /// Asks the index only: nothing is read.
    pub fn read(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        size_max: u64,
        first_whole: bool,
    ) -> Vec<Payload> {
        let mut found: Vec<Payload> = Vec::new();
        let mut left = size_max;
        let mut segment: Option<Arc<Segment>> = None;
        stream.entries_from(from, until, |item| {
            let size = u64::from(item.payload_size);
            if size > left && !(first_whole && found.is_empty()) {
                return false;
            }
            left = left.saturating_sub(size);
            let payload = self.locate(item, &mut segment);
            let gone = payload.is_none();
            found.extend(payload);
            !gone
        });
        found
    }

    /// The payload bytes from the entry that holds `from` on, below `until`, counted until they are at least `enough`.
    pub fn available(&self, stream: &Stream, from: Offset, until: Position, enough: u64) -> u64 {
        let mut total = 0;
        stream.entries_from(from, until, |item| {
            total += u64::from(item.payload_size);
            total < enough
        });
        total
    }

    /// The first entry below `until` with a record of `time_ms` or later.
    pub fn first_at_or_after(
        &self,
        stream: &Stream,
        time_ms: i64,
        until: Position,
    ) -> Option<Payload> {
        let item = stream.first_at_or_after(time_ms, until)?;
        self.locate(&item, &mut None)
    }

    /// The first entry below `until` that holds the highest record time of the stream.
    pub fn with_time_max(&self, stream: &Stream, until: Position) -> Option<Payload> {
        let item = stream.with_time_max(until)?;
        self.locate(&item, &mut None)
    }

    /// Where an entry's payload lies; `segment` is the one of the entry before, most often the same.
    fn locate(&self, item: &Item, segment: &mut Option<Arc<Segment>>) -> Option<Payload> {
        let position = Position(item.position);
        let holds = |segment: &Arc<Segment>| segment.base() <= position && position < segment.end();
        if !segment.as_ref().is_some_and(holds) {
            *segment = Some(self.segments().find(position)?);
        }
        let segment = segment.as_ref()?;
        Some(Payload {
            file: Arc::clone(segment.view()),
            at: position.0 - segment.base().0 + HEADER_SIZE as u64,
            size: item.payload_size,
            base_offset: Offset(item.base_offset),
            count: item.count,
            end: Position(position.0 + pagelog_record::entry_size(item.payload_size)),
        })
    }
}
