//! Bringing pages in by use.

use pagelog_os::{Mapping, MemoryFault, Touch, page_size};

use super::file_of::file_of;
use super::small_pages::small_pages;

#[test]
fn touched_pages_are_resident_and_only_those() {
    small_pages();
    let page = page_size();
    let memory = Mapping::anonymous(8 * page).unwrap();
    memory.touch(page + 1..3 * page + 1, Touch::Store).unwrap();
    assert_eq!(memory.resident_pages(0..8 * page).unwrap(), 3);
    memory.touch(5..5, Touch::Store).unwrap();
    memory.touch(8 * page - 1..8 * page, Touch::Store).unwrap();
    assert_eq!(memory.resident_pages(0..8 * page).unwrap(), 4);
}

#[test]
fn a_store_keeps_what_the_page_holds_and_what_others_store_meanwhile() {
    let page = page_size();
    let memory = Mapping::anonymous(4 * page).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2_000 {
                memory.touch(0..4 * page, Touch::Store).unwrap();
            }
        });
        for count in 0..2_000_u32 {
            let bytes = count.to_le_bytes();
            memory.copy_in(2 * page + 2, &bytes).unwrap();
            let mut read = [0; 4];
            memory.copy_out(2 * page + 2, &mut read).unwrap();
            assert_eq!(read, bytes);
        }
    });
}

#[test]
fn loads_and_stores_touch_a_file_of_any_size() {
    let size = 3 * page_size() + 5;
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    memory.touch(0..size, Touch::Load).unwrap();
    memory.touch(0..size, Touch::Store).unwrap();
    assert!(memory.is_loaded(0..size).unwrap());
    Mapping::anonymous(0)
        .unwrap()
        .touch(0..0, Touch::Store)
        .unwrap();
}

#[test]
fn a_page_that_the_file_does_not_have_is_a_fault() {
    let size = 2 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(memory.touch(0..size, Touch::Load), Err(MemoryFault));
}

#[test]
#[should_panic(expected = "read-only")]
fn a_store_into_a_read_only_mapping_panics() {
    let file = file_of(100);
    let memory = Mapping::shared_read_only(&file, 100).unwrap();
    let _ = memory.touch(0..100, Touch::Store);
}
