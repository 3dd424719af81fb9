//! Counting resident pages: `mincore`.

use pagelog_os::file::FileAdvice;
use pagelog_os::{Mapping, file, page_size};

use super::small_pages::small_pages;

#[test]
fn only_touched_pages_of_anonymous_memory_are_resident() {
    small_pages();
    let page = page_size();
    let memory = Mapping::anonymous(8 * page).unwrap();
    assert_eq!(memory.resident_pages(0..8 * page).unwrap(), 0);
    memory.copy_in(3 * page, &[1]).unwrap();
    assert_eq!(memory.resident_pages(0..8 * page).unwrap(), 1);
    assert_eq!(
        memory.resident_pages(3 * page + 5..3 * page + 6).unwrap(),
        1
    );
    assert_eq!(memory.resident_pages(0..3 * page).unwrap(), 0);
    assert_eq!(memory.resident_pages(0..0).unwrap(), 0);
}

#[test]
fn ranges_beyond_one_call_are_counted_in_parts() {
    small_pages();
    let page = page_size();
    let memory = Mapping::anonymous(40_000 * page).unwrap();
    for index in [0, 16_383, 16_384, 39_999] {
        memory.copy_in(index * page, &[1]).unwrap();
    }
    assert_eq!(memory.resident_pages(0..40_000 * page).unwrap(), 4);
    assert_eq!(
        memory.resident_pages(39_999 * page..40_000 * page).unwrap(),
        1
    );
}

#[test]
fn pages_of_a_file_that_were_let_go_are_not_resident() {
    let page = page_size();
    let size = 16 * page;
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert_eq!(file::write_at(&file, 0, &vec![1; size]).unwrap(), size);
    file::sync_data(&file).unwrap();
    let memory = Mapping::shared_read_only(&file, size).unwrap();
    assert_eq!(memory.resident_pages(0..size).unwrap(), 16);

    file::advise(&file, 0..size as u64, FileAdvice::DontNeed).unwrap();
    assert_eq!(memory.resident_pages(0..size).unwrap(), 0);
    memory.copy_out(0, &mut [0]).unwrap();
    assert!(memory.resident_pages(0..size).unwrap() >= 1);
}
