//! A range of a file in one call: `sendfile`.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use pagelog_os::send::send_file;

use super::stored::{mapped, read_all};

#[test]
fn a_range_of_a_file_arrives() {
    let (to, from) = UnixStream::pair().unwrap();
    let stored = mapped(b"0123456789");
    assert_eq!(
        send_file(to.as_fd(), stored.file().as_fd(), 3, 4).unwrap(),
        4
    );
    assert_eq!(
        send_file(to.as_fd(), stored.file().as_fd(), 10, 4).unwrap(),
        0
    );
    assert_eq!(read_all(from, to), b"3456");
}

#[test]
fn a_full_socket_would_block_and_a_closed_peer_is_an_error() {
    let stored = mapped(&vec![7; 1 << 20]);
    let (to, from) = UnixStream::pair().unwrap();
    to.set_nonblocking(true).unwrap();
    let send = || send_file(to.as_fd(), stored.file().as_fd(), 0, 1 << 20);
    let error = loop {
        match send() {
            Ok(count) => assert!(count > 0),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    drop(from);
    // What the peer had not read may make it the one or the other.
    let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(gone.contains(&send().unwrap_err().kind()));
}
