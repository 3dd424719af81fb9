//! Every target over random bytes: that the targets themselves work is seen without a fuzzer.

use pagelog_fuzz::{batch, bodies, checkpoint, entry, frames, front, index, recovery};
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
fn fronts_take_any_bytes() {
    smoke(front::check, 2_000);
}

/// Random bytes hardly ever are a front. These are, cut anywhere, in every version, and with one byte changed.
#[test]
fn fronts_say_what_the_whole_says() {
    let mut fronts = 0;
    for version in 0..16_u8 {
        let frame = frame_of(version);
        fronts += (0..=frame.len())
            .filter(|cut| front::check_frame(&frame, *cut))
            .count();
        for changed in 0..64_usize {
            for cut in 10..60_u16 {
                let mut bytes = vec![version];
                bytes.extend(cut.to_le_bytes());
                bytes.extend(front_of(version));
                if let Some(byte) = bytes[3..].get_mut(changed) {
                    *byte = byte.wrapping_add(1);
                }
                front::check(&bytes);
            }
        }
    }
    // In ten versions; each from where the records begin to the last of them.
    assert_eq!(fronts, 10 * 21);
}

fn frame_of(version: u8) -> Vec<u8> {
    let header = [0, 0, 0, version, 0, 0, 0, 7, 0xff, 0xff];
    [header.as_slice(), &front_of(version)].concat()
}

/// What follows the client's name in a request for one partition, with twenty bytes of records.
fn front_of(version: u8) -> Vec<u8> {
    let (acks, timeout, partition) = ([0, 1], [0, 0, 0, 9], [0, 0, 0, 2]);
    let records = [5; 20];
    let mut bytes = Vec::new();
    if version < 9 {
        bytes.extend([0xff, 0xff]);
        bytes.extend(acks);
        bytes.extend(timeout);
        bytes.extend([0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1]);
        bytes.extend(partition);
        bytes.extend([0, 0, 0, 20]);
        bytes.extend(records);
    } else {
        bytes.extend([0, 0]);
        bytes.extend(acks);
        bytes.extend(timeout);
        bytes.extend([2, 2, b't', 2]);
        bytes.extend(partition);
        bytes.push(21);
        bytes.extend(records);
        bytes.extend([0, 0, 0]);
    }
    bytes
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
