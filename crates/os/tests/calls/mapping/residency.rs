//! Resident pages one by one: `mincore`.

use pagelog_os::{Mapping, page_size};

use super::small_pages::small_pages;

#[test]
fn each_page_is_told_by_the_lowest_bit() {
    small_pages();
    let page = page_size();
    let memory = Mapping::anonymous(4 * page).unwrap();
    memory.copy_in(page, &[1]).unwrap();
    memory.copy_in(3 * page, &[1]).unwrap();
    let mut pages = vec![9; 100];
    memory.residency(0..4 * page, &mut pages).unwrap();
    let bits: Vec<u8> = pages.iter().map(|page| page & 1).collect();
    assert_eq!(bits, [0, 1, 0, 1]);
    memory.residency(page - 1..page + 1, &mut pages).unwrap();
    assert_eq!(pages.len(), 2);
    memory.residency(5..5, &mut pages).unwrap();
    assert!(pages.is_empty());
}

#[test]
#[should_panic(expected = "of a mapping of 100")]
fn a_range_outside_panics() {
    let memory = Mapping::anonymous(100).unwrap();
    let _ = memory.residency(0..101, &mut Vec::new());
}
