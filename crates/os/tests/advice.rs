//! Advice and populate, and what a synced store writes when the mapping was advised first.

use std::fs::File;

use pagelog_os::probe::{FileSystem, Overwrite};
use pagelog_os::process::io_write_bytes;
use pagelog_os::{Advice, Mapping, Populate, PopulateError, file, page_size};

/// A file on the disk that holds the build, not on a `tmpfs`.
fn file_of(size: usize) -> File {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size as u64).unwrap();
    file
}

#[test]
fn every_advice_is_taken_for_any_range() {
    let size = 3 * page_size() + 100;
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    for advice in [
        Advice::Random,
        Advice::Sequential,
        Advice::WillNeed,
        Advice::Normal,
    ] {
        memory.advise(0..size, advice).unwrap();
        memory.advise(5..size - 5, advice).unwrap();
        memory.advise(7..7, advice).unwrap();
    }
}

#[test]
#[should_panic(expected = "mapping of 100")]
fn advice_outside_the_mapping_panics() {
    let _ = Mapping::anonymous(100)
        .unwrap()
        .advise(50..101, Advice::Normal);
}

#[test]
fn dropped_pages_are_zeros_and_their_neighbours_stay() {
    let page = page_size();
    let memory = Mapping::anonymous(3 * page).unwrap();
    memory.copy_in(0, &vec![9; 3 * page]).unwrap();
    memory
        .advise(page - 1..2 * page + 1, Advice::DontNeed)
        .unwrap();

    let mut read = vec![0; 3 * page];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(read[..page], vec![9; page]);
    assert_eq!(read[page..2 * page], vec![0; page]);
    assert_eq!(read[2 * page..], vec![9; page]);
}

#[test]
fn dropped_pages_of_a_file_keep_their_bytes() {
    let file = file_of(page_size());
    let memory = Mapping::shared(&file, page_size()).unwrap();
    memory.copy_in(10, b"stays").unwrap();
    memory.advise(0..page_size(), Advice::DontNeed).unwrap();
    let mut read = [0; 5];
    memory.copy_out(10, &mut read).unwrap();
    assert_eq!(&read, b"stays");
}

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

/// Large folios would make each sync write up to two megabytes; see the design of the append path.
#[test]
fn a_synced_store_after_random_advice_dirties_few_pages() {
    const SYNCS: u64 = 64;
    let size = 4 << 20;
    let file = file_of(size);
    file.sync_all().unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    memory.advise(0..size, Advice::Random).unwrap();

    let before = io_write_bytes().unwrap();
    for entry in 0..SYNCS {
        memory.copy_in(entry as usize * 1_024, &[1; 1_024]).unwrap();
        file::sync_data(&file).unwrap();
    }
    let written_per_sync = (io_write_bytes().unwrap() - before) / SYNCS;
    let directory = env!("CARGO_TARGET_TMPDIR").as_ref();
    if FileSystem::probe(directory).unwrap().overwrite != Overwrite::InPlace {
        // Each sync writes where the blocks now lie, too, and that is not this advice's to lessen.
        return;
    }
    // The neighbouring tests of this process dirty a few pages in the meantime.
    assert!(
        written_per_sync <= 32 << 10,
        "{written_per_sync} bytes a sync"
    );
}
