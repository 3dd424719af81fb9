//! Blocks of new segments written ahead of the appends, on the staged route: all along the log, and whether the disk takes the zeros or not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_commit_log::{
    AppendError, Kind, Log, LogOptions, NewEntry, Opened, Position, Route, StreamId, SyncSide,
};
use pagelog_segment::{Storage, file_name};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};

const SEGMENT_SIZE: u64 = 64 << 10;
const WINDOW: u64 = 32 << 10;
/// What is filled at a time, of so small a window.
const PIECE_SIZE: u64 = 4096;
/// Enough for three segments.
const APPENDS: usize = 180;
const LONG: Duration = Duration::from_secs(120);

fn open(storage: &MemoryStorage) -> (Arc<Log>, SyncSide, usize) {
    let route = Route::Staged {
        ring_size: 16 << 10,
    };
    let options = LogOptions {
        prewrite: WINDOW,
        ..LogOptions::new(SEGMENT_SIZE, route, 2048)
    };
    let mut found = 0;
    let Opened { log, sync, .. } = Log::open(Arc::new(storage.clone()), options, &mut |entry| {
        found += usize::from(entry.header.kind == Kind::Data);
        Ok(())
    })
    .unwrap();
    (log, sync, found)
}

fn append_synced(log: &Log, sync: &mut SyncSide) -> Position {
    let entry = NewEntry::record(&[7; 1024]);
    let stream = log.stream(StreamId(1));
    loop {
        match log.append(&stream, &entry) {
            Ok(appended) => {
                sync.write().unwrap();
                sync.sync().unwrap();
                return appended.end;
            }
            Err(AppendError::Busy(busy)) => log.wait_room(busy, LONG),
            Err(error) => panic!("{error}"),
        }
    }
}

/// How far the file that holds `end` was written, by anybody, as a position.
fn written(storage: &MemoryStorage, end: Position) -> u64 {
    let base = Position(end.0 / SEGMENT_SIZE * SEGMENT_SIZE);
    let file = storage.open(&file_name(base)).unwrap();
    base.0 + file.data_end().unwrap()
}

#[test]
fn blocks_are_written_ahead_all_along_the_log() {
    let storage = MemoryStorage::new(1);
    let (log, mut sync, _) = open(&storage);
    for number in 0..APPENDS {
        let end = append_synced(&log, &mut sync);
        let segment_end = (end.0 / SEGMENT_SIZE + 1) * SEGMENT_SIZE;
        let wanted = segment_end.min(end.0 + WINDOW - 2 * PIECE_SIZE);
        let deadline = Instant::now() + LONG;
        while written(&storage, end) < wanted {
            assert!(Instant::now() < deadline, "append {number}, at {end}");
            std::thread::yield_now();
        }
    }
    drop((log, sync));
    assert_eq!(open(&storage).2, APPENDS);
}

/// It is a service to those who append, and no business of theirs.
#[test]
fn a_disk_that_refuses_the_zeros_takes_the_entries() {
    for errno in [Errno::NOSPC, Errno::IO] {
        let storage = MemoryStorage::new(2);
        storage.inject(Fault::always(Operation::WriteZeros, 3, errno));
        let (log, mut sync, _) = open(&storage);
        for _ in 0..APPENDS {
            append_synced(&log, &mut sync);
        }
        assert!(log.failure().is_none());
        drop((log, sync));
        assert_eq!(open(&storage).2, APPENDS);
    }
}
