//! Receiving from a socket into a mapping, and how much of it waits.

use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use pagelog_os::receive::{Incoming, Seen, receive_into, set_low_water, waiting};
use pagelog_os::{Mapping, MemoryFault};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let from = listener.accept().unwrap().0;
    to.set_nodelay(true).unwrap();
    (to, from)
}

fn wait_for(from: &TcpStream, size: usize) {
    while waiting(from.as_fd()).unwrap() < size {
        std::thread::yield_now();
    }
}

fn is_readable(socket: &TcpStream) -> bool {
    let mut polled = [PollFd::new(socket, PollFlags::IN)];
    let no_time = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut polled, Some(&no_time)).unwrap() > 0
}

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

#[test]
fn below_the_low_water_mark_a_socket_is_not_readable() {
    let (mut to, from) = pair();
    assert_eq!(set_low_water(from.as_fd(), 1_000).unwrap(), 1_000);
    to.write_all(&[1; 999]).unwrap();
    wait_for(&from, 999);
    assert!(!is_readable(&from));
    to.write_all(&[1]).unwrap();
    wait_for(&from, 1_000);
    assert!(is_readable(&from));
    assert_eq!(set_low_water(from.as_fd(), 2_000).unwrap(), 2_000);
    assert!(!is_readable(&from));
    assert_eq!(set_low_water(from.as_fd(), 1).unwrap(), 1);
    assert!(is_readable(&from));
}

#[test]
fn a_mark_beyond_the_kernels_limit_is_told() {
    let (_to, from) = pair();
    assert!(set_low_water(from.as_fd(), usize::MAX).unwrap() < i32::MAX as usize);
}

#[test]
fn an_end_is_readable_below_the_mark() {
    let (mut to, from) = pair();
    set_low_water(from.as_fd(), 1_000).unwrap();
    to.write_all(&[1; 10]).unwrap();
    drop(to);
    while !is_readable(&from) {
        std::thread::yield_now();
    }
}
