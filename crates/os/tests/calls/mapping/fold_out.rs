//! Folding, beside the same by plain arithmetic.

use pagelog_os::{FOLD_SIZE, Mapping, MemoryFault, can_fold, file};
use proptest::prelude::*;

/// The plain way.
fn fold(bytes: &[u8], multipliers: [u64; 2], state: &mut [u8; FOLD_SIZE]) {
    for (number, block) in bytes.chunks_exact(FOLD_SIZE).enumerate() {
        for (run, bytes) in state.chunks_exact_mut(16).zip(block.chunks_exact(16)) {
            let old = u128::from_le_bytes(run.try_into().unwrap());
            let moved = match number {
                0 => old,
                _ => {
                    product(old as u64, multipliers[0])
                        ^ product((old >> 64) as u64, multipliers[1])
                }
            };
            let sum = moved ^ u128::from_le_bytes(bytes.try_into().unwrap());
            run.copy_from_slice(&sum.to_le_bytes());
        }
    }
}

fn product(a: u64, b: u64) -> u128 {
    let bits = (0..u64::BITS).filter(|bit| b & (1 << bit) != 0);
    bits.fold(0, |product, bit| product ^ (u128::from(a) << bit))
}

/// Says so where there is nothing to test.
fn cannot() -> bool {
    if !can_fold() {
        eprintln!("skipped: this processor has no instructions to fold by");
    }
    !can_fold()
}

proptest! {
    #[test]
    fn it_is_as_the_plain_way(
        bytes in prop::collection::vec(any::<u8>(), 0..12 * FOLD_SIZE),
        shift in 0usize..100,
        multipliers: [u64; 2],
        state: [u8; 32],
    ) {
        if cannot() {
            return Ok(());
        }
        let memory = Mapping::anonymous(shift + bytes.len()).unwrap();
        memory.copy_in(shift, &bytes).unwrap();
        let begin: [u8; FOLD_SIZE] = std::array::from_fn(|at| state[at % 32] ^ at as u8);
        let (mut plain, mut folded) = (begin, begin);
        let count = bytes.len() / FOLD_SIZE;
        fold(&bytes, multipliers, &mut plain);
        memory.fold_out(shift, count, multipliers, &mut folded).unwrap();
        prop_assert_eq!(plain, folded);
    }
}

#[test]
fn a_page_that_is_gone_is_an_error() {
    if cannot() {
        return;
    }
    let size = 4 * pagelog_os::page_size();
    let file = tempfile::tempfile().unwrap();
    file::allocate(&file, size as u64).unwrap();
    let memory = Mapping::shared(&file, size).unwrap();
    let mut state = [0; FOLD_SIZE];
    memory
        .fold_out(0, size / FOLD_SIZE, [1, 1], &mut state)
        .unwrap();
    file.set_len(0).unwrap();
    let folded = memory.fold_out(0, size / FOLD_SIZE, [1, 1], &mut state);
    assert_eq!(folded, Err(MemoryFault));
}

#[test]
#[should_panic(expected = "of a mapping of")]
fn a_range_outside_is_refused() {
    assert!(!cannot(), "nothing of a mapping of some processors");
    let memory = Mapping::anonymous(2 * FOLD_SIZE).unwrap();
    let _ = memory.fold_out(1, 2, [1, 1], &mut [0; FOLD_SIZE]);
}
