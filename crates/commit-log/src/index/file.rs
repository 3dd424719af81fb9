//! One index file, open and mapped: found in it is an entry by offset, or by time.
//!
//! Its bytes are copied out and never lent. A block is verified when it is first read, so opening a file costs the same however large it is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use pagelog_os::{Advice, MappedFile};
use pagelog_record::{StreamId, crc32c};
use pagelog_segment::{Position, Segment, Storage};

use super::IndexError;
use super::format::{
    BLOCK_SIZE, HEADER_PAGE_SIZE, HEADER_SIZE, ITEM_SIZE, IndexHeader, ROW_COUNT_MAX, ROW_SIZE,
    Row, decode_item,
};
use super::item::{Item, Keyed};
use crate::whole;

/// How many checksums are verified at once when a file is opened.
const TABLE_CHUNK_SIZE: usize = 16 << 10;

/// An index file, or a run.
#[derive(Debug)]
pub(crate) struct IndexFile {
    name: String,
    view: Arc<MappedFile>,
    header: IndexHeader,
    /// A bit for each block that has been verified.
    verified: Box<[AtomicU64]>,
    /// A block was not as it was written.
    wrong: AtomicBool,
    /// The streams of the first row and of the last, once they have been read: a search guesses from them where a stream's rows lie.
    streams: OnceLock<(u32, u32)>,
}

/// Where an item lies in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    row_number: u32,
    row: Row,
    /// Within the row.
    item: u32,
}

impl IndexFile {
    /// Opens a file of the log `log_id` and verifies all of it but its blocks.
    pub(crate) fn open(
        storage: &dyn Storage,
        name: String,
        log_id: &[u8; 16],
    ) -> Result<IndexFile, IndexError> {
        let view = storage.open(&name)?.view()?;
        let size = view.size();
        let expected = HEADER_PAGE_SIZE;
        if size < expected {
            let found = size;
            return Err(IndexError::Short { found, expected });
        }
        let mut bytes = [0; HEADER_SIZE];
        view.mapping().copy_out(0, &mut bytes)?;
        let header = IndexHeader::decode(&bytes)?;
        if header.log_id != *log_id {
            return Err(IndexError::OtherLog);
        }
        let expected = header.file_size();
        if size < expected {
            let found = size;
            return Err(IndexError::Short { found, expected });
        }
        let words = header.block_count().div_ceil(64);
        let file = IndexFile {
            name,
            view,
            header,
            verified: (0..words).map(|_| AtomicU64::new(0)).collect(),
            wrong: AtomicBool::new(false),
            streams: OnceLock::new(),
        };
        file.check_table()?;
        // A search touches some pages far apart: with read-ahead, each would bring in as much as the device is told to read. Refused advice costs
        // speed alone.
        let searched = 0..file.header.table_at() as usize;
        let _ = file.view.mapping().advise(searched, Advice::Random);
        Ok(file)
    }

