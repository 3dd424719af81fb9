//! Every target over random bytes: that the targets themselves work is seen without a fuzzer.

use pagelog_fuzz::{batch, bodies, checkpoint, entry, frames, index, recovery};
use pagelog_testing::{Random, seed};

/// Runs `target` over random inputs, most of them full of small numbers, which are lengths and counts that can be true.
fn smoke(target: fn(&[u8]), rounds: usize) {
    let mut random = Random::new(seed(0xf022));
    for _ in 0..rounds {
        let mut bytes = vec![0; random.below(600)];
        random.fill(&mut bytes);
        if !random.one_in(4) {
            bytes.iter_mut().for_each(|byte| *byte %= 5);
        }
        target(&bytes);
    }
}

#[test]
fn frames_take_any_bytes() {
    smoke(frames::check, 2_000);
}

#[test]
fn requests_take_any_bytes() {
    smoke(bodies::check_request, 2_000);
}

#[test]
fn responses_take_any_bytes() {
    smoke(bodies::check_response, 2_000);
}

#[test]
fn batches_take_any_bytes() {
    smoke(batch::check, 2_000);
}

#[test]
fn entries_take_any_bytes() {
    smoke(entry::check, 2_000);
}

#[test]
fn checkpoints_take_any_change() {
    smoke(checkpoint::check, 50);
}

#[test]
fn indexes_take_any_bytes() {
    smoke(index::check, 1_000);
}

#[test]
fn logs_take_any_change() {
    smoke(recovery::check, 50);
}
