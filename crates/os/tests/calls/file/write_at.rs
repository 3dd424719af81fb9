//! Writing at a place: `pwrite`.

use pagelog_os::file;

#[test]
fn bytes_come_to_lie_at_their_place_and_zeros_before_it() {
    let file = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&file, 3, b"abc").unwrap(), 3);
    assert_eq!(file::write_at(&file, 4, b"B").unwrap(), 1);
    assert_eq!(file::write_at(&file, 100, b"").unwrap(), 0);
    let mut read = [1; 8];
    assert_eq!(file::read_at(&file, 0, &mut read).unwrap(), 6);
    assert_eq!(&read[..6], b"\0\0\0aBc");
}

#[test]
fn a_file_that_is_open_for_reading_alone_is_an_error() {
    let place = tempfile::NamedTempFile::new().unwrap();
    let file = std::fs::File::open(place.path()).unwrap();
    let error = file::write_at(&file, 0, b"lost").unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EBADF));
}
