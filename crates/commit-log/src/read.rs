//! Reading a stream: not bytes, but where they lie.

use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_record::{HEADER_SIZE, Offset};
use pagelog_segment::{Position, Segment};

use crate::index::Item;
use crate::log::Log;
use crate::stream::Stream;

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

impl Log {
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
