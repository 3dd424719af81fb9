//! How much is to wait before a socket is readable: `SO_RCVLOWAT`.

use std::io::Write;
use std::os::fd::AsFd;

use pagelog_os::receive::set_low_water;

use super::pair::{is_readable, pair, wait_for};

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
