//! The bytes of an index file, and their names. The drawing is in `docs/format.md`. No I/O here.
//!
//! ```text
//! header page │ items, 20 bytes each │ rows, 40 bytes each │ checksums, 4 bytes for each 4,096 of items and rows
//! ```

use pagelog_record::StreamId;
use pagelog_segment::Position;

use super::IndexError;
use super::item::Item;
use crate::header::{self, Unsealed, field};

/// The first bytes of every index file; the digit is the version of the format.
pub(crate) const MAGIC: [u8; 8] = *b"PLGINDX1";

/// The header's place, a page of its own, so that blocks are pages.
pub(crate) const HEADER_PAGE_SIZE: u64 = 4096;
/// So much of that page is used.
pub(crate) const HEADER_SIZE: usize = 80;
/// One checksum covers so many bytes of items and rows.
pub(crate) const BLOCK_SIZE: usize = 4096;
pub(crate) const ITEM_SIZE: usize = 20;
pub(crate) const ROW_SIZE: usize = 40;
/// The most items of one row, so that a search by time reads little of the row it ends in.
pub(crate) const ROW_COUNT_MAX: usize = if cfg!(test) { 4 } else { 1024 };
/// Places are told in units of this many bytes, the alignment of entries.
const PLACE_UNIT: u64 = pagelog_record::ALIGNMENT as u64;

/// The largest segment in which every place has a number, in bytes.
pub(crate) const SEGMENT_SIZE_MAX: u64 = (u32::MAX as u64 + 1) * PLACE_UNIT;

/// What an index file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexHeader {
    pub(crate) log_id: [u8; 16],
    /// Where the segment begins whose entries it holds.
    pub(crate) base: Position,
    /// It holds the entries from here …
    pub(crate) from: Position,
    /// … up to here.
    pub(crate) to: Position,
    pub(crate) item_count: u32,
    pub(crate) row_count: u32,
    /// The last entry of the log that it holds, by place and checksum: what ties it to the segment. Zeros if it holds none.
    pub(crate) last: Position,
    pub(crate) last_checksum: u32,
    /// Of the table of checksums.
    pub(crate) table_checksum: u32,
}

/// Items of one stream that follow one another in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) stream: StreamId,
    /// The number of its first item in the file.
    pub(crate) first: u32,
    /// The offset of the first item; the items' are told from here.
    pub(crate) base_offset: i64,
    /// The lowest time of its items; the items' are told from here.
    pub(crate) base_time_ms: i64,
    /// How far the highest time of its items is above that.
    pub(crate) time_span_ms: u32,
    /// How many items it has.
    pub(crate) count: u32,
    /// The payloads of its items, in bytes.
    pub(crate) payload_bytes: u64,
}

impl IndexHeader {
    fn rows_at_of(item_count: u32) -> u64 {
        let items = u64::from(item_count) * ITEM_SIZE as u64;
        (HEADER_PAGE_SIZE + items).next_multiple_of(8)
    }

    /// Where the item of this number begins in the file.
    pub(crate) fn item_at(number: u32) -> u64 {
        HEADER_PAGE_SIZE + u64::from(number) * ITEM_SIZE as u64
    }

    /// Where the rows begin in the file.
    pub(crate) fn rows_at(&self) -> u64 {
        Self::rows_at_of(self.item_count)
    }

    /// Where the table of checksums begins in the file.
    pub(crate) fn table_at(&self) -> u64 {
        self.rows_at() + u64::from(self.row_count) * ROW_SIZE as u64
    }

    /// How many checksums there are.
    pub(crate) fn block_count(&self) -> u64 {
        (self.table_at() - HEADER_PAGE_SIZE).div_ceil(BLOCK_SIZE as u64)
    }

