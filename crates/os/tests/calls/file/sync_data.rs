//! What was written on the disk: `fdatasync`.

use pagelog_os::{cache, file};

#[test]
fn what_was_synced_is_clean() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::write_at(&file, 0, &[1; 10_000]).unwrap();
    file::sync_data(&file).unwrap();
    if let Ok(counts) = cache::count_pages(&file, 0..10_000) {
        assert_eq!((counts.dirty, counts.write_back), (0, 0));
    }
    file::sync_data(&file).unwrap();
}

#[test]
fn what_has_no_disk_is_an_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let error = file::sync_data(&pipe).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}
