//! Index files: any bytes; fields of the fuzzer's under checksums that are right; and one that a log has written, with a byte changed.
//!
//! The bytes are those of docs/format.md, written down here once more, so that the decoder is not checked by itself.

use std::sync::{Arc, OnceLock};

use pagelog_commit_log::{
    IndexReader, Indexed, Log, LogOptions, NewEntry, Offset, Opened, Route, Storage, StreamId,
};
use pagelog_record::crc32c;
use pagelog_testing::MemoryStorage;

use crate::input::Input;

const NAME: &str = "00000000000000000000.index";
const LOG_ID: [u8; 16] = [7; 16];
const PAGE_SIZE: usize = 4096;
const HEADER_SIZE: usize = 80;
const ITEM_SIZE: usize = 20;
const ROW_SIZE: usize = 40;
/// More items than this make an input slower and not more telling.
const ITEMS_MAX: u16 = 300;
/// The log has so many streams, numbered from 1.
const STREAMS: u32 = 4;

/// Reads `bytes` as a file, as the fields of one, and as a change of a good one.
///
/// # Panics
/// When a changed file tells something else than what was written.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.u8() % 3 {
        0 => drop(read_all(input.rest(), &LOG_ID)),
        1 => drop(read_all(&sealed(&mut input), &LOG_ID)),
        _ => check_changed(&mut input),
    }
}

type Told = Vec<(StreamId, Indexed)>;

/// Opens the file and asks it everything. `None` if it said that something is wrong.
fn read_all(file: &[u8], log_id: &[u8; 16]) -> Option<Told> {
    let storage = MemoryStorage::new(1);
    storage
        .create(NAME, file.len() as u64)
        .expect("memory takes it");
    storage.overwrite(NAME, 0, file);
    let reader = IndexReader::open(&storage, NAME, log_id).ok()?;
    let mut wrong = false;
    let mut told = Told::new();
    for entry in reader.entries() {
        match entry {
            Ok(entry) => told.push(entry),
            Err(_) => wrong = true,
        }
    }
    for stream in (0..=STREAMS + 1).map(StreamId) {
        for offset in [i64::MIN, 0, 3, i64::MAX].map(Offset) {
            wrong |= reader.find(stream, offset).is_err();
            wrong |= reader.find_time(stream, offset, 5).is_err();
        }
    }
    let found_all = told.iter().take(64).all(|(stream, entry)| {
        let found = reader.find(*stream, entry.base_offset);
        wrong |= found.is_err();
        found.is_ok_and(|found| found.is_some())
    });
    (!wrong && found_all).then_some(told)
}

