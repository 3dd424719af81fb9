//! Writes an index file from items that come in their order. They are asked for twice: a file is made in its full size.

use pagelog_record::crc32c;
use pagelog_segment::{Position, Segment, Storage, StorageFile};

use super::IndexError;
use super::file::checksum_at;
use super::format::{
    BLOCK_SIZE, HEADER_PAGE_SIZE, HEADER_SIZE, IndexHeader, ROW_SIZE, Row, encode_item,
};
use super::item::{Item, Keyed};
use super::merge::Sorted;
use crate::whole;

/// How much is written at once, in bytes.
const BUFFER_SIZE: usize = 64 * BLOCK_SIZE;

/// What a file is to be about.
pub(crate) struct Target<'a> {
    pub(crate) log_id: [u8; 16],
    pub(crate) segment: &'a Segment,
    pub(crate) from: Position,
    pub(crate) to: Position,
}

/// Makes the file `name` of the items that `items` gives, each time the same, in the place of one that may be there. It is synced; its name is not.
///
/// That takes long when there are many items: `meanwhile` is called again and again.
pub(crate) fn write(
    storage: &dyn Storage,
    name: &str,
    target: &Target<'_>,
    items: &dyn Fn() -> Sorted,
    meanwhile: &mut dyn FnMut(),
) -> Result<(), IndexError> {
    let mut header = count(target, items(), meanwhile)?;
    remove(storage, name)?;
    let file = storage.create(name, header.file_size())?;
    let mut out = Blocks::new(&*file);
    let mut rows = Vec::with_capacity(header.row_count as usize * ROW_SIZE);
    in_rows(items(), &mut |row, items| {
        meanwhile();
        for item in items {
            out.push(&encode_item(item, row, target.segment.base()))?;
        }
        rows.extend_from_slice(&row.encode());
        Ok(())
    })?;
    out.push(&[0; 8][..(header.rows_at() - out.end()) as usize])?;
    out.push(&rows)?;
    header.table_checksum = out.finish()?;
    whole::write(&*file, 0, &header.encode())?;
    Ok(file.sync_data()?)
}

/// The header of the file that holds the items, without the checksum that is not known yet.
fn count(
    target: &Target<'_>,
    items: Sorted,
    meanwhile: &mut dyn FnMut(),
) -> Result<IndexHeader, IndexError> {
    let (mut item_count, mut row_count, mut last) = (0, 0, None);
    in_rows(items, &mut |row, items| {
        meanwhile();
        item_count += row.count;
        row_count += 1;
        last = last.max(items.iter().map(|item| item.position).max());
        Ok(())
    })?;
    let last = last.map(Position);
    let last_checksum = match last {
        Some(last) => checksum_at(target.segment, last)?.ok_or(IndexError::Stale(last))?,
        None => 0,
    };
    Ok(IndexHeader {
        log_id: target.log_id,
        base: target.segment.base(),
        from: target.from,
        to: target.to,
        item_count,
        row_count,
        last: last.unwrap_or(Position(0)),
        last_checksum,
        table_checksum: 0,
    })
}

/// Takes a row and its items.
type EachRow<'a> = dyn FnMut(&Row, &[Item]) -> Result<(), IndexError> + 'a;

/// Gives the items to `each` row by row; of copies of an entry only the first.
fn in_rows(items: Sorted, each: &mut EachRow<'_>) -> Result<(), IndexError> {
    let (mut row, mut of_row) = (Row::empty(0), Vec::new());
    let mut last: Option<Keyed> = None;
    for keyed in items {
        let keyed = keyed?;
        if last.is_some_and(|last| last.same_entry(&keyed)) {
            continue;
        }
        last = Some(keyed);
        let Keyed { stream, item } = keyed;
        if !row.takes(stream, &item) {
            each(&row, &of_row)?;
            row = Row::empty(row.first + row.count);
            of_row.clear();
        }
        row.add(stream, &item);
        of_row.push(item);
    }
    if row.count > 0 {
        each(&row, &of_row)?;
    }
    Ok(())
}

/// Bytes behind the header page, and a checksum for each block of them.
struct Blocks<'a> {
    file: &'a dyn StorageFile,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file.
    at: u64,
    table: Vec<u8>,
}

impl<'a> Blocks<'a> {
    fn new(file: &'a dyn StorageFile) -> Blocks<'a> {
        Blocks {
            file,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            at: HEADER_PAGE_SIZE,
            table: Vec::new(),
        }
    }

    /// Where the next byte goes in the file.
    fn end(&self) -> u64 {
        self.at + self.buffer.len() as u64
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), IndexError> {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BUFFER_SIZE - self.buffer.len()));
            self.buffer.extend_from_slice(taken);
            bytes = rest;
            if self.buffer.len() == BUFFER_SIZE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        for block in self.buffer.chunks(BLOCK_SIZE) {
            let checksum = crc32c::of(block);
            self.table.extend_from_slice(&checksum.to_le_bytes());
        }
        whole::write(self.file, self.at, &self.buffer)?;
        self.at = self.end();
        self.buffer.clear();
        Ok(())
    }

    /// Writes the rest and the table; answers with the table's checksum.
    fn finish(mut self) -> Result<u32, IndexError> {
        self.flush()?;
        whole::write(self.file, self.at, &self.table)?;
        Ok(crc32c::of(&self.table))
    }
}

const _: () = assert!(HEADER_SIZE as u64 <= HEADER_PAGE_SIZE);

/// Gives the final name to a file that was written under another, for good.
pub(crate) fn publish(storage: &dyn Storage, new: &str, name: &str) -> Result<(), IndexError> {
    storage.rename(new, name)?;
    Ok(storage.sync_directory()?)
}

/// Removes a file that may not be there.
pub(crate) fn remove(storage: &dyn Storage, name: &str) -> std::io::Result<()> {
    match storage.remove(name) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
