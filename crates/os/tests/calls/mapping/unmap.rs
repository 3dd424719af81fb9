//! Memory given back at once: `munmap`.

use pagelog_os::{Mapping, file};

#[test]
fn unmapped_memory_is_gone_at_once_and_a_files_bytes_are_not() {
    let count_of = |name: &str| {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().filter(|line| line.contains(name)).count()
    };
    let place = tempfile::NamedTempFile::new().unwrap();
    let name = place.path().to_str().unwrap();
    let file = place.reopen().unwrap();
    file.set_len(10_000).unwrap();
    let memory = Mapping::shared(&file, 10_000).unwrap();
    memory.copy_in(0, b"stays").unwrap();
    assert_eq!(count_of(name), 1);
    memory.unmap().unwrap();
    assert_eq!(count_of(name), 0);
    let mut read = [0; 5];
    file::read_exact_at(&file, 0, &mut read).unwrap();
    assert_eq!(&read, b"stays");
    Mapping::anonymous(0).unwrap().unmap().unwrap();
}
