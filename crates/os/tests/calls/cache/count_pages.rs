//! What the page cache holds of a file: `cachestat`.
//!
//! On a kernel without it the counts are not looked at, and the refusal must be the named one.

use std::fs::File;

use pagelog_os::cache::{self, PageCounts};
use pagelog_os::file::{self, FileAdvice};

use super::written::{PAGES, counts, written_file};

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
fn what_has_no_pages_has_none_or_is_a_named_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    match cache::count_pages(&pipe, 0..100) {
        // An inode without pages of its own.
        Ok(counts) => assert_eq!(counts, PageCounts::default()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
