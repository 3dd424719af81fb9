//! Copies in and out, of any bytes and by many threads.

use pagelog_os::{Mapping, MemoryFault, file, page_size};
use proptest::prelude::*;

use super::file_of::file_of;

#[test]
#[should_panic(expected = "9 bytes at 8 of a mapping of 16")]
fn a_copy_past_the_end_panics() {
    let _ = Mapping::anonymous(16).unwrap().copy_in(8, &[0; 9]);
}

/// Long copies out are one instruction, which is in the midst of its work when the page is missing.
#[test]
fn a_long_copy_that_runs_into_a_lost_page_is_a_fault() {
    let size = 2 * page_size();
    let file = file_of(size);
    let memory = Mapping::shared(&file, size).unwrap();
    memory.copy_in(0, &vec![1; size]).unwrap();
    file.set_len(page_size() as u64).unwrap();
    let mut read = vec![0; size - 3];
    assert_eq!(memory.copy_out(3, &mut read), Err(MemoryFault));
    assert!(read[..page_size() - 3].iter().all(|byte| *byte == 1));
}

/// So are those in, which are several.
#[test]
fn a_long_copy_into_a_lost_page_is_a_fault() {
    for copy_in in [Mapping::copy_in, Mapping::copy_in_past_caches] {
        let size = 2 * page_size();
        let file = file_of(size);
        let memory = Mapping::shared(&file, size).unwrap();
        file.set_len(page_size() as u64).unwrap();
        assert_eq!(copy_in(&memory, 3, &vec![1; size - 3]), Err(MemoryFault));
        let mut read = vec![0; page_size() - 3];
        file::read_exact_at(&file, 3, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 1));
    }
}

#[test]
fn threads_that_share_words_keep_each_others_bytes() {
    let memory = Mapping::anonymous(5 * 1_000).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..5_u8 {
            let memory = &memory;
            scope.spawn(move || {
                for place in (usize::from(thread)..5_000).step_by(5) {
                    memory.copy_in(place, &[thread + 1]).unwrap();
                }
            });
        }
    });
    let mut read = vec![0; 5_000];
    memory.copy_out(0, &mut read).unwrap();
    assert!(
        read.iter()
            .zip((1..=5).cycle())
            .all(|(found, wanted)| *found == wanted)
    );
}

proptest! {
    #[test]
    fn any_copies_equal_copies_of_plain_bytes(
        copies in prop::collection::vec((0_usize..600, prop::collection::vec(any::<u8>(), 0..900), any::<bool>()), 1..12),
        from in 0_usize..700, size in prop_oneof![0_usize..100, 500_usize..1_300],
    ) {
        let memory = Mapping::anonymous(2_000).unwrap();
        let mut model = vec![0; 2_000];
        for (at, bytes, past_caches) in &copies {
            match past_caches {
                true => memory.copy_in_past_caches(*at, bytes).unwrap(),
                false => memory.copy_in(*at, bytes).unwrap(),
            }
            model[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let mut read = vec![0; size];
        memory.copy_out(from, &mut read).unwrap();
        prop_assert_eq!(&read, &model[from..from + size]);
        let mut read = vec![0; 2_000];
        memory.copy_out(0, &mut read).unwrap();
        prop_assert_eq!(read, model);
    }
}
