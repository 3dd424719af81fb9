//! The mark that has a file overwritten where it lies: `FS_IOC_SETFLAGS`.

use pagelog_os::file;

/// Whether an empty one takes it is up to the file system (a test of pagelog-segment makes one that does).
#[test]
fn a_file_that_holds_something_takes_no_mark_to_be_overwritten_in_place() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, 1 << 20).unwrap();
    assert!(!file::overwrite_in_place(&file));
}
