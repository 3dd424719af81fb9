//! Pages out of a pipe: `splice`.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use pagelog_os::{Pipe, file};

use super::stored::stored;

#[test]
fn bytes_go_in_from_a_place_and_out_in_parts() {
    let file = stored(b"0123456789");
    let (to, mut from) = UnixStream::pair().unwrap();
    let mut pipe = Pipe::new(65_536).unwrap();
    assert_eq!(pipe.splice_in(file.as_fd(), Some(2), 100).unwrap(), 8);
    assert_eq!(pipe.filled(), 8);
    assert_eq!(pipe.splice_out(to.as_fd(), None, 3, true).unwrap(), 3);
    assert_eq!(pipe.splice_out(to.as_fd(), None, 100, false).unwrap(), 5);
    assert_eq!(pipe.filled(), 0);
    drop(to);
    let mut seen = Vec::new();
    from.read_to_end(&mut seen).unwrap();
    assert_eq!(seen, b"23456789");
}

#[test]
fn a_refused_way_out_leaves_the_bytes_in() {
    let file = stored(b"0123456789");
    let mut pipe = Pipe::new(65_536).unwrap();
    assert_eq!(pipe.splice_in(file.as_fd(), Some(0), 10).unwrap(), 10);
    let (reading, _to) = std::io::pipe().unwrap();
    assert!(pipe.splice_out(reading.as_fd(), None, 10, false).is_err());
    let mut read = [0; 20];
    assert_eq!((pipe.filled(), pipe.read(&mut read).unwrap()), (10, 10));
    assert_eq!(&read[..10], b"0123456789");
    assert_eq!(
        pipe.read(&mut read).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
}

#[test]
fn out_to_a_place_in_a_file() {
    let (from, to) = (stored(b"abcdef"), stored(b"0123456789"));
    let mut pipe = Pipe::new(65_536).unwrap();
    assert_eq!(pipe.splice_in(from.as_fd(), Some(1), 3).unwrap(), 3);
    assert_eq!(pipe.splice_in(from.as_fd(), Some(6), 3).unwrap(), 0);
    assert_eq!(pipe.splice_out(to.as_fd(), Some(4), 3, false).unwrap(), 3);
    let mut read = [0; 10];
    file::read_exact_at(&to, 0, &mut read).unwrap();
    assert_eq!(&read, b"0123bcd789");
}
