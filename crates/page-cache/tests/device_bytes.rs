//! What a small store costs the disk at the next sync, after each way of warming up.
//!
//! The process's own counter (`write_bytes`) counts the bytes of every folio that a store makes dirty, when it
//! does; on file systems with large folios that is up to two megabytes for a kilobyte, unless they were avoided.

use std::fs::File;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use pagelog_os::probe::{FileSystem, Overwrite};
use pagelog_os::process::io_write_bytes;
use pagelog_os::{Mapping, Populate, Touch, file, page_size};
use pagelog_page_cache::{Means, State, Target, WarmOptions, Warmer, let_go};

const SIZE: u64 = 8 << 20;
const APPENDS: u64 = 200;
const ENTRY: usize = 1_024;
/// The most that a synced append may write, on average.
const BYTES_MAX: u64 = 16 << 10;

/// A file that is new: its blocks were never written.
fn new() -> File {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, SIZE).unwrap();
    file::sync_data(&file).unwrap();
    file
}

/// A file that was written before, by large writes, and lies in memory as these left it.
fn used() -> File {
    let file = new();
    let bytes = vec![1; 1 << 20];
    for at in (0..SIZE).step_by(1 << 20) {
        assert_eq!(file::write_at(&file, at, &bytes).unwrap(), 1 << 20);
    }
    file::sync_data(&file).unwrap();
    file
}

/// The file system of the tests' files. Where it writes elsewhere than before (Btrfs), a sync also writes where the
/// blocks now lie, which no warm-up can lessen: the figures are shown and not judged.
fn found() -> FileSystem {
    FileSystem::probe(env!("CARGO_TARGET_TMPDIR").as_ref()).unwrap()
}

fn map(file: &File) -> Arc<Mapping> {
    Arc::new(Mapping::shared(file, SIZE as usize).unwrap())
}

fn warm(target: Target) {
    let options = WarmOptions {
        flush_every: NonZeroU64::new(1 << 20),
        ..WarmOptions::whole(0..SIZE)
    };
    let warmer = Warmer::start(target, options, |_| ()).unwrap();
    assert_eq!(
        warmer.wait(SIZE, Duration::from_secs(120)).state,
        State::Done
    );
}

/// The device bytes of a synced append of 1 KiB, on average.
fn bytes_per_append(file: &File, memory: &Mapping) -> u64 {
    let before = io_write_bytes().unwrap();
    for append in 0..APPENDS {
        memory
            .copy_in(append as usize * ENTRY, &[2; ENTRY])
            .unwrap();
        file::sync_data(file).unwrap();
    }
    (io_write_bytes().unwrap() - before) / APPENDS
}

fn check(what: &str, file: &File, memory: &Mapping) {
    let bytes = bytes_per_append(file, memory);
    println!("{what}: {bytes} bytes of device writes a synced append of {ENTRY}");
    if found().overwrite == Overwrite::InPlace {
        assert!(bytes <= BYTES_MAX, "{what}: {bytes} bytes a synced append");
    }
}

/// One test, because the counter is the whole process's.
#[test]
fn a_synced_append_after_any_warm_up_writes_a_few_pages() {
    for means in [Means::Populate(Populate::Write), Means::Touch(Touch::Store)] {
        let file = new();
        let memory = map(&file);
        warm(Target::memory(Arc::clone(&memory), means));
        check(&format!("new, {means:?}"), &file, &memory);

        let file = used();
        let_go(&file, 0..SIZE).unwrap();
        let memory = map(&file);
        warm(Target::file_and_memory(
            file.try_clone().unwrap(),
            Arc::clone(&memory),
            means,
        ));
        check(&format!("used before, {means:?}"), &file, &memory);
    }

    // That the counter sees it: the same without letting go, where this file system has large folios.
    let dirties = found().store_dirties;
    let file = used();
    let bytes = bytes_per_append(&file, &map(&file));
    println!("used before, not let go, not warmed: {bytes} bytes a synced append");
    if dirties.is_some_and(|dirties| dirties >= 16 * page_size() as u64) {
        assert!(bytes > 4 * BYTES_MAX, "{bytes} bytes a synced append");
    }
}
