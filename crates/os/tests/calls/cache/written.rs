//! A file that was written and not synced, and its counts where the kernel tells them.

use std::fs::File;

use pagelog_os::cache::{self, CountError, PageCounts};
use pagelog_os::{file, page_size};

pub(super) const PAGES: u64 = 64;

pub(super) fn written_file() -> (File, u64) {
    let size = PAGES * page_size() as u64;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(
        file::write_at(&file, 0, &vec![7; size as usize]).unwrap(),
        size as usize
    );
    (file, size)
}

pub(super) fn counts(file: &File, size: u64) -> Option<PageCounts> {
    match cache::count_pages(file, 0..size) {
        Ok(counts) => Some(counts),
        Err(CountError::Unsupported | CountError::Refused(_)) => None,
        Err(error) => panic!("{error}"),
    }
}
