//! Many pieces in one call: `sendmsg`.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use pagelog_os::Mapping;
use pagelog_os::send::{Piece, send_gather};

use super::stored::{mapped, read_all};

#[test]
fn pieces_arrive_in_order() {
    let (to, from) = UnixStream::pair().unwrap();
    let stored = mapped(b"0123456789");
    let pieces = [
        Piece::Bytes(b"head "),
        Piece::Mapped(stored.mapping(), 2..5),
        Piece::Mapped(stored.mapping(), 9..10),
        Piece::Bytes(b" tail"),
    ];
    let size: usize = pieces.iter().map(Piece::size).sum();
    assert_eq!(send_gather(to.as_fd(), &pieces, false).unwrap(), size);
    assert_eq!(read_all(from, to), b"head 2349 tail");
}

#[test]
fn more_pieces_than_one_call_takes_are_sent_in_part() {
    let (to, from) = UnixStream::pair().unwrap();
    let memory = Mapping::anonymous(2_000).unwrap();
    let pieces: Vec<_> = (0..2_000)
        .map(|at| Piece::Mapped(&memory, at..at + 1))
        .collect();
    assert_eq!(send_gather(to.as_fd(), &pieces, true).unwrap(), 1_024);
    assert_eq!(read_all(from, to).len(), 1_024);
}

#[test]
fn a_full_socket_would_block_although_it_is_a_blocking_one() {
    let (to, _from) = UnixStream::pair().unwrap();
    let bytes = vec![7; 1 << 20];
    let error = loop {
        match send_gather(to.as_fd(), &[Piece::Bytes(&bytes)], false) {
            Ok(count) => assert!(count > 0),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_closed_peer_is_an_error_and_no_signal() {
    let (to, from) = UnixStream::pair().unwrap();
    drop(from);
    let error = send_gather(to.as_fd(), &[Piece::Bytes(b"lost")], false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn a_mapping_that_has_faulted_is_not_sent() {
    let (to, _from) = UnixStream::pair().unwrap();
    let stored = mapped(&[1; 100]);
    stored.file().set_len(0).unwrap();
    stored.mapping().copy_out(0, &mut [0]).unwrap_err();
    send_gather(
        to.as_fd(),
        &[Piece::Mapped(stored.mapping(), 0..100)],
        false,
    )
    .unwrap_err();
}

#[test]
fn a_page_that_cannot_be_had_is_an_error_of_the_send() {
    let (to, _from) = UnixStream::pair().unwrap();
    let stored = mapped(&[1; 100]);
    stored.file().set_len(0).unwrap();
    let pieces = [Piece::Mapped(stored.mapping(), 0..100)];
    let error = send_gather(to.as_fd(), &pieces, false).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
}
