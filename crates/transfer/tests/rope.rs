//! Joining and slicing ropes against the same done with plain bytes.

use std::io::Write;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_transfer::{Piece, Region, Rope};
use proptest::prelude::*;

const FILE_SIZE: usize = 4_096;

fn file(seed: u8) -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..FILE_SIZE)
        .map(|at| (at as u8).wrapping_mul(7).wrapping_add(seed))
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    (Arc::new(MappedFile::new(file).unwrap()), bytes)
}

#[test]
fn neighbouring_regions_of_one_file_become_one_run() {
    let (one, bytes) = file(1);
    let (other, _) = file(2);
    let mut rope = Rope::new();
    rope.push_region(Region::new(Arc::clone(&one), 100, 50));
    rope.push_region(Region::new(Arc::clone(&one), 150, 0));
    rope.push_region(Region::new(Arc::clone(&one), 150, 10));
    assert_eq!(rope.pieces().len(), 1);
    assert_eq!(rope.read_all().unwrap(), bytes[100..160]);

    rope.push_region(Region::new(other, 160, 10));
    assert_eq!(rope.pieces().len(), 2);
    rope.push_region(Region::new(one, 160, 10));
    assert_eq!(rope.pieces().len(), 3);
    assert_eq!(rope.len(), 80);
}

#[test]
fn a_region_keeps_what_its_file_was_given_to_keep() {
    let lease = Arc::new("somebody's place");
    let file = MappedFile::new(tempfile::tempfile().unwrap()).unwrap();
    let file = Arc::new(file.keeping(Arc::clone(&lease)).keeping(Arc::clone(&lease)));
    let rope = Rope::from(Region::new(file, 0, 10));
    let part = rope.slice(3..4);
    drop(rope);
    assert_eq!(Arc::strong_count(&lease), 3);
    drop(part);
    assert_eq!(Arc::strong_count(&lease), 1);
}

/// A rope is made by one thread and sent by another.
#[test]
fn ropes_and_their_senders_go_from_thread_to_thread() {
    const fn go_from_thread_to_thread<T: Send>() {}
    const {
        go_from_thread_to_thread::<Rope>();
        go_from_thread_to_thread::<Region>();
        go_from_thread_to_thread::<pagelog_transfer::Sender>();
        go_from_thread_to_thread::<pagelog_transfer::Paths>();
        go_from_thread_to_thread::<pagelog_transfer::Cold>();
    }
    let rope = Rope::from(b"made here".to_vec());
    let read = std::thread::spawn(move || rope.read_all().unwrap());
    assert_eq!(read.join().unwrap(), b"made here");
}

#[test]
fn a_region_keeps_its_file_and_only_bytes_count_as_owned() {
    let (file, bytes) = file(3);
    let weak = Arc::downgrade(&file);
    let mut rope = Rope::from(vec![9; 10]);
    rope.push_region(Region::new(file, 0, 5));
    assert_eq!((rope.len(), rope.owned_size()), (15, 10));
    assert_eq!(rope.clone().read_all().unwrap()[10..], bytes[..5]);
    assert!(weak.upgrade().is_some());
    drop(rope);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_region_past_the_end_is_an_error_to_read() {
    let (file, _) = file(4);
    let rope = Rope::from(Region::new(file, FILE_SIZE as u64 - 1, 2));
    assert_eq!(
        rope.read_all().unwrap_err().kind(),
        std::io::ErrorKind::UnexpectedEof
    );
}

proptest! {
    #[test]
    fn slices_and_joins_equal_those_of_plain_bytes(
        pieces in prop::collection::vec((any::<bool>(), 0..FILE_SIZE, 0..300usize), 0..12),
        cut in (0.0..=1.0, 0.0..=1.0),
    ) {
        let (file, bytes) = file(5);
        let (mut rope, mut plain) = (Rope::new(), Vec::new());
        for (owned, at, size) in pieces {
            let range = at..(at + size).min(FILE_SIZE);
            plain.extend_from_slice(&bytes[range.clone()]);
            if owned {
                rope.push_bytes(bytes[range].to_vec());
            } else {
                rope.push_region(Region::new(Arc::clone(&file), range.start as u64, range.len() as u64));
            }
        }
        prop_assert_eq!(rope.len(), plain.len() as u64);
        prop_assert_eq!(&rope.read_all().unwrap(), &plain);
        prop_assert!(rope.pieces().iter().all(|piece: &Piece| piece.size() > 0));

        let ends = [cut.0, cut.1].map(|part: f64| (plain.len() as f64 * part) as usize);
        let (from, to) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let middle = rope.slice(from as u64..to as u64);
        prop_assert_eq!(&middle.read_all().unwrap(), &plain[from..to]);

        let mut joined = rope.slice(0..from as u64);
        joined.append(middle);
        joined.append(rope.slice(to as u64..rope.len()));
        prop_assert_eq!(joined.len(), rope.len());
        prop_assert_eq!(&joined.read_all().unwrap(), &plain);
    }
}
