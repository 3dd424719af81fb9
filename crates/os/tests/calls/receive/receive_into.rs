//! Receiving into a mapping: `recvmsg`.

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use pagelog_os::receive::{receive_into, waiting};
use pagelog_os::{Mapping, MemoryFault};

use super::pair::{is_readable, pair, wait_for};

#[test]
fn fills_the_range_and_then_what_lies_behind() {
    let (mut to, from) = pair();
    let memory = Mapping::anonymous(64).unwrap();
    to.write_all(b"0123456789ab").unwrap();
    wait_for(&from, 12);
    let mut behind = [b'.'; 4];
    let count = receive_into(from.as_fd(), &memory, 5..15, &mut behind).unwrap();
    assert_eq!((count, &behind), (12, b"ab.."));
    let mut read = [0; 16];
    memory.copy_out(0, &mut read).unwrap();
    assert_eq!(&read, b"\0\0\0\0\x000123456789\0");
    assert_eq!(waiting(from.as_fd()).unwrap(), 0);
}

#[test]
fn nothing_waits_then_the_end() {
    let (to, from) = pair();
    let memory = Mapping::anonymous(64).unwrap();
    let nothing = receive_into(from.as_fd(), &memory, 0..8, &mut []).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    drop(to);
    while !is_readable(&from) {
        std::thread::yield_now();
    }
    assert_eq!(
        receive_into(from.as_fd(), &memory, 0..8, &mut []).unwrap(),
        0
    );
}

#[test]
fn a_page_that_is_not_there_is_a_fault() {
    let (mut to, from) = pair();
    let file = tempfile::tempfile().unwrap();
    let page_size = pagelog_os::page_size();
    file.set_len(2 * page_size as u64).unwrap();
    let memory = Mapping::shared(&file, 2 * page_size).unwrap();
    file.set_len(0).unwrap();
    to.write_all(b"lost").unwrap();
    wait_for(&from, 4);
    let fault = receive_into(from.as_fd(), &memory, page_size..page_size + 4, &mut []);
    let fault = fault.unwrap_err();
    let inner = fault.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(inner, Some(&MemoryFault));
}

#[test]
#[should_panic(expected = "read-only")]
fn a_read_only_mapping_is_not_received_into() {
    let (_to, from) = pair();
    let file = tempfile::tempfile().unwrap();
    file.set_len(4096).unwrap();
    let memory = Mapping::shared_read_only(&file, 4096).unwrap();
    let _ = receive_into(from.as_fd(), &memory, 0..8, &mut []);
}