    /// Whether the last entry it holds lies in `segment`, which says that all others do.
    pub(crate) fn check_segment(&self, segment: &Segment) -> Result<(), IndexError> {
        let header = &self.header;
        if header.base != segment.base() || header.to > segment.end() {
            let (from, to) = (header.from, header.to);
            return Err(IndexError::OtherPlace { from, to });
        }
        if header.item_count == 0 {
            return Ok(());
        }
        match checksum_at(segment, header.last)? {
            Some(checksum) if checksum == header.last_checksum => Ok(()),
            _ => Err(IndexError::Stale(header.last)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn header(&self) -> &IndexHeader {
        &self.header
    }

    /// Whether reading it has met bytes that are not as they were written.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong.load(Relaxed)
    }

    /// The first item of `stream` whose entry ends above `offset`.
    pub(crate) fn seek(
        &self,
        stream: StreamId,
        offset: i64,
    ) -> Result<Option<(Cursor, Item)>, IndexError> {
        let key = (stream.0, offset);
        // The last row that begins at the offset or before it; its items may all end before.
        let before = |row: &Row| (row.stream.0, row.base_offset) <= key;
        let behind = self.partition_rows(stream, before)?;
        if let Some(row_number) = behind.checked_sub(1) {
            let row = self.row(row_number)?;
            if row.stream == stream {
                let item = self.partition_items(&row, offset)?;
                if item < row.count {
                    let cursor = Cursor {
                        row_number,
                        row,
                        item,
                    };
                    return Ok(Some((cursor, self.item(&row, item)?)));
                }
            }
        }
        self.first_of_row(stream, behind)
    }

    /// The item behind the one at `cursor`, if it is of the same stream.
    pub(crate) fn next(&self, cursor: &Cursor) -> Result<Option<(Cursor, Item)>, IndexError> {
        let Cursor {
            row_number,
            row,
            item,
        } = *cursor;
        if item + 1 < row.count {
            let item = item + 1;
            let cursor = Cursor { item, ..*cursor };
            return Ok(Some((cursor, self.item(&row, item)?)));
        }
        self.first_of_row(row.stream, row_number + 1)
    }

    /// Up to `count_max` items of `stream` below `until`, from `offset` on.
    pub(crate) fn below(
        &self,
        stream: StreamId,
        offset: i64,
        until: Position,
        count_max: usize,
    ) -> Result<Vec<Item>, IndexError> {
        let (mut items, mut found) = (Vec::new(), self.seek(stream, offset)?);
        while let Some((cursor, item)) = found
            && items.len() < count_max
        {
            if item.position < until.0 {
                items.push(item);
            }
            found = self.next(&cursor)?;
        }
        Ok(items)
    }

    /// The first item of `stream` from `offset` on, below `until`, whose time is `time_ms` or later.
    pub(crate) fn seek_time(
        &self,
        stream: StreamId,
        offset: i64,
        time_ms: i64,
        until: Position,
    ) -> Result<Option<Item>, IndexError> {
        let mut found = None;
        self.rows_of(stream, &mut |row| {
            if row.time_max_ms() < time_ms || found.is_some() {
                return Ok(found.is_none());
            }
            let meets = |item: &Item| {
                item.next() > offset && item.time_max_ms >= time_ms && item.position < until.0
            };
            found = self.items_of(row)?.into_iter().find(meets);
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// Of the items of `stream` from `offset` on, below `until`, the first that has the highest time.
    pub(crate) fn time_max(
        &self,
        stream: StreamId,
        offset: i64,
        until: Position,
    ) -> Result<Option<Item>, IndexError> {
        let mut highest: Option<Item> = None;
        self.rows_of(stream, &mut |row| {
            if highest.is_some_and(|item| item.time_max_ms >= row.time_max_ms()) {
                return Ok(true);
            }
            for item in self.items_of(row)? {
                let higher = highest.is_none_or(|highest| item.time_max_ms > highest.time_max_ms);
                if higher && item.next() > offset && item.position < until.0 {
                    highest = Some(item);
                }
            }
            Ok(true)
        })?;
        Ok(highest)
    }

    /// Calls `each` for the rows of `stream`, while it says so.
    fn rows_of(
        &self,
        stream: StreamId,
        each: &mut dyn FnMut(&Row) -> Result<bool, IndexError>,
    ) -> Result<(), IndexError> {
        let mut number = self.partition_rows(stream, |row| row.stream < stream)?;
        while number < self.header.row_count {
            let row = self.row(number)?;
            if row.stream != stream || !each(&row)? {
                break;
            }
            number += 1;
        }
        Ok(())
    }

    fn first_of_row(
        &self,
        stream: StreamId,
        row_number: u32,
    ) -> Result<Option<(Cursor, Item)>, IndexError> {
        if row_number >= self.header.row_count {
            return Ok(None);
        }
        let row = self.row(row_number)?;
        if row.stream != stream {
            return Ok(None);
        }
        let cursor = Cursor {
            row_number,
            row,
            item: 0,
        };
        Ok(Some((cursor, self.item(&row, 0)?)))
    }

    /// The first row for which `before` does not hold, looked for where the rows of `stream` should lie.
    fn partition_rows(
        &self,
        stream: StreamId,
        before: impl Fn(&Row) -> bool,
    ) -> Result<u32, IndexError> {
        let count = self.header.row_count;
        let guess = self.guess_row(stream)?;
        partition(count, guess, |number| Ok(before(&self.row(number)?)))
    }

    /// Where the rows of a stream would end if all streams had as many; below the count of rows, if there are any.
    fn guess_row(&self, stream: StreamId) -> Result<u32, IndexError> {
        let Some(last) = self.header.row_count.checked_sub(1) else {
            return Ok(0);
        };
        let (low, high) = match self.streams.get() {
            Some(streams) => *streams,
            None => {
                let streams = (self.row(0)?.stream.0, self.row(last)?.stream.0);
                *self.streams.get_or_init(|| streams)
            }
        };
        // A file may be of one stream, and one that nobody has written may not be sorted.
        let span = u64::from(high.saturating_sub(low)) + 1;
        let rank = u64::from(stream.0.clamp(low, high.max(low)) - low) + 1;
        Ok((rank * u64::from(last) / span) as u32)
    }

    /// The first item that ends above `offset`.
    fn partition_items(&self, row: &Row, offset: i64) -> Result<u32, IndexError> {
        // So it is where every entry has one record; where they have more, it lies before.
        let guess = offset.saturating_sub(row.base_offset).max(0);
        let guess = u32::try_from(guess).unwrap_or(u32::MAX).min(row.count - 1);
        partition(row.count, guess, |number| {
            Ok(self.item(row, number)?.next() <= offset)
        })
    }

    /// The row of this number; there are so many.
    pub(crate) fn row(&self, number: u32) -> Result<Row, IndexError> {
        let at = self.header.rows_at() + u64::from(number) * ROW_SIZE as u64;
        let mut bytes = [0; ROW_SIZE];
        self.read(at, &mut bytes)?;
        let row = Row::decode(&bytes);
        let end = row.first.checked_add(row.count);
        let fits = end.is_some_and(|end| end <= self.header.item_count);
        if !fits || row.count == 0 || row.count as usize > ROW_COUNT_MAX {
            return Err(self.refuse(IndexError::Fields { at }));
        }
        Ok(row)
    }

    fn item(&self, row: &Row, number: u32) -> Result<Item, IndexError> {
        let mut bytes = [0; ITEM_SIZE];
        self.read(IndexHeader::item_at(row.first + number), &mut bytes)?;
        Ok(decode_item(&bytes, row, self.header.base))
    }

    /// All items of a row.
    pub(crate) fn items_of(&self, row: &Row) -> Result<Vec<Item>, IndexError> {
        let mut bytes = vec![0; row.count as usize * ITEM_SIZE];
        self.read(IndexHeader::item_at(row.first), &mut bytes)?;
        let (items, _) = bytes.as_chunks::<ITEM_SIZE>();
        let decode = |bytes| decode_item(bytes, row, self.header.base);
        Ok(items.iter().map(decode).collect())
    }

    /// All items, in their order.
    pub(crate) fn keyed(
        self: &Arc<Self>,
    ) -> impl Iterator<Item = Result<Keyed, IndexError>> + use<> {
        let file = Arc::clone(self);
        // All of it is going to be read, so all of it is asked for at once.
        let read = 0..self.header.table_at() as usize;
        let _ = self.view.mapping().advise(read, Advice::WillNeed);
        let rows = 0..self.header.row_count;
        rows.flat_map(move |number| {
            let row = file.row(number);
            let items = row.and_then(|row| Ok((row.stream, file.items_of(&row)?)));
            let (stream, items, error) = match items {
                Ok((stream, items)) => (stream, items, None),
                Err(error) => (StreamId(0), Vec::new(), Some(Err(error))),
            };
            let keyed = move |item| Ok(Keyed { stream, item });
            items.into_iter().map(keyed).chain(error)
        })
    }

    /// Verified bytes of items or rows.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), IndexError> {
        let block = |at: u64| (at - HEADER_PAGE_SIZE) / BLOCK_SIZE as u64;
        for block in block(at)..=block(at + into.len() as u64 - 1) {
            let bit = 1 << (block % 64);
            let word = &self.verified[(block / 64) as usize];
            if word.load(Relaxed) & bit == 0 {
                self.verify(block).map_err(|error| self.refuse(error))?;
                word.fetch_or(bit, Relaxed);
            }
        }
        let read = self.view.mapping().copy_out(at as usize, into);
        read.map_err(|fault| self.refuse(fault.into()))
    }

    fn verify(&self, block: u64) -> Result<(), IndexError> {
        let at = HEADER_PAGE_SIZE + block * BLOCK_SIZE as u64;
        let size = (self.header.table_at() - at).min(BLOCK_SIZE as u64) as usize;
        let (mut bytes, mut checksum) = ([0; BLOCK_SIZE], [0; 4]);
        let mapping = self.view.mapping();
        mapping.copy_out(at as usize, &mut bytes[..size])?;
        mapping.copy_out((self.header.table_at() + block * 4) as usize, &mut checksum)?;
        match crc32c::of(&bytes[..size]) == u32::from_le_bytes(checksum) {
            true => Ok(()),
            false => Err(IndexError::Checksum { at }),
        }
    }

    fn check_table(&self) -> Result<(), IndexError> {
        let (begin, end) = (self.header.table_at(), self.header.file_size());
        let mut buffer = [0; TABLE_CHUNK_SIZE];
        let (mut at, mut checksum) = (begin, 0);
        while at < end {
            let chunk = &mut buffer[..(end - at).min(TABLE_CHUNK_SIZE as u64) as usize];
            self.view.mapping().copy_out(at as usize, chunk)?;
            checksum = crc32c::append(checksum, chunk);
            at += chunk.len() as u64;
        }
        match checksum == self.header.table_checksum {
            true => Ok(()),
            false => Err(IndexError::Checksum { at: begin }),
        }
    }

    /// From now on it is known that the file is to be built again.
    fn refuse(&self, error: IndexError) -> IndexError {
        self.wrong.store(true, Relaxed);
        error
    }
}

/// The checksum of the entry at `position`, as its header tells it; `None` if no header of this place lies there.
pub(crate) fn checksum_at(
    segment: &Segment,
    position: Position,
) -> Result<Option<u32>, IndexError> {
    const SIZE: usize = pagelog_record::HEADER_SIZE;
    let at = position - segment.base();
    if at.saturating_add(SIZE as u64) > segment.size() {
        return Ok(None);
    }
    let mut bytes = [0; SIZE];
    let read = whole::read(&**segment.file(), at, &mut bytes)?;
    let header = pagelog_record::Header::decode(&bytes);
    let is_here = header.is_ok_and(|header| header.position == position.0);
    let checksum = [bytes[8], bytes[9], bytes[10], bytes[11]];
    Ok((read == SIZE && is_here).then(|| u32::from_le_bytes(checksum)))
}

/// The first of `count` numbers for which `before` does not hold, looked for around `guess`, which is below the count, in steps that double.
fn partition(
    count: u32,
    guess: u32,
    before: impl Fn(u32) -> Result<bool, IndexError>,
) -> Result<u32, IndexError> {
    let (mut low, mut high) = (0, count);
    let (mut at, mut step) = (guess, 1);
    while low < high {
        if before(at)? {
            low = at + 1;
        } else {
            high = at;
        }
        let near = if low == 0 {
            high.checked_sub(step)
        } else {
            low.checked_add(step - 1).filter(|near| *near < high)
        };
        // Until both sides are known, the step doubles; then what lies between is halved.
        let is_open = low == 0 || high == count;
        at = near.filter(|_| is_open).unwrap_or(low + (high - low) / 2);
        step = step.saturating_mul(2);
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_it_is_looked_for_first_the_place_is_the_same() {
        for count in 0..40_u32 {
            for parting in 0..=count {
                for guess in 0..count.max(1) {
                    let probes = std::cell::Cell::new(0);
                    let found = partition(count, guess, |number| {
                        assert!(number < count);
                        probes.set(probes.get() + 1);
                        Ok(number < parting)
                    });
                    assert_eq!(found.unwrap(), parting, "of {count}, from {guess}");
                    assert!(probes.get() <= 14, "{} probes", probes.get());
                    if guess == parting || guess + 1 == parting {
                        assert!(
                            probes.get() <= 2,
                            "{} probes from {guess} to {parting}",
                            probes.get()
                        );
                    }
                }
            }
        }
    }
}
