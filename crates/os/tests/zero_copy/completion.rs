//! What says that the kernel no longer refers to a send: `MSG_ERRQUEUE`.

use std::io::Read;
use std::os::fd::AsFd;

use pagelog_os::{MappedFile, file, zero_copy};
use rustix::event::{PollFd, PollFlags, poll};

use super::pair::pair;

#[test]
fn every_send_is_completed_by_its_number() {
    let bytes: Vec<u8> = (0..40_000_u32).map(|at| (at / 9) as u8).collect();
    let stored = tempfile::tempfile().unwrap();
    file::write_at(&stored, 0, &bytes).unwrap();
    let stored = MappedFile::new(stored).unwrap();
    let (to, mut from) = pair();
    zero_copy::enable(to.as_fd()).unwrap();
    assert_eq!(zero_copy::completion(to.as_fd()).unwrap(), None);

    let mut sends = 0;
    for start in [0, 10_000, 20_000, 30_000] {
        let mut range = start..start + 10_000;
        while !range.is_empty() {
            range.start += zero_copy::send(to.as_fd(), stored.mapping(), range.clone()).unwrap();
            sends += 1;
        }
    }
    let mut seen = vec![0; bytes.len()];
    from.read_exact(&mut seen).unwrap();
    assert_eq!(seen, bytes);

    let mut completed = Vec::new();
    while completed.len() < sends {
        // Errors are always waited for.
        poll(&mut [PollFd::new(&to, PollFlags::empty())], None).unwrap();
        while let Some(completion) = zero_copy::completion(to.as_fd()).unwrap() {
            completed.extend(completion.sends);
        }
    }
    completed.sort_unstable();
    assert_eq!(completed, (0..sends as u32).collect::<Vec<_>>());
}
