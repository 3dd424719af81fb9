//! Reads into a registered buffer: `IORING_REGISTER_BUFFERS` and `IORING_OP_READ_FIXED`.

use std::io::ErrorKind;

use super::ring::{ring, stored};

#[test]
fn parts_are_read_together_and_the_end_of_the_file_is_a_short_count() {
    let Some(mut ring) = ring() else { return };
    if !ring.operations().read_fixed {
        return;
    }
    assert_eq!(
        ring.read(stored(1).0.file(), 0, 1).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    ring.register_buffer(4_096, 4).unwrap();
    assert!(ring.register_buffer(4_096, 4).is_err(), "there is one");
    let (stored, bytes) = stored(20_000);
    assert_eq!(
        ring.read(stored.file(), 100, 10_000).unwrap(),
        &bytes[100..10_100]
    );
    assert_eq!(
        ring.read(stored.file(), 0, 1 << 20).unwrap(),
        &bytes[..16_384]
    );
    assert_eq!(
        ring.read(stored.file(), 10_000, 16_384).unwrap(),
        &bytes[10_000..]
    );
    assert!(ring.read(stored.file(), 20_000, 10).unwrap().is_empty());
    let directory = std::fs::File::open("/").unwrap();
    assert!(ring.read(&directory, 0, 10).is_err());
}
