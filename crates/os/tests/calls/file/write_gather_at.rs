//! Writing ranges of a mapping in one call: `pwritev`.

use std::io::ErrorKind;

use pagelog_os::{Mapping, MemoryFault, file};

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
fn a_mapping_that_has_faulted_is_not_written() {
    let (lost, whole) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    lost.set_len(100).unwrap();
    let memory = Mapping::shared(&lost, 100).unwrap();
    lost.set_len(0).unwrap();
    assert_eq!(memory.copy_out(0, &mut [0]), Err(MemoryFault));
    let error = file::write_gather_at(&whole, 0, &memory, &[0..1, 1..2]).unwrap_err();
    assert!(
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<MemoryFault>())
    );
    assert_eq!(whole.metadata().unwrap().len(), 0);
}
