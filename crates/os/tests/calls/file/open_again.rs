//! The same file once more: `open` by the name of a descriptor.

use std::io::{Seek, Write};

use pagelog_os::file;

#[test]
fn it_is_the_same_file_with_a_place_of_its_own() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("before");
    let mut first = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    first.write_all(b"abc").unwrap();
    std::fs::rename(&path, directory.path().join("after")).unwrap();
    let mut second = file::open_again(&first).unwrap();
    assert_eq!(second.stream_position().unwrap(), 0);
    second.write_all(b"x").unwrap();
    let mut bytes = [0; 3];
    assert_eq!(file::read_at(&first, 0, &mut bytes).unwrap(), 3);
    assert_eq!(&bytes, b"xbc");
}

#[test]
fn what_may_not_be_written_is_an_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    // A pipe opens for both, by man 7 fifo; a directory never does.
    assert!(file::open_again(&pipe).is_ok());
    let directory = std::fs::File::open(env!("CARGO_TARGET_TMPDIR")).unwrap();
    assert!(file::open_again(&directory).is_err());
}
