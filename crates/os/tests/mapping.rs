//! Copies in and out of mappings, and what a fault in one becomes.

use std::fs::File;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

use pagelog_os::{Mapping, MemoryFault, file, page_size};
use proptest::prelude::*;

fn file_of(size: u64) -> File {
    let file = tempfile::tempfile().unwrap();
    file::allocate(&file, size).unwrap();
    file
}

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
fn a_write_through_the_descriptor_is_the_mappings() {
    let file = file_of(10_000);
    let memory = Mapping::shared_read_only(&file, 10_000).unwrap();
    assert_eq!(file::write_at(&file, 4_094, b"seen").unwrap(), 4);
    let mut read = [0; 4];
    memory.copy_out(4_094, &mut read).unwrap();
    assert_eq!(&read, b"seen");
}

#[test]
fn a_copy_into_a_private_mapping_never_reaches_the_file() {
    let file = file_of(10_000);
    let memory = Mapping::private(&file, 10_000).unwrap();
    memory.copy_in(5_000, b"own").unwrap();
    let mut read = [1; 3];
    memory.copy_out(5_000, &mut read).unwrap();
    assert_eq!(&read, b"own");
    file::read_exact_at(&file, 5_000, &mut read).unwrap();
    assert_eq!(read, [0; 3]);
}

#[test]
fn a_private_mapping_needs_a_file_open_for_reading_alone() {
    let place = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(place.path(), b"some bytes").unwrap();
    let file = File::open(place.path()).unwrap();
    let memory = Mapping::private(&file, 10).unwrap();
    memory.copy_in(0, b"more").unwrap();
    Mapping::private(&file, 11).unwrap_err();
    Mapping::shared(&file, 10).unwrap_err();
}

#[test]
fn a_truncated_file_is_a_fault_of_a_private_mapping_too() {
    let file = file_of(10_000);
    let memory = Mapping::private(&file, 10_000).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(memory.copy_in(9_000, b"lost"), Err(MemoryFault));
}

#[test]
fn shared_anonymous_memory_begins_as_zeros_and_keeps_what_is_copied_in() {
    let memory = Mapping::anonymous_shared(10_000).unwrap();
    memory.copy_in(9_000, b"kept").unwrap();
    let mut read = vec![1; 10_000];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(&read[9_000..9_004], b"kept");
    assert!(read[..9_000].iter().all(|byte| *byte == 0));
    assert_eq!(Mapping::anonymous_shared(0).unwrap().size(), 0);
}

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

#[test]
fn a_file_shorter_than_the_mapping_is_refused() {
    let error = Mapping::shared(&file_of(100), 101).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
#[should_panic(expected = "9 bytes at 8 of a mapping of 16")]
fn a_copy_past_the_end_panics() {
    let _ = Mapping::anonymous(16).unwrap().copy_in(8, &[0; 9]);
}

#[test]
#[should_panic(expected = "read-only")]
fn a_copy_into_a_read_only_mapping_panics() {
    let _ = Mapping::shared_read_only(&file_of(16), 16)
        .unwrap()
        .copy_in(0, &[0]);
}

#[test]
fn a_truncated_file_is_a_fault_and_stays_one() {
    let size = 4 * page_size();
    let file = file_of(size as u64);
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

/// Long copies out are one instruction, which is in the midst of its work when the page is missing.
#[test]
fn a_long_copy_that_runs_into_a_lost_page_is_a_fault() {
    let size = 2 * page_size();
    let file = file_of(size as u64);
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
        let file = file_of(size as u64);
        let memory = Mapping::shared(&file, size).unwrap();
        file.set_len(page_size() as u64).unwrap();
        assert_eq!(copy_in(&memory, 3, &vec![1; size - 3]), Err(MemoryFault));
        let mut read = vec![0; page_size() - 3];
        file::read_exact_at(&file, 3, &mut read).unwrap();
        assert!(read.iter().all(|byte| *byte == 1));
    }
}

#[test]
#[should_panic(expected = "1000 bytes at 25 of a mapping of 1024")]
fn a_copy_past_the_caches_and_the_end_panics() {
    let memory = Mapping::anonymous(1024).unwrap();
    let _ = memory.copy_in_past_caches(25, &[0; 1000]);
}

/// Whoever sees a mark that was stored behind a copy sees the copy, whatever way it took.
#[test]
fn a_copy_past_the_caches_is_seen_before_what_is_stored_later() {
    const ROUNDS: usize = 2_000;
    const SIZE: usize = 1_000;
    let memory = Mapping::anonymous(ROUNDS * SIZE).unwrap();
    let done = AtomicUsize::new(0);
    let bytes_of = |round: usize| [round as u8 | 1; SIZE];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                memory
                    .copy_in_past_caches(round * SIZE, &bytes_of(round))
                    .unwrap();
                done.store(round + 1, Release);
            }
        });
        let mut read = [0; SIZE];
        for round in 0..ROUNDS {
            while done.load(Acquire) <= round {
                std::thread::yield_now();
            }
            memory.copy_out(round * SIZE, &mut read).unwrap();
            assert_eq!(read, bytes_of(round));
        }
    });
}

#[test]
fn a_fault_of_one_mapping_leaves_others_alone() {
    let size = 2 * page_size();
    let (cut, whole) = (file_of(size as u64), file_of(size as u64));
    let cut_memory = Mapping::shared(&cut, size).unwrap();
    let whole_memory = Mapping::shared(&whole, size).unwrap();
    cut.set_len(0).unwrap();
    assert_eq!(cut_memory.copy_in(0, b"lost"), Err(MemoryFault));
    whole_memory.copy_in(0, b"kept").unwrap();
}

#[test]
fn faults_on_many_threads_at_once_are_each_reported() {
    let size = 64 * page_size();
    let file = file_of(size as u64);
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
