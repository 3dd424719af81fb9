//! Allocation, gathered writes, holes, locks.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

use pagelog_os::file::{self, FileAdvice, LockError};
use pagelog_os::{Mapping, page_size};

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

/// Whether an empty one takes it is up to the file system (a test of pagelog-segment makes one that does).
#[test]
fn a_file_that_holds_something_takes_no_mark_to_be_overwritten_in_place() {
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, 1 << 20).unwrap();
    assert!(!file::overwrite_in_place(&file));
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

#[test]
fn a_read_at_the_end_gives_nothing_and_an_exact_one_fails() {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&file, 3, b"abc").unwrap(), 3);
    let mut read = [0; 4];
    assert_eq!(file::read_at(&file, 4, &mut read).unwrap(), 2);
    assert_eq!(file::read_at(&file, 6, &mut read).unwrap(), 0);
    let error = file::read_exact_at(&file, 4, &mut read).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn ranges_of_memory_are_gathered_in_order() {
    let file = tempfile::tempfile().unwrap();
    let memory = Mapping::anonymous(100).unwrap();
    memory.copy_in(0, b"0123456789").unwrap();
    let count = file::write_gather_at(&file, 2, &memory, &[7..10, 0..0, 0..4]).unwrap();
    assert_eq!(count, 7);
    let mut read = [1; 9];
    file::read_exact_at(&file, 0, &mut read).unwrap();
    assert_eq!(&read, b"\0\x007890123");
}

#[test]
fn more_ranges_than_one_call_takes_are_written_in_part() {
    let file = tempfile::tempfile().unwrap();
    let memory = Mapping::anonymous(2_000).unwrap();
    let ranges: Vec<_> = (0..2_000).map(|at| at..at + 1).collect();
    assert_eq!(
        file::write_gather_at(&file, 0, &memory, &ranges).unwrap(),
        1_024
    );
}

#[test]
fn a_place_beyond_any_file_is_an_error() {
    let file = tempfile::tempfile().unwrap();
    let memory = Mapping::anonymous(8).unwrap();
    let error = file::write_gather_at(&file, u64::MAX, &memory, &[0..4, 4..8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn data_ends_where_nothing_was_written_behind() {
    let page = page_size() as u64;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, 1_000 * page).unwrap();
    assert_eq!(file::data_end(&file).unwrap(), 0);
    for at in [3, 50 * page] {
        assert_eq!(file::write_at(&file, at, b"data").unwrap(), 4);
        let end = file::data_end(&file).unwrap();
        assert!(
            end >= at + 4 && end <= 100 * page,
            "{end} after a write at {at}"
        );
    }
    file::write_at(&file, 1_000 * page - 1, b"!").unwrap();
    assert_eq!(file::data_end(&file).unwrap(), 1_000 * page);
}

#[test]
fn a_lock_is_held_against_a_second_open_until_it_is_closed() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let first = place.reopen().unwrap();
    let second = place.reopen().unwrap();
    file::lock_exclusive(&first).unwrap();
    assert!(matches!(
        file::lock_exclusive(&second),
        Err(LockError::Held)
    ));
    let owners = file::lock_owners(&second).unwrap();
    assert!(
        owners
            .iter()
            .any(|owner| owner.process == std::process::id()),
        "{owners:?}"
    );
    drop(first);
    file::lock_exclusive(&second).unwrap();
}

#[test]
fn a_file_that_nobody_has_locked_has_no_owner() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let owners = file::lock_owners(place.as_file()).unwrap();
    assert!(owners.iter().all(|owner| !owner.same_device), "{owners:?}");
}

#[test]
fn syncs_and_advice_are_taken() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = tempfile::tempfile_in(place.path()).unwrap();
    file::write_at(&file, 0, &[1; 100]).unwrap();
    file::sync_data(&file).unwrap();
    file::sync_directory(place.path()).unwrap();
    file::sync_directory(&place.path().join("absent")).unwrap_err();
    for advice in [
        FileAdvice::Sequential,
        FileAdvice::Random,
        FileAdvice::WillNeed,
    ] {
        file::advise(&file, 0..100, advice).unwrap();
        file::advise(&file, 10..10, advice).unwrap();
    }
    file::advise(&file, 0..100, FileAdvice::Normal).unwrap();
}
