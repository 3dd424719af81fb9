//! A file with some bytes, mapped; and what a peer has read at the end.

use std::io::Read;
use std::os::unix::net::UnixStream;

use pagelog_os::{MappedFile, file};

pub(super) fn mapped(bytes: &[u8]) -> MappedFile {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&file, 0, bytes).unwrap(), bytes.len());
    MappedFile::new(file).unwrap()
}

pub(super) fn read_all(mut from: UnixStream, to: UnixStream) -> Vec<u8> {
    drop(to);
    let mut read = Vec::new();
    from.read_to_end(&mut read).unwrap();
    read
}
