//! The switch of a socket: `SO_ZEROCOPY`.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use pagelog_os::zero_copy::{self, EnableError};

use super::pair::pair;

#[test]
fn a_socket_of_another_kind_refuses() {
    let (to, _from) = UnixStream::pair().unwrap();
    let refused = zero_copy::enable(to.as_fd()).unwrap_err();
    assert!(matches!(refused, EnableError::Socket), "{refused}");
}

#[test]
fn a_socket_takes_it_more_than_once() {
    let (to, _from) = pair();
    zero_copy::enable(to.as_fd()).unwrap();
    zero_copy::enable(to.as_fd()).unwrap();
}
