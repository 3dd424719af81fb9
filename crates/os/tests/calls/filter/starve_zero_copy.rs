//! A filter that starves sends without copying.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use pagelog_os::filter::starve_zero_copy;
use pagelog_os::send::{Piece, send_gather};
use pagelog_os::{Mapping, zero_copy};

#[test]
fn sends_without_copying_find_no_room_and_others_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut from = listener.accept().unwrap().0;
    let starved = std::thread::spawn(move || {
        starve_zero_copy().unwrap();
        let memory = Mapping::anonymous(10).unwrap();
        let error = zero_copy::send(to.as_fd(), &memory, 0..10).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOBUFS));
        let count = send_gather(to.as_fd(), &[Piece::Bytes(b"copied")], false);
        assert_eq!(count.unwrap(), 6);
    });
    starved.join().unwrap();
    let mut read = Vec::new();
    from.read_to_end(&mut read).unwrap();
    assert_eq!(read, b"copied");
}
