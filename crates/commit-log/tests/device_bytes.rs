//! What a synced append costs the device: counted by the kernel for this process, on a real directory. Alone in its file, because
//! the counter is the whole process's.
//!
//! A store through a mapping dirties the folio it falls in, and the sync writes all of it; with folios of megabytes an append of 1 KiB costs
//! half a megabyte of writes. The append mapping is advised so that folios stay small; this test holds it to that.

use std::path::Path;
use std::sync::Arc;

use pagelog_commit_log::{Log, LogOptions, NewEntry, Opened, Producer, Route, StreamId, SyncSide};
use pagelog_os::process::io_write_bytes;
use pagelog_segment::Directory;

const APPENDS: u64 = 300;
/// The header, the payload and the pages they straddle: two or three pages, and four with the file system's own.
const BYTES_PER_APPEND_MAX: u64 = 16 * 1024;

#[test]
fn a_synced_append_of_1_kib_writes_at_most_16_kib() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    if !counts_writes(directory.path()) {
        println!(
            "skipped: the file system of {} counts no writes",
            directory.path().display()
        );
        return;
    }
    for (name, route) in [
        ("staged", Route::Staged { ring_size: 1 << 20 }),
        ("mapped", Route::Mapped),
    ] {
        let bytes = bytes_per_append(&directory.path().join(name), route);
        println!("{name}: {bytes} device bytes a synced append of 1 KiB");
        assert!(
            (1024..=BYTES_PER_APPEND_MAX).contains(&bytes),
            "{name}: {bytes} bytes"
        );
    }
}

/// tmpfs and some overlays count nothing.
fn counts_writes(directory: &Path) -> bool {
    let before = io_write_bytes().unwrap();
    let path = directory.join("probe");
    std::fs::write(&path, vec![1; 64 * 1024]).unwrap();
    std::fs::File::open(&path).unwrap().sync_all().unwrap();
    io_write_bytes().unwrap() - before >= 64 * 1024
}

fn bytes_per_append(directory: &Path, route: Route) -> u64 {
    let options = LogOptions {
        segment_size: 16 << 20,
        route,
        payload_size_max: 4096,
    };
    let storage = Arc::new(Directory::open(directory).unwrap());
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    for _ in 0..20 {
        append_synced(&log, &mut sync);
    }
    let before = io_write_bytes().unwrap();
    for _ in 0..APPENDS {
        append_synced(&log, &mut sync);
    }
    (io_write_bytes().unwrap() - before) / APPENDS
}

fn append_synced(log: &Log, sync: &mut SyncSide) {
    let entry = NewEntry {
        count: 1,
        append_time_ms: 0,
        record_time_max_ms: 0,
        producer: Producer::NONE,
        head: &[],
        body: &[7; 1024],
        patch: |_, _| {},
    };
    let appended = log.append(&log.stream(StreamId(1)), &entry).unwrap();
    sync.write().unwrap();
    sync.sync().unwrap();
    assert!(log.durable().get() >= appended.end);
}
