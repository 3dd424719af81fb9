//! What was looked at is taken out by the call that receives what lies behind.

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use pagelog_os::Mapping;
use pagelog_os::receive::{Incoming, SEEN_SIZE_MAX, Seen};

use super::pair::{is_readable, pair, wait_for};

#[test]
fn what_was_seen_is_passed_over() {
    let (mut to, from) = pair();
    let memory = Mapping::anonymous(64).unwrap();
    let mut seen = Seen::new(from.as_fd(), 5);
    // Less than was looked at comes first, which only a test can do.
    to.write_all(b"see").unwrap();
    wait_for(&from, 3);
    let nothing = seen.receive_into(&memory, 0..7, &mut []).unwrap_err();
    assert_eq!((nothing.kind(), seen.left()), (ErrorKind::WouldBlock, 2));
    to.write_all(b"n:012345678").unwrap();
    wait_for(&from, 11);
    let mut behind = [b'.'; 4];
    let count = seen.receive_into(&memory, 0..7, &mut behind).unwrap();
    assert_eq!((count, &behind, seen.left()), (9, b"78..", 0));
    to.write_all(b"more").unwrap();
    wait_for(&from, 4);
    assert_eq!(seen.receive_into(&memory, 7..20, &mut behind).unwrap(), 4);
    let mut read = [0; 12];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(&read, b"0123456more\0");
    let mut seen = Seen::new(from.as_fd(), 5);
    drop(to);
    while !is_readable(&from) {
        std::thread::yield_now();
    }
    assert_eq!(seen.receive_into(&memory, 0..7, &mut behind).unwrap(), 0);
}

#[test]
#[should_panic(expected = "513 bytes")]
fn more_than_is_kept_room_for_panics() {
    let (_to, from) = pair();
    let _ = Seen::new(from.as_fd(), SEEN_SIZE_MAX + 1);
}
