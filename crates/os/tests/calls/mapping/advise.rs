//! What is said of a mapping: `madvise`.

use pagelog_os::{Advice, Mapping, page_size};

use super::file_of::file_of;

#[test]
fn every_advice_is_taken_for_any_range() {
    let size = 3 * page_size() + 100;
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    for advice in [
        Advice::Random,
        Advice::Sequential,
        Advice::WillNeed,
        Advice::Normal,
    ] {
        memory.advise(0..size, advice).unwrap();
        memory.advise(5..size - 5, advice).unwrap();
        memory.advise(7..7, advice).unwrap();
    }
}

#[test]
#[should_panic(expected = "mapping of 100")]
fn advice_outside_the_mapping_panics() {
    let _ = Mapping::anonymous(100)
        .unwrap()
        .advise(50..101, Advice::Normal);
}

#[test]
fn dropped_pages_are_zeros_and_their_neighbours_stay() {
    let page = page_size();
    let memory = Mapping::anonymous(3 * page).unwrap();
    memory.copy_in(0, &vec![9; 3 * page]).unwrap();
    memory
        .advise(page - 1..2 * page + 1, Advice::DontNeed)
        .unwrap();

    let mut read = vec![0; 3 * page];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(read[..page], vec![9; page]);
    assert_eq!(read[page..2 * page], vec![0; page]);
    assert_eq!(read[2 * page..], vec![9; page]);
}

#[test]
fn dropped_pages_of_a_file_keep_their_bytes() {
    let file = file_of(page_size());
    let memory = Mapping::shared(&file, page_size()).unwrap();
    memory.copy_in(10, b"stays").unwrap();
    memory.advise(0..page_size(), Advice::DontNeed).unwrap();
    let mut read = [0; 5];
    memory.copy_out(10, &mut read).unwrap();
    assert_eq!(&read, b"stays");
}
