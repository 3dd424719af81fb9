//! io_uring, where it is allowed: a refusal at the set-up is a result like any other, and ends a test.

use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;

use pagelog_os::uring::{Ring, RingError};
use pagelog_os::{MappedFile, Pipe, file};

/// `None` where the kernel or a filter refuses.
fn ring() -> Option<Ring> {
    match Ring::new() {
        Ok(ring) => Some(ring),
        Err(RingError::Unsupported | RingError::Refused(_)) => None,
        Err(RingError::Io(error)) => panic!("{error}"),
    }
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    to.set_nonblocking(true).unwrap();
    (to, listener.accept().unwrap().0)
}

fn stored(size: usize) -> (MappedFile, Vec<u8>) {
    let bytes: Vec<u8> = (0..size).map(|at| (at / 7) as u8).collect();
    let stored = tempfile::tempfile().unwrap();
    assert_eq!(file::write_at(&stored, 0, &bytes).unwrap(), size);
    (MappedFile::new(stored).unwrap(), bytes)
}

#[test]
fn a_filter_refuses_it_to_one_thread() {
    let refused = std::thread::spawn(|| {
        pagelog_os::filter::refuse_io_uring().unwrap();
        // All else works.
        assert_eq!(stored(10).1.len(), 10);
        Ring::new().unwrap_err()
    });
    let RingError::Refused(error) = refused.join().unwrap() else {
        panic!("a filter is told from an old kernel");
    };
    assert_eq!(error.raw_os_error(), Some(libc::EPERM));
}

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

#[test]
fn a_splice_goes_through_the_pipe_and_leaves_what_does_not_fit() {
    let Some(mut ring) = ring() else { return };
    if !ring.operations().splice {
        return;
    }
    let (stored, bytes) = stored(4 << 20);
    let (to, mut from) = pair();
    let mut pipe = Pipe::new(65_536).unwrap();
    let mut sent = 0;
    let (moved_in, moved_out) = loop {
        let size = 32_768;
        let moved = ring.splice_through(stored.file(), sent as u64, &mut pipe, to.as_fd(), size);
        let (moved_in, moved_out) = moved.unwrap();
        sent += moved_out;
        if moved_out < moved_in {
            break (moved_in, moved_out);
        }
    };
    assert_eq!(pipe.filled(), moved_in - moved_out);
    let mut seen = vec![0; sent];
    from.read_exact(&mut seen).unwrap();
    assert!(seen == bytes[..sent]);
    let mut rest = vec![0; pipe.filled()];
    let size = rest.len();
    assert_eq!(pipe.read(&mut rest).unwrap(), size);
    assert!(rest == bytes[sent..sent + size]);
}

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
