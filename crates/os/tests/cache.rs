//! What the page cache holds of a file.
//!
//! On a kernel without `cachestat` the counts are not looked at, and the refusal must be the named one.

use std::fs::File;
use std::time::{Duration, Instant};

use pagelog_os::cache::{self, CountError, PageCounts, WriteBack};
use pagelog_os::file::{self, FileAdvice};
use pagelog_os::page_size;

const PAGES: u64 = 64;

fn written_file() -> (File, u64) {
    let size = PAGES * page_size() as u64;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(
        file::write_at(&file, 0, &vec![7; size as usize]).unwrap(),
        size as usize
    );
    (file, size)
}

fn counts(file: &File, size: u64) -> Option<PageCounts> {
    match cache::count_pages(file, 0..size) {
        Ok(counts) => Some(counts),
        Err(CountError::Unsupported | CountError::Refused(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn pages_are_dirty_then_clean_then_gone() {
    let (file, size) = written_file();
    if let Some(counts) = counts(&file, size) {
        assert_eq!(counts.resident, PAGES);
        assert_eq!(counts.dirty.max(counts.write_back), PAGES);
    }
    file::sync_data(&file).unwrap();
    if let Some(counts) = counts(&file, size) {
        assert_eq!(
            (counts.resident, counts.dirty, counts.write_back),
            (PAGES, 0, 0)
        );
    }
    file::advise(&file, 0..size, FileAdvice::DontNeed).unwrap();
    if let Some(counts) = counts(&file, size) {
        assert_eq!(counts.resident, 0);
        // Let go on demand is not let go for want of memory, but the kernel may remember either.
        assert!(counts.recently_evicted <= counts.evicted && counts.evicted <= PAGES);
    }
}

#[test]
fn an_empty_range_counts_nothing() {
    let (file, _) = written_file();
    assert_eq!(
        cache::count_pages(&file, 5..5).unwrap(),
        PageCounts::default()
    );
    #[expect(clippy::reversed_empty_ranges, reason = "it counts as empty")]
    let reversed = 6..5;
    assert_eq!(
        cache::count_pages(&file, reversed).unwrap(),
        PageCounts::default()
    );
}

#[test]
fn what_has_no_pages_is_a_named_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    match cache::count_pages(&pipe, 0..100) {
        // An inode without pages of its own.
        Ok(counts) => assert_eq!(counts, PageCounts::default()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    cache::read_ahead(&pipe, 0..100).unwrap_err();
    cache::write_back(&pipe, 0..100, WriteBack::Wait).unwrap_err();
}

#[test]
fn what_was_read_ahead_becomes_resident() {
    let (file, size) = written_file();
    file::sync_data(&file).unwrap();
    file::advise(&file, 0..size, FileAdvice::DontNeed).unwrap();
    cache::read_ahead(&file, 0..size).unwrap();
    let memory = pagelog_os::Mapping::shared(&file, size as usize).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !memory.is_loaded(0..size as usize).unwrap() {
        assert!(Instant::now() < deadline, "read ahead never arrived");
        std::thread::yield_now();
    }
    cache::read_ahead(&file, 0..0).unwrap();
}

#[test]
fn written_back_pages_are_clean() {
    let (file, size) = written_file();
    cache::write_back(&file, 0..size / 2, WriteBack::Start).unwrap();
    cache::write_back(&file, 0..size, WriteBack::Wait).unwrap();
    if let Some(counts) = counts(&file, size) {
        assert_eq!((counts.dirty, counts.write_back), (0, 0));
    }
    cache::write_back(&file, 9..9, WriteBack::Wait).unwrap();
}

#[test]
fn a_place_beyond_any_file_is_an_error() {
    let (file, _) = written_file();
    let beyond = u64::MAX - 1..u64::MAX;
    cache::read_ahead(&file, beyond.clone()).unwrap_err();
    cache::write_back(&file, beyond, WriteBack::Start).unwrap_err();
}
