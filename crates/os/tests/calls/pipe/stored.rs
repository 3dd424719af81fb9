//! A file with some bytes.

use pagelog_os::file;

pub(super) fn stored(bytes: &[u8]) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&file, 0, bytes).unwrap(), bytes.len());
    file
}
