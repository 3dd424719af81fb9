//! A file in memory: `mmap` with `MAP_SHARED`, and what a fault in it becomes.

use pagelog_os::{Mapping, MemoryFault, file, page_size};

use super::file_of::file_of;

#[test]
fn a_copy_into_a_shared_mapping_is_the_files() {
    let file = file_of(10_000);
    let memory = Mapping::shared(&file, 10_000).unwrap();
    memory.copy_in(9_990, b"tail bytes").unwrap();
    let mut read = [0; 10];
    file::read_exact_at(&file, 9_990, &mut read).unwrap();
    assert_eq!(&read, b"tail bytes");
}

#[test]
fn a_file_shorter_than_the_mapping_is_refused() {
    let error = Mapping::shared(&file_of(100), 101).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn a_truncated_file_is_a_fault_and_stays_one() {
    let size = 4 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    memory.copy_in(0, b"whole").unwrap();
    file.set_len(page_size() as u64).unwrap();

    let mut read = vec![0; page_size()];
    assert_eq!(
        memory.copy_out(2 * page_size(), &mut read),
        Err(MemoryFault)
    );
    assert_eq!(memory.copy_in(3 * page_size(), b"lost"), Err(MemoryFault));
    assert_eq!(memory.check_fault(), Err(MemoryFault));
    // Page 0 is still there, but nobody may rely on this mapping any more.
    assert_eq!(memory.copy_out(0, &mut read), Err(MemoryFault));
}

#[test]
fn a_fault_of_one_mapping_leaves_others_alone() {
    let size = 2 * page_size();
    let (cut, whole) = (file_of(size), file_of(size));
    let cut_memory = Mapping::shared(&cut, size).unwrap();
    let whole_memory = Mapping::shared(&whole, size).unwrap();
    cut.set_len(0).unwrap();
    assert_eq!(cut_memory.copy_in(0, b"lost"), Err(MemoryFault));
    whole_memory.copy_in(0, b"kept").unwrap();
}

#[test]
fn faults_on_many_threads_at_once_are_each_reported() {
    let size = 64 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let memory = &memory;
            scope.spawn(move || {
                for page in 0..64 {
                    let result = memory.copy_in(page * page_size() + 64 * thread, &[1; 64]);
                    assert_eq!(result, Err(MemoryFault));
                }
            });
        }
    });
}
