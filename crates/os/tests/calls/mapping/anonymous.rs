//! Memory of this process alone: `mmap` with `MAP_ANONYMOUS`.

use pagelog_os::Mapping;

#[test]
fn anonymous_memory_begins_as_zeros() {
    let memory = Mapping::anonymous(10_000).unwrap();
    let mut read = vec![1; 10_000];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(read, vec![0; 10_000]);
}

#[test]
fn an_empty_mapping_takes_empty_copies() {
    let memory = Mapping::anonymous(0).unwrap();
    memory.copy_in(0, &[]).unwrap();
    memory.copy_out(0, &mut []).unwrap();
    assert_eq!(memory.size(), 0);
}