    /// The size of the whole file in bytes.
    pub(crate) fn file_size(&self) -> u64 {
        self.table_at() + self.block_count() * 4
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = [0; HEADER_SIZE];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(8, &self.log_id);
        put(24, &self.base.0.to_le_bytes());
        put(32, &self.from.0.to_le_bytes());
        put(40, &self.to.0.to_le_bytes());
        put(48, &self.item_count.to_le_bytes());
        put(52, &self.row_count.to_le_bytes());
        put(56, &self.last.0.to_le_bytes());
        put(64, &self.last_checksum.to_le_bytes());
        put(68, &self.table_checksum.to_le_bytes());
        header::seal(&mut bytes, MAGIC);
        bytes
    }

    /// Reads a header; what it says fits together, and nothing more is known.
    pub(crate) fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<IndexHeader, IndexError> {
        header::check(bytes, MAGIC).map_err(|unsealed| match unsealed {
            Unsealed::Magic => IndexError::NoIndex,
            Unsealed::Checksum => IndexError::Checksum { at: 0 },
        })?;
        let position = |at| Position(u64::from_le_bytes(field(bytes, at)));
        let header = IndexHeader {
            log_id: field(bytes, 8),
            base: position(24),
            from: position(32),
            to: position(40),
            item_count: u32::from_le_bytes(field(bytes, 48)),
            row_count: u32::from_le_bytes(field(bytes, 52)),
            last: position(56),
            last_checksum: u32::from_le_bytes(field(bytes, 64)),
            table_checksum: u32::from_le_bytes(field(bytes, 68)),
        };
        let in_order = header.base <= header.from && header.from <= header.to;
        let has_last = header.from <= header.last && header.last < header.to;
        if !in_order || header.row_count > header.item_count || (header.item_count > 0 && !has_last)
        {
            return Err(IndexError::Fields { at: 0 });
        }
        Ok(header)
    }
}

impl Row {
    /// A row that has no items yet; the first will be the file's item of this number.
    pub(crate) fn empty(first: u32) -> Row {
        Row {
            stream: StreamId::CONTROL,
            first,
            base_offset: 0,
            base_time_ms: 0,
            time_span_ms: 0,
            count: 0,
            payload_bytes: 0,
        }
    }

    pub(crate) fn time_max_ms(&self) -> i64 {
        self.base_time_ms
            .saturating_add(i64::from(self.time_span_ms))
    }

    pub(crate) fn encode(&self) -> [u8; ROW_SIZE] {
        let mut bytes = [0; ROW_SIZE];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &self.stream.0.to_le_bytes());
        put(4, &self.first.to_le_bytes());
        put(8, &self.base_offset.to_le_bytes());
        put(16, &self.base_time_ms.to_le_bytes());
        put(24, &self.time_span_ms.to_le_bytes());
        put(28, &self.count.to_le_bytes());
        put(32, &self.payload_bytes.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; ROW_SIZE]) -> Row {
        Row {
            stream: StreamId(u32::from_le_bytes(field(bytes, 0))),
            first: u32::from_le_bytes(field(bytes, 4)),
            base_offset: i64::from_le_bytes(field(bytes, 8)),
            base_time_ms: i64::from_le_bytes(field(bytes, 16)),
            time_span_ms: u32::from_le_bytes(field(bytes, 24)),
            count: u32::from_le_bytes(field(bytes, 28)),
            payload_bytes: u64::from_le_bytes(field(bytes, 32)),
        }
    }

    /// Whether `item` can still be told from this row, whose first item it may be.
    pub(crate) fn takes(&self, stream: StreamId, item: &Item) -> bool {
        if self.count == 0 {
            return true;
        }
        let offset = item.base_offset.checked_sub(self.base_offset);
        let low = self.base_time_ms.min(item.time_max_ms);
        let high = self.time_max_ms().max(item.time_max_ms);
        stream == self.stream
            && (self.count as usize) < ROW_COUNT_MAX
            && offset.is_some_and(|offset| u32::try_from(offset).is_ok())
            && high
                .checked_sub(low)
                .is_some_and(|span| u32::try_from(span).is_ok())
    }

    /// Counts `item`, which it [takes](Row::takes), in.
    pub(crate) fn add(&mut self, stream: StreamId, item: &Item) {
        if self.count == 0 {
            self.stream = stream;
            self.base_offset = item.base_offset;
            self.base_time_ms = item.time_max_ms;
        }
        let high = self.time_max_ms().max(item.time_max_ms);
        self.base_time_ms = self.base_time_ms.min(item.time_max_ms);
        self.time_span_ms = high.abs_diff(self.base_time_ms) as u32;
        self.count += 1;
        self.payload_bytes += u64::from(item.payload_size);
    }
}

