//! A file in memory, to be read alone: `mmap` with `PROT_READ`.

use pagelog_os::{Mapping, file};

use super::file_of::file_of;

#[test]
fn a_write_through_the_descriptor_is_the_mappings() {
    let file = file_of(10_000);
    let memory = Mapping::shared_read_only(&file, 10_000).unwrap();
    assert_eq!(file::write_at(&file, 4_094, b"seen").unwrap(), 4);
    let mut read = [0; 4];
    memory.copy_out(4_094, &mut read).unwrap();
    assert_eq!(&read, b"seen");
}

#[test]
#[should_panic(expected = "read-only")]
fn a_copy_into_a_read_only_mapping_panics() {
    let _ = Mapping::shared_read_only(&file_of(16), 16)
        .unwrap()
        .copy_in(0, &[0]);
}
