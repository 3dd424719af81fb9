//! Bytes out of a pipe, by a copy: `read`.

use std::io::ErrorKind;
use std::os::fd::AsFd;

use pagelog_os::Pipe;

use super::stored::stored;

#[test]
fn bytes_come_out_in_parts_and_an_empty_pipe_would_block() {
    let file = stored(b"0123456789");
    let mut pipe = Pipe::new(65_536).unwrap();
    assert_eq!(pipe.splice_in(file.as_fd(), Some(0), 10).unwrap(), 10);
    let mut read = [0; 6];
    assert_eq!((pipe.read(&mut read).unwrap(), pipe.filled()), (6, 4));
    assert_eq!(&read, b"012345");
    assert_eq!((pipe.read(&mut read).unwrap(), pipe.filled()), (4, 0));
    let error = pipe.read(&mut read).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}
