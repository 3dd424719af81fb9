//! A file in memory of one's own: `mmap` with `MAP_PRIVATE`.

use std::fs::File;

use pagelog_os::{Mapping, MemoryFault, file};

use super::file_of::file_of;

#[test]
fn a_copy_into_a_private_mapping_never_reaches_the_file() {
    let file = file_of(10_000);
    let memory = Mapping::private(&file, 10_000).unwrap();
    memory.copy_in(5_000, b"own").unwrap();
    let mut read = [1; 3];
    memory.copy_out(5_000, &mut read).unwrap();
    assert_eq!(&read, b"own");
    file::read_exact_at(&file, 5_000, &mut read).unwrap();
    assert_eq!(read, [0; 3]);
}

#[test]
fn a_private_mapping_needs_a_file_open_for_reading_alone() {
    let place = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(place.path(), b"some bytes").unwrap();
    let file = File::open(place.path()).unwrap();
    let memory = Mapping::private(&file, 10).unwrap();
    memory.copy_in(0, b"more").unwrap();
    Mapping::private(&file, 11).unwrap_err();
    Mapping::shared(&file, 10).unwrap_err();
}

#[test]
fn a_truncated_file_is_a_fault_of_a_private_mapping_too() {
    let file = file_of(10_000);
    let memory = Mapping::private(&file, 10_000).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(memory.copy_in(9_000, b"lost"), Err(MemoryFault));
}
