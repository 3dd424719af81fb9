//! What a synced append costs the device: counted by the kernel for this process, on a real directory. Alone in its file, because
//! the counter is the whole process's.
//!
//! A store through a mapping dirties the folio it falls in, and the sync writes all of it. Where the pages came in by writes of 1 MiB or by
//! read-ahead, that is up to a megabyte for an append of 1 KiB, and the counter shows it. So opening, allocating and mapping a log must leave
//! small folios where appends go; this test holds them to that, for a new log and for one whose pages were read from the disk again.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_commit_log::{
    Log, LogOptions, NewEntry, Opened, Position, Route, StreamId, SyncSide, Warm,
};
use pagelog_os::file::{FileAdvice, advise};
use pagelog_os::process::io_write_bytes;
use pagelog_page_cache::State;
use pagelog_segment::Directory;

const SEGMENT_SIZE: u64 = 4 << 20;
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
        ("staged", Route::Staged { ring_size: 4 << 20 }),
        ("mapped", Route::Mapped),
    ] {
        let log = directory.path().join(name);
        for state in [
            "new",
            "opened again, cold",
            "warmed and pinned",
            "used again",
        ] {
            let bytes = bytes_per_append(&log, route, state);
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

fn bytes_per_append(directory: &Path, route: Route, state: &str) -> u64 {
    let warm = Warm {
        window: None,
        bytes_per_second: None,
        flush_every: NonZeroU64::new(1 << 20),
        pin_window: 32 << 10,
        pin_max: 64 << 10,
    };
    let options = LogOptions {
        spares_max: 2,
        prewrite: 64 << 10,
        warm: (route == Route::Mapped && state != "new").then_some(warm),
        ..LogOptions::new(SEGMENT_SIZE, route, 1 << 20)
    };
    let storage = Arc::new(Directory::open(directory).unwrap());
    let Opened { log, mut sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    if state == "used again" {
        recycle(&log, &mut sync);
    }
    wait_until("warm", || {
        log.warm_up().iter().all(|one| one.state == State::Done)
    });
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

/// Fills segments and removes them until one is begun in a file that was used before.
fn recycle(log: &Log, sync: &mut SyncSide) {
    let mut spare = false;
    loop {
        wait_until("two segments ready", || log.segments_ready() == 2);
        let before = log.appended().0 / SEGMENT_SIZE;
        while log.appended().0 / SEGMENT_SIZE == before {
            append(log, &[7; 1 << 20]);
            sync.write().unwrap();
        }
        sync.sync().unwrap();
        // Three segments on, those that were ready when there was a spare are used up.
        if spare && before >= 6 {
            return;
        }
        let stream = log.stream(StreamId(1));
        log.set_start(&stream, stream.next_offset());
        while let Some(front) = log.front() {
            if log.remove_front(&front).is_err() {
                break;
            }
        }
        spare |= log.segments_spare() > 0;
    }
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn append_synced(log: &Log, sync: &mut SyncSide) {
    let end = append(log, &[7; 1024]);
    sync.write().unwrap();
    sync.sync().unwrap();
    assert!(log.durable().get() >= end);
}

fn append(log: &Log, body: &[u8]) -> Position {
    let entry = NewEntry::record(body);
    let stream = log.stream(StreamId(1));
    let appended = log.append(&stream, &entry).unwrap();
    appended.end
}
