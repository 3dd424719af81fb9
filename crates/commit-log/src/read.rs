//! Reading a stream: not bytes, but where they lie.

use std::io;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_record::{HEADER_SIZE, Header, Offset};
use pagelog_segment::{Position, Segment};

use crate::index::{IndexError, IndexFile, Item};
use crate::log::Log;
use crate::stream::{Stream, earlier, later_time};
use crate::whole;

/// How many entries are looked up at once. The first time few are: most readers want the newest ones.
const COUNT_FIRST: usize = 32;
const COUNT_MAX: usize = 1024;

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
    /// The highest time of a record in it as its writer gave it, in milliseconds since 1970; −1 for none.
    pub record_time_max_ms: i64,
    /// Where the entry begins in the log.
    pub position: Position,
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
    /// The highest time of a record in it, in milliseconds since 1970. Below 0 if none is known.
    pub time_max_ms: i64,
}

impl Indexed {
    /// The offset behind its last record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        Offset(self.base_offset.0 + i64::from(self.count))
    }
}

/// Why it is not known where an entry lies.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// An index file is damaged. It is built again by the next [`Log::index_next`]; then the entry is found.
    #[error("{file}, which tells where entries lie, cannot be used: {source}")]
    Index {
        /// The file's name.
        file: String,
        /// What is wrong with it.
        source: IndexError,
    },
}

