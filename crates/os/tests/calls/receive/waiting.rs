//! How much waits to be received: `FIONREAD`.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsFd;

use pagelog_os::receive::waiting;

use super::pair::{pair, wait_for};

#[test]
fn what_was_sent_waits() {
    let (mut to, from) = pair();
    assert_eq!(waiting(from.as_fd()).unwrap(), 0);
    to.write_all(&[1; 1_000]).unwrap();
    wait_for(&from, 1_000);
    assert_eq!(waiting(from.as_fd()).unwrap(), 1_000);
}

#[test]
fn a_socket_that_listens_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = waiting(listener.as_fd()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
}
