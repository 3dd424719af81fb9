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
fn what_may_only_be_read_is_only_read_again() {
    let place = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let read = std::fs::File::open(place.path()).unwrap();
    let again = file::open_again(&read).unwrap();
    let error = file::write_at(&again, 0, b"x").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
    assert!(file::write_at(&file::open_again(place.as_file()).unwrap(), 0, b"x").is_ok());
}

#[test]
fn what_has_no_name_is_an_error() {
    let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let socket = std::fs::File::from(std::os::fd::OwnedFd::from(socket));
    assert!(
        file::open_again(&socket).is_err(),
        "a socket is opened by connecting"
    );
}
