//! A filter that refuses io_uring to one thread.

use pagelog_os::FetchRing;
use pagelog_os::filter::refuse_io_uring;
use pagelog_os::uring::{Ring, RingError};

/// On a kernel without io_uring the filter comes first, too.
#[test]
fn it_is_refused_by_name_to_the_thread_and_to_those_that_it_starts() {
    let refused = std::thread::spawn(|| {
        refuse_io_uring().unwrap();
        let of_a_child = std::thread::spawn(|| FetchRing::new(1).unwrap_err());
        // All else works.
        assert_eq!(std::fs::read("/dev/null").unwrap(), b"");
        [Ring::new().unwrap_err(), of_a_child.join().unwrap()]
    });
    for refused in refused.join().unwrap() {
        let RingError::Refused(error) = refused else {
            panic!("a filter is told from an old kernel: {refused}");
        };
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    }
}
