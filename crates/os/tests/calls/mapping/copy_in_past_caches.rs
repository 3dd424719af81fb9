//! Copies past the processor's caches.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Acquire, Release};

use pagelog_os::Mapping;

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
