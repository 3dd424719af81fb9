//! The names of a directory on the disk: `fsync` of it.

use std::io::ErrorKind;

use pagelog_os::file;

#[test]
fn a_directory_is_synced_and_one_that_is_not_there_is_an_error() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::write(place.path().join("name"), b"").unwrap();
    file::sync_directory(place.path()).unwrap();
    let error = file::sync_directory(&place.path().join("absent")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
