//! Pages into a pipe: `splice`.

use std::io::ErrorKind;
use std::os::fd::AsFd;

use pagelog_os::Pipe;

use super::stored::stored;

#[test]
fn what_goes_in_is_counted_up_to_the_end_of_the_file() {
    let file = stored(b"0123456789");
    let mut pipe = Pipe::new(65_536).unwrap();
    assert_eq!(pipe.splice_in(file.as_fd(), Some(2), 3).unwrap(), 3);
    assert_eq!(pipe.splice_in(file.as_fd(), Some(8), 100).unwrap(), 2);
    assert_eq!(pipe.splice_in(file.as_fd(), Some(10), 100).unwrap(), 0);
    assert_eq!(pipe.filled(), 5);
    let mut read = [0; 5];
    assert_eq!(pipe.read(&mut read).unwrap(), 5);
    assert_eq!(&read, b"23489");
}

#[test]
fn a_full_pipe_would_block() {
    let file = stored(&vec![7; 4 << 20]);
    let mut pipe = Pipe::new(4_096).unwrap();
    let error = loop {
        let at = pipe.filled() as u64;
        match pipe.splice_in(file.as_fd(), Some(at), 1 << 20) {
            Ok(moved) => assert!(moved > 0),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}
