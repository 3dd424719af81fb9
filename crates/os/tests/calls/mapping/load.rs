//! Bringing every page in, and asking whether it is: `load` and `is_loaded`.

use pagelog_os::{Mapping, file, page_size};

use super::file_of::file_of;

#[test]
fn loaded_is_every_page_or_nothing() {
    let page = page_size();
    let size = 16 * page;
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    memory.load(0..size).unwrap();
    assert!(memory.is_loaded(0..size).unwrap());
    assert!(memory.is_loaded(3..3).unwrap());

    drop(memory);
    file::sync_data(&file).unwrap();
    file::advise(&file, 0..size as u64, file::FileAdvice::DontNeed).unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    assert!(!memory.is_loaded(0..size).unwrap());
}

#[test]
fn loading_what_the_file_does_not_have_is_an_error() {
    let size = 2 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    memory.load(0..size).unwrap_err();
}
