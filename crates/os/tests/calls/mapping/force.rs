//! Writing a mapping to its file's disk.

use pagelog_os::{Force, Mapping, MemoryFault, cache, file, page_size};

#[test]
fn forced_pages_are_clean() {
    let page = page_size();
    let size = 4 * page;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size as u64).unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    memory.advise(0..size, pagelog_os::Advice::Random).unwrap();
    memory.copy_in(0, b"first").unwrap();
    memory.copy_in(3 * page, b"last").unwrap();

    memory.force(10..20, Force::Async).unwrap();
    memory.force(10..20, Force::Sync).unwrap();
    if let Ok(counts) = cache::count_pages(&file, 0..size as u64) {
        assert_eq!(counts.resident, 2);
        // The other page stays dirty, where the file system does not write the whole file at once.
        assert!(counts.dirty <= 1, "{counts:?}");
    }
    memory.force(0..size, Force::Sync).unwrap();
    if let Ok(counts) = cache::count_pages(&file, 0..size as u64) {
        assert_eq!((counts.dirty, counts.write_back), (0, 0));
    }
    memory.force(7..7, Force::Sync).unwrap();
}

#[test]
fn memory_without_a_file_has_nothing_to_force() {
    let memory = Mapping::anonymous(100).unwrap();
    memory.force(0..100, Force::Sync).unwrap();
}

#[test]
fn a_mapping_that_has_faulted_is_not_forced_as_if_it_were_whole() {
    let size = 2 * page_size();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file::allocate(&file, size as u64).unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    memory.copy_in(0, b"lost").unwrap_err();
    let error = memory.force(0..size, Force::Sync).unwrap_err();
    assert!(
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<MemoryFault>())
    );
}

#[test]
#[should_panic(expected = "of a mapping of 100")]
fn a_range_outside_panics() {
    let _ = Mapping::anonymous(100).unwrap().force(0..101, Force::Async);
}