/// The bytes of an item of `row`, in the segment that begins at `base`.
pub(crate) fn encode_item(item: &Item, row: &Row, base: Position) -> [u8; ITEM_SIZE] {
    let mut bytes = [0; ITEM_SIZE];
    let mut put = |at: usize, field: u32| bytes[at..at + 4].copy_from_slice(&field.to_le_bytes());
    put(0, item.base_offset.abs_diff(row.base_offset) as u32);
    put(4, item.count);
    put(8, ((item.position - base.0) / PLACE_UNIT) as u32);
    put(12, item.payload_size);
    put(16, item.time_max_ms.abs_diff(row.base_time_ms) as u32);
    bytes
}

/// Reads an item of `row`; saturates where no writer would have gone.
pub(crate) fn decode_item(bytes: &[u8; ITEM_SIZE], row: &Row, base: Position) -> Item {
    let get = |at| u32::from_le_bytes(field(bytes, at));
    let place = u64::from(get(8)) * PLACE_UNIT;
    let count = get(4);
    let base_offset = row.base_offset.saturating_add(i64::from(get(0)));
    Item {
        base_offset: base_offset.min(i64::MAX - i64::from(count)),
        position: base.0.saturating_add(place),
        time_max_ms: row.base_time_ms.saturating_add(i64::from(get(16))),
        payload_size: get(12),
        count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let header = IndexHeader {
            log_id: [7; 16],
            base: Position(8192),
            from: Position(8192),
            to: Position(16384),
            item_count: 3,
            row_count: 2,
            last: Position(9000),
            last_checksum: 5,
            table_checksum: 6,
        };
        let bytes = header.encode();
        assert_eq!(IndexHeader::decode(&bytes).unwrap(), header);
        for at in 0..HEADER_SIZE {
            let mut other = bytes;
            other[at] ^= 1;
            assert!(IndexHeader::decode(&other).is_err(), "byte {at}");
        }
        assert_eq!(header.rows_at(), 4096 + 64);
        assert_eq!(header.table_at(), 4096 + 64 + 80);
        assert_eq!(header.file_size(), 4096 + 64 + 80 + 4);
    }

    #[test]
    fn a_row_takes_what_can_be_told_from_it() {
        let item = |base_offset, time_max_ms| Item {
            base_offset,
            position: 8192 + 80,
            time_max_ms,
            payload_size: 10,
            count: 1,
        };
        let mut row = Row::empty(0);
        let one = StreamId(1);
        row.add(one, &item(5, 100));
        assert!(row.takes(one, &item(6, 100)));
        assert!(!row.takes(StreamId(2), &item(6, 100)));
        assert!(!row.takes(one, &item(4, 100)));
        assert!(row.takes(one, &item(5 + i64::from(u32::MAX), 100)));
        assert!(!row.takes(one, &item(6 + i64::from(u32::MAX), 100)));
        assert!(!row.takes(one, &item(6, i64::MIN)));
        assert!(!row.takes(one, &item(6, 101 + i64::from(u32::MAX))));
        row.add(one, &item(6, 50));
        row.add(one, &item(7, 400));
        assert_eq!((row.base_time_ms, row.time_max_ms()), (50, 400));
        assert_eq!((row.count, row.payload_bytes), (3, 30));
        assert_eq!(Row::decode(&row.encode()), row);
        let base = Position(8192);
        let bytes = encode_item(&item(7, 400), &row, base);
        assert_eq!(decode_item(&bytes, &row, base), item(7, 400));
    }
}