/// A file whose counts are small and whose checksums are right; all else is the fuzzer's.
fn sealed(input: &mut Input<'_>) -> Vec<u8> {
    let items = usize::from(input.u16() % (ITEMS_MAX + 1));
    let rows = usize::from(input.u16()) % (items + 1);
    let rows_at = (PAGE_SIZE + items * ITEM_SIZE).next_multiple_of(8);
    let table_at = rows_at + rows * ROW_SIZE;
    let mut file = vec![0; table_at];
    file[..8].copy_from_slice(b"PLGINDX1");
    file[8..24].copy_from_slice(&LOG_ID);
    for at in [24, 32, 40, 56] {
        // Positions that fit together, or any.
        let value = match input.u8() % 4 {
            0 => input.u64(),
            other => u64::from(other) * 4096,
        };
        file[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
    file[48..52].copy_from_slice(&(items as u32).to_le_bytes());
    file[52..56].copy_from_slice(&(rows as u32).to_le_bytes());
    // A row that begins with small numbers is one that is believed.
    for row in 0..rows {
        let at = rows_at + row * ROW_SIZE;
        file[at..at + 4].copy_from_slice(&(u32::from(input.u8()) % 6).to_le_bytes());
        file[at + 4..at + 8].copy_from_slice(&u32::from(input.u16() % ITEMS_MAX).to_le_bytes());
        file[at + 8..at + 16].copy_from_slice(&input.u64().to_le_bytes());
        file[at + 16..at + 24].copy_from_slice(&input.u64().to_le_bytes());
        file[at + 28..at + 32].copy_from_slice(&u32::from(input.u8()).to_le_bytes());
    }
    let rest = input.rest();
    let size = rest.len().min(rows_at - PAGE_SIZE);
    file[PAGE_SIZE..PAGE_SIZE + size].copy_from_slice(&rest[..size]);
    seal(&mut file, table_at);
    file
}

/// Writes the checksums of blocks, of their table and of the header.
fn seal(file: &mut Vec<u8>, table_at: usize) {
    let blocks = file[PAGE_SIZE..table_at].chunks(PAGE_SIZE);
    let table: Vec<u8> = blocks
        .flat_map(|block| crc32c::of(block).to_le_bytes())
        .collect();
    file[68..72].copy_from_slice(&crc32c::of(&table).to_le_bytes());
    let checksum = crc32c::of(&file[..HEADER_SIZE - 4]);
    file[HEADER_SIZE - 4..HEADER_SIZE].copy_from_slice(&checksum.to_le_bytes());
    file.extend(table);
}

/// One byte of a file that a log has written is changed: it tells the same, or that it cannot be trusted.
fn check_changed(input: &mut Input<'_>) {
    let (log_id, written, told) = original();
    let mut changed = written.clone();
    let at = (input.u64() % written.len() as u64) as usize;
    changed[at] ^= input.u8();
    if let Some(found) = read_all(&changed, log_id) {
        assert_eq!(&found, told, "byte {at} was changed and nobody noticed");
    }
}

/// The index of a small log, made once: the log's id, the file, and what it tells.
fn original() -> &'static ([u8; 16], Vec<u8>, Told) {
    static FILE: OnceLock<([u8; 16], Vec<u8>, Told)> = OnceLock::new();
    FILE.get_or_init(|| {
        let storage = MemoryStorage::new(1);
        let options = LogOptions::new(1 << 16, Route::Mapped, 2048);
        let opened = Log::open(Arc::new(storage.clone()), options, &mut |_| Ok(()));
        let Opened { log, mut sync, .. } = opened.expect("nothing is wrong with an empty place");
        for number in 0..200_u32 {
            let stream = log.stream(StreamId(1 + number % STREAMS));
            let payload = [number as u8; 100];
            let entry = NewEntry {
                count: 1 + number % 3,
                append_time_ms: 5,
                record_time_max_ms: i64::from(number),
                ..NewEntry::record(&payload[..number as usize % 100])
            };
            log.append(&stream, &entry).expect("there is room");
        }
        let synced = sync.write().and_then(|_| sync.sync());
        synced.expect("memory takes it");
        log.index_all().expect("memory takes it");
        let file = storage.content(NAME);
        let told = read_all(&file, &log.id()).expect("it is as it was written");
        assert_eq!(told.len(), 200);
        (log.id(), file, told)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_fuzzer_are_believed_and_asked() {
        // Two items in one row of stream 1, all positions 4,096 and up.
        let mut bytes = vec![1, 2, 0, 1, 0, 1, 1, 2, 1, 1, 0, 0];
        bytes.extend([0; 16]);
        bytes.push(2);
        for field in [0_u32, 1, 0, 0, 0, 1, 1, 10, 0, 0] {
            bytes.extend(field.to_le_bytes());
        }
        let mut input = Input::new(&bytes[1..]);
        let told = read_all(&sealed(&mut input), &LOG_ID);
        assert_eq!(told.map(|told| told.len()), Some(2));
    }

    #[test]
    fn a_change_that_counts_is_seen() {
        let (log_id, written, _) = original();
        let mut changed = written.clone();
        changed[PAGE_SIZE + 8] ^= 1;
        assert_eq!(read_all(&changed, log_id), None);
    }
}
