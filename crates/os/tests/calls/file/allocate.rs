//! Blocks for a file: `fallocate`.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use pagelog_os::file;

#[test]
fn allocated_bytes_have_blocks_and_read_as_zeros() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, 1 << 20).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!(metadata.len(), 1 << 20);
    assert!(metadata.blocks() * 512 >= 1 << 20);
    let mut read = [1; 100];
    file::read_exact_at(&file, 1 << 19, &mut read).unwrap();
    assert_eq!(read, [0; 100]);
}

#[test]
fn more_than_the_disk_has_is_refused() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let error = file::allocate(&file, 1 << 62).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::FileTooLarge
        ),
        "{error}"
    );
}
