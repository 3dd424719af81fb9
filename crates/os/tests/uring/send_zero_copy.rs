//! Sends that refer to pages of a mapping: `IORING_OP_SEND_ZC`, and its notifications.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;

use super::ring::{pair, ring, stored};

#[test]
fn a_send_without_copying_is_notified() {
    let Some(mut ring) = ring() else { return };
    if !ring.operations().send_zero_copy {
        return;
    }
    let (stored, bytes) = stored(50_000);
    let (to, mut from) = pair();
    let (mut sent, mut numbers) = (0, Vec::new());
    while sent < bytes.len() {
        let range = sent..bytes.len();
        let part = ring
            .send_zero_copy(to.as_fd(), stored.mapping(), range)
            .unwrap();
        sent += part.size;
        numbers.extend(part.number);
    }
    let mut seen = vec![0; sent];
    from.read_exact(&mut seen).unwrap();
    assert_eq!(seen, bytes);
    let mut notified = Vec::new();
    while notified.len() < numbers.len() {
        notified.extend(ring.notifications().into_iter().map(|one| one.number));
        std::thread::yield_now();
    }
    assert_eq!(notified, numbers);

    // The peer takes nothing any more.
    let error = loop {
        match ring.send_zero_copy(to.as_fd(), stored.mapping(), 0..50_000) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}
