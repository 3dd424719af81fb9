//! What a synced append costs the device: counted by the kernel for this process, on a real directory. Alone in its file, because
//! the counter is the whole process's.
//!
//! A store through a mapping dirties the folio it falls in, and the sync writes all of it. Where the pages came in by writes of 1 MiB or by
//! read-ahead, that is up to a megabyte for an append of 1 KiB, and the counter shows it. So opening, allocating and mapping a log must leave
//! small folios where appends go; this test holds them to that, for a new log and for one whose pages were read from the disk again.

use std::path::Path;
use std::sync::Arc;

use pagelog_commit_log::{Log, LogOptions, NewEntry, Opened, Producer, Route, StreamId, SyncSide};
use pagelog_os::file::{FileAdvice, advise};
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
        let log = directory.path().join(name);
        for state in ["new", "opened again, cold"] {
            let bytes = bytes_per_append(&log, route);
            println!("{name}, {state}: {bytes} device bytes a synced append of 1 KiB");
            assert!(
                (1024..=BYTES_PER_APPEND_MAX).contains(&bytes),
                "{name}, {state}: {bytes} bytes"
            );
            let_go(&log);
        }
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
    let options = LogOptions::new(16 << 20, route, 4096);
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

/// Drops the files' pages, so that the next opening reads them from the disk, with the kernel's read-ahead and its large folios.
fn let_go(log: &Path) {
    for entry in std::fs::read_dir(log).unwrap() {
        let file = std::fs::File::open(entry.unwrap().path()).unwrap();
        file.sync_all().unwrap();
        advise(
            &file,
            0..file.metadata().unwrap().len(),
            FileAdvice::DontNeed,
        )
        .unwrap();
    }
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
