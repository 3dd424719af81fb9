//! Reading at a place: `pread`.

use std::io::ErrorKind;

use pagelog_os::file;

#[test]
fn a_read_at_the_end_gives_nothing_and_an_exact_one_fails() {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&file, 3, b"abc").unwrap(), 3);
    let mut read = [0; 4];
    assert_eq!(file::read_at(&file, 4, &mut read).unwrap(), 2);
    assert_eq!(file::read_at(&file, 6, &mut read).unwrap(), 0);
    let error = file::read_exact_at(&file, 4, &mut read).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn a_descriptor_that_has_no_places_is_an_error() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = std::fs::File::from(std::os::fd::OwnedFd::from(reader));
    let error = file::read_at(&pipe, 0, &mut [0; 4]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ESPIPE));
}