impl Log {
    /// Up to `count_max` entries of `stream` in the order of their offsets, from the one that holds `from` on, as far as they lie below `until`.
    ///
    /// Asks the index only: no entry is read.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn entries(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        count_max: usize,
    ) -> Result<Vec<Indexed>, ReadError> {
        let mut found = Vec::new();
        if count_max == 0 {
            return Ok(found);
        }
        let count_first = count_max.min(COUNT_FIRST);
        self.entries_in_steps(stream, from, until, count_first, &mut |item| {
            found.push(Indexed {
                position: Position(item.position),
                base_offset: Offset(item.base_offset),
                count: item.count,
                payload_size: item.payload_size,
                time_max_ms: item.time_max_ms,
            });
            found.len() < count_max
        })?;
        Ok(found)
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
    /// Asks the index only: no payload is read.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn read(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        size_max: u64,
        first_whole: bool,
    ) -> Result<Vec<Payload>, ReadError> {
        let mut found: Vec<Payload> = Vec::new();
        let mut left = size_max;
        let mut segment: Option<Arc<Segment>> = None;
        self.entries_from(stream, from, until, &mut |item| {
            let size = u64::from(item.payload_size);
            if size > left && !(first_whole && found.is_empty()) {
                return false;
            }
            left = left.saturating_sub(size);
            let payload = self.locate(item, &mut segment);
            let gone = payload.is_none();
            found.extend(payload);
            !gone
        })?;
        Ok(found)
    }

    /// The payload bytes from the entry that holds `from` on, below `until`, counted until they are at least `enough`.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn available(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        enough: u64,
    ) -> Result<u64, ReadError> {
        let mut total = 0;
        self.entries_from(stream, from, until, &mut |item| {
            total += u64::from(item.payload_size);
            total < enough
        })?;
        Ok(total)
    }

    /// The first entry below `until` with a record of `time_ms` or later.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn first_at_or_after(
        &self,
        stream: &Stream,
        time_ms: i64,
        until: Position,
    ) -> Result<Option<Payload>, ReadError> {
        let start = stream.start();
        let mut found = stream.at_time(start, time_ms, until);
        for file in self.indexes().files.snapshot().iter().rev() {
            let in_file = file.seek_time(stream.id(), start, time_ms, until);
            found = earlier(found, in_file.map_err(|error| self.unusable(file, error))?);
        }
        Ok(found.and_then(|item| self.locate(&item, &mut None)))
    }

    /// The first entry below `until` that holds the highest record time of the stream.
    ///
    /// # Errors
    ///
    /// [`ReadError`].
    pub fn with_time_max(
        &self,
        stream: &Stream,
        until: Position,
    ) -> Result<Option<Payload>, ReadError> {
        let start = stream.start();
        let mut found = stream.time_max(start, until);
        for file in self.indexes().files.snapshot().iter().rev() {
            let in_file = file.time_max(stream.id(), start, until);
            let in_file = in_file.map_err(|error| self.unusable(file, error))?;
            found = found.into_iter().chain(in_file).reduce(later_time);
        }
        Ok(found.and_then(|item| self.locate(&item, &mut None)))
    }

    /// Calls `each` for the entries that count from the one that holds `from` on, below `until`, while it says so.
    pub(crate) fn entries_from(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        each: &mut dyn FnMut(&Item) -> bool,
    ) -> Result<(), ReadError> {
        self.entries_in_steps(stream, from, until, COUNT_FIRST, each)
    }

    /// As [`Log::entries_from`]; the first look-up is for `count_first` entries.
    fn entries_in_steps(
        &self,
        stream: &Stream,
        from: Offset,
        until: Position,
        count_first: usize,
        each: &mut dyn FnMut(&Item) -> bool,
    ) -> Result<(), ReadError> {
        let mut offset = from.0;
        let mut count = count_first;
        loop {
            let items = self.look_up(stream, offset, until, count)?;
            for item in &items {
                if !each(item) {
                    return Ok(());
                }
            }
            match items.last() {
                Some(last) if last.next() > offset => offset = last.next(),
                _ => return Ok(()),
            }
            count = COUNT_MAX;
        }
    }

    /// Some entries from the one that holds `offset` on, without a gap; the next one if none does.
    ///
    /// The newest copy wins. Whatever has left memory is found in a file that is looked at later, so nothing is missed.
    fn look_up(
        &self,
        stream: &Stream,
        offset: i64,
        until: Position,
        count_max: usize,
    ) -> Result<Vec<Item>, ReadError> {
        let in_memory = stream.in_memory(offset, until, count_max);
        let mut next = in_memory.items.first().copied();
        let holds = |item: &Item| item.base_offset <= offset;
        if next.as_ref().is_some_and(holds) || offset >= in_memory.filed_next {
            return Ok(in_memory.items);
        }
        for file in self.indexes().files.snapshot().iter().rev() {
            // A newer copy of what follows ends what this file tells.
            let until_offset = next.map_or(i64::MAX, |next| next.base_offset);
            let items = items_in(file, stream, offset, until, until_offset, count_max);
            let items = items.map_err(|error| self.unusable(file, error))?;
            if items.first().is_some_and(holds) {
                return Ok(items);
            }
            next = earlier(next, items.first().copied());
        }
        Ok(next.into_iter().collect())
    }

    pub(crate) fn unusable(&self, file: &IndexFile, source: IndexError) -> ReadError {
        self.indexes().ring();
        let file = file.name().to_owned();
        ReadError::Index { file, source }
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
            record_time_max_ms: item.time_max_ms,
            position,
            end: Position(position.0 + pagelog_record::entry_size(item.payload_size)),
        })
    }
}

/// As [`Log::look_up`] in one file, for entries that begin below `until_offset`.
fn items_in(
    file: &IndexFile,
    stream: &Stream,
    offset: i64,
    until: Position,
    until_offset: i64,
    count_max: usize,
) -> Result<Vec<Item>, IndexError> {
    let mut items: Vec<Item> = Vec::new();
    let mut found = file.seek(stream.id(), offset)?;
    while let Some((cursor, item)) = found {
        let follows = items
            .last()
            .is_none_or(|last| last.next() == item.base_offset);
        if !follows || item.base_offset >= until_offset {
            break;
        }
        if item.position < until.0 {
            items.push(item);
        } else if !items.is_empty() {
            break;
        }
        // One that begins above the offset only says what comes next.
        let is_next = item.base_offset > offset && items.len() == 1;
        if is_next || items.len() == count_max {
            break;
        }
        found = file.next(&cursor)?;
    }
    Ok(items)
}
