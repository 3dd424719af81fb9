//! What the way of an entry takes from the heap once the log has run for a while: nothing. Alone in its file, because it counts.

use std::sync::Arc;

use pagelog_commit_log::{
    IndexWork, Log, LogOptions, NewEntry, Opened, Route, Stream, StreamId, SyncSide,
};
use pagelog_os::{Allocations, CountingAllocator};
use pagelog_segment::Directory;

#[global_allocator]
static COUNTING: CountingAllocator = CountingAllocator;

const PAYLOAD: [u8; 100] = [7; 100];
/// Appended before each write and sync.
const BATCH: usize = 50;
/// So little that what memory holds is written into a file every few batches.
const INDEX_MEMORY: usize = 16 << 10;

fn append(log: &Log, stream: &Stream) {
    let entry = NewEntry {
        head: &PAYLOAD[..10],
        ..NewEntry::record(&PAYLOAD[10..])
    };
    log.append(stream, &entry).unwrap();
}

/// Appends, writes and syncs `batches` times, with the work of the index between, and counts what all of it but that has allocated.
fn allocations(log: &Log, sync: &mut SyncSide, streams: &[Arc<Stream>], batches: usize) -> u64 {
    let mut count = 0;
    for _ in 0..batches {
        let before = Allocations::of_this_thread();
        for number in 0..BATCH {
            append(log, &streams[number % streams.len()]);
        }
        sync.write().unwrap();
        sync.sync().unwrap();
        count += Allocations::of_this_thread().since(before).count;
        while log.index_next().unwrap() != IndexWork::Nothing {}
    }
    count
}

fn check(route: Route) {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(Directory::open(directory.path()).unwrap());
    // One segment holds all of it: a roll allocates, once a gigabyte.
    let options = LogOptions::new(16 << 20, route, 1 << 16);
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    log.set_index_memory(INDEX_MEMORY);
    let streams: Vec<Arc<Stream>> = (1..=5).map(|id| log.stream(StreamId(id))).collect();
    let first = allocations(&log, &mut sync, &streams, 100);
    assert!(first > 0, "nothing is counted: the test proves nothing");
    let later = allocations(&log, &mut sync, &streams, 300);
    assert_eq!(later, 0, "allocations of {} appends", 300 * BATCH);
}

#[test]
fn a_staged_append_allocates_nothing() {
    check(Route::Staged { ring_size: 1 << 20 });
}

#[test]
fn a_mapped_append_allocates_nothing() {
    check(Route::Mapped);
}

/// The bytes that stay taken after `count` streams got an entry each, and files tell where these lie.
fn held_by_streams(count: u32) -> u64 {
    let directory = tempfile::tempdir().unwrap();
    let storage = Arc::new(Directory::open(directory.path()).unwrap());
    let options = LogOptions::new(16 << 20, Route::Mapped, 1 << 16);
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    let before = Allocations::of_this_thread();
    for id in 1..=count {
        append(&log, &log.stream(StreamId(id)));
    }
    sync.sync().unwrap();
    // What is kept for entries to come goes too.
    log.set_index_memory(0);
    log.index_all().unwrap();
    let taken = Allocations::of_this_thread().since(before);
    taken.taken_bytes - taken.returned_bytes
}

#[test]
fn a_stream_takes_no_more_than_300_bytes() {
    const COUNT: u32 = 20_000;
    let held = held_by_streams(COUNT) / u64::from(COUNT);
    assert!((1..=300).contains(&held), "{held} bytes a stream");
}
