//! Every page made ready in one call: `MADV_POPULATE_READ` and `_WRITE`.

use pagelog_os::{Advice, Mapping, Populate, PopulateError, page_size};

use super::file_of::file_of;

#[test]
fn populated_pages_are_resident() {
    let size = 5 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    memory.advise(0..size, Advice::Random).unwrap();
    memory.populate(0..size, Populate::Write).unwrap();
    assert_eq!(memory.resident_pages(0..size).unwrap(), 5);
    memory.populate(0..size, Populate::Read).unwrap();
}

#[test]
fn populating_what_the_file_does_not_have_is_an_error_and_no_signal() {
    let size = 2 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    match memory.populate(0..size, Populate::Write).unwrap_err() {
        PopulateError::Io(error) => assert_eq!(error.raw_os_error(), Some(libc::EFAULT)),
        PopulateError::Unsupported => {}
    }
}

#[test]
#[should_panic(expected = "read-only")]
fn a_read_only_mapping_is_not_populated_for_writing() {
    let file = file_of(100);
    let memory = Mapping::shared_read_only(&file, 100).unwrap();
    let _ = memory.populate(0..100, Populate::Write);
}
