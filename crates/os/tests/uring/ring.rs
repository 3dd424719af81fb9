//! A ring, where it is allowed: a refusal at the set-up is a result like any other, and ends a test.

use std::net::{TcpListener, TcpStream};

use pagelog_os::uring::{Ring, RingError};
use pagelog_os::{MappedFile, file};

/// `None` where the kernel or a filter refuses.
pub(super) fn ring() -> Option<Ring> {
    match Ring::new() {
        Ok(ring) => Some(ring),
        Err(RingError::Unsupported | RingError::Refused(_)) => None,
        Err(RingError::Io(error)) => panic!("{error}"),
    }
}

pub(super) fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    to.set_nonblocking(true).unwrap();
    (to, listener.accept().unwrap().0)
}

pub(super) fn stored(size: usize) -> (MappedFile, Vec<u8>) {
    let bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    let stored = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&stored, 0, &bytes).unwrap(), size);
    (MappedFile::new(stored).unwrap(), bytes)
}
