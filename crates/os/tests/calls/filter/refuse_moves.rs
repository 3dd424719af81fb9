//! A filter that refuses the calls that move bytes within the kernel.

use std::fs::File;
use std::os::fd::AsFd;

use pagelog_os::filter::refuse_moves;
use pagelog_os::{file, send};

#[test]
fn they_are_refused_and_reading_and_writing_go_on() {
    let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    file::write_at(&from, 0, b"by hand").unwrap();
    let refused = std::thread::spawn(move || {
        refuse_moves().unwrap();
        let error = send::send_file(to.as_fd(), from.as_fd(), 0, 7).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let mut read = [0; 7];
        file::read_exact_at(&from, 0, &mut read).unwrap();
        assert_eq!(&read, b"by hand");
    });
    refused.join().unwrap();
    // Nobody else.
    let (from, null) = (
        tempfile::tempfile().unwrap(),
        File::options().write(true).open("/dev/null").unwrap(),
    );
    file::write_at(&from, 0, b"still").unwrap();
    assert_eq!(
        send::send_file(null.as_fd(), from.as_fd(), 0, 5).unwrap(),
        5
    );
}
