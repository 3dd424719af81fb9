//! What is said of a file's range: `posix_fadvise`.

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{Mapping, page_size};

#[test]
fn every_advice_is_taken_for_any_range() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::write_at(&file, 0, &[1; 100]).unwrap();
    for advice in [
        FileAdvice::Sequential,
        FileAdvice::Random,
        FileAdvice::WillNeed,
        FileAdvice::DontNeed,
        FileAdvice::Normal,
    ] {
        file::advise(&file, 0..100, advice).unwrap();
        file::advise(&file, 10..10, advice).unwrap();
    }
}

#[test]
fn whole_clean_pages_are_let_go_and_an_empty_range_is_none() {
    let size = 4 * page_size();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(file::write_at(&file, 0, &vec![1; size]).unwrap(), size);
    file::sync_data(&file).unwrap();
    let memory = Mapping::shared_read_only(&file, size).unwrap();
    file::advise(&file, 7..7, FileAdvice::DontNeed).unwrap();
    assert_eq!(memory.resident_pages(0..size).unwrap(), 4);
    file::advise(&file, 0..size as u64, FileAdvice::DontNeed).unwrap();
    assert_eq!(memory.resident_pages(0..size).unwrap(), 0);
}

#[test]
fn what_has_no_places_is_an_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let error = file::advise(&pipe, 0..100, FileAdvice::WillNeed).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
}
