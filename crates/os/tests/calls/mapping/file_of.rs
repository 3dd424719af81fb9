//! A file with blocks, on the disk that holds the build and not on a `tmpfs`.

use std::fs::File;

use pagelog_os::file;

pub(super) fn file_of(size: usize) -> File {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size as u64).unwrap();
    file
}
