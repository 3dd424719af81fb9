//! Files of deleted segments are used again, and never while somebody may still read what they held.

use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_os::send::send_file;
use pagelog_segment::{
    Directory, Position, Segment, Segments, SegmentsOptions, Storage, StorageFile, base_of,
    file_name, old_file_name,
};

const SIZE: u64 = 256 << 10;
const LONG: Duration = Duration::from_secs(120);

/// On a file system with a disk: the kernel never lets go of the pages of one in memory.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Whether this kernel says which pages it holds; without that nothing is used again.
fn counts(file: &dyn StorageFile) -> bool {
    match file.let_go(0..SIZE) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::Unsupported => false,
        Err(error) => panic!("{error}"),
    }
}

fn open(place: &Path, spares_max: usize) -> Segments {
    let options = SegmentsOptions {
        spares_max,
        ..SegmentsOptions::of_size(SIZE)
    };
    let segments = Segments::open(Arc::new(Directory::open(place).unwrap()), options).unwrap();
    let run = segments.snapshot();
    let end = run.last().map_or(Position(0), |last| last.end());
    segments.start_ahead(end).unwrap();
    segments
}

fn next(segments: &Segments) -> Arc<Segment> {
    segments.wait_next(LONG).unwrap();
    let segment = segments.take_next().unwrap();
    let content = vec![(segment.base().0 / SIZE) as u8 + 1; SIZE as usize];
    assert_eq!(segment.file().write_at(0, &content).unwrap(), content.len());
    segment.file().sync_data().unwrap();
    segment
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// Waits until two segments are ready, so that no spare is taken until one of these is.
fn wait_full(place: &Path, segments: &Segments) {
    let end = segments.snapshot().last().unwrap().end();
    let second = place.join(file_name(end + SIZE));
    wait_until("two segments ready", || second.exists());
}

fn inode(place: &Path, name: &str) -> u64 {
    fs::metadata(place.join(name)).unwrap().ino()
}

#[test]
fn a_deleted_segments_file_becomes_a_later_one() {
    let place = place();
    let segments = open(place.path(), 1);
    for _ in 0..2 {
        next(&segments);
    }
    if !counts(&**segments.snapshot()[0].file()) {
        return;
    }
    wait_full(place.path(), &segments);
    let used = inode(place.path(), &file_name(Position(0)));
    segments.remove_front(Position(0)).unwrap();
    wait_until("a spare", || segments.spares() == 1);
    assert_eq!(inode(place.path(), &old_file_name(Position(0))), used);

    let recycled = loop {
        segments.wait_next(LONG).unwrap();
        let segment = segments.take_next().unwrap();
        if segment.is_recycled() {
            break segment;
        }
    };
    assert_eq!(inode(place.path(), &file_name(recycled.base())), used);
    assert_eq!((recycled.size(), segments.spares()), (SIZE, 0));
    // It holds what it held, until it is written over.
    let mut byte = [0];
    recycled.file().read_at(SIZE - 1, &mut byte).unwrap();
    assert_eq!(byte, [1]);
    assert!(!place.path().join(old_file_name(Position(0))).exists());
}

#[test]
fn no_more_are_kept_than_asked_for() {
    let place = place();
    let segments = open(place.path(), 2);
    for _ in 0..6 {
        next(&segments);
    }
    let counts = counts(&**segments.snapshot()[0].file());
    wait_full(place.path(), &segments);
    for index in 0..5 {
        segments.remove_front(Position(index * SIZE)).unwrap();
    }
    wait_until("all settled", || segments.leaving() == 0);
    assert_eq!(segments.spares(), if counts { 2 } else { 0 });
    let old = |name: &str| name.ends_with(".old");
    let names = fs::read_dir(place.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| old(name)).count(), segments.spares());
}

#[test]
fn the_next_process_uses_spares_of_its_size_and_deletes_others() {
    let place = place();
    let segments = open(place.path(), 1);
    for _ in 0..2 {
        next(&segments);
    }
    let counts = counts(&**segments.snapshot()[0].file());
    wait_full(place.path(), &segments);
    segments.remove_front(Position(0)).unwrap();
    wait_until("all settled", || segments.leaving() == 0);
    drop(segments);
    fs::write(place.path().join(old_file_name(Position(7))), "short").unwrap();

    let segments = open(place.path(), 1);
    wait_until("all settled", || segments.leaving() == 0);
    let taken = (0..4).filter(|_| next(&segments).is_recycled()).count();
    assert_eq!(taken + segments.spares(), usize::from(counts));
    assert!(!place.path().join(old_file_name(Position(7))).exists());
}

/// A connection whose receiver has read nothing yet.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (sender, listener.accept().unwrap().0)
}

/// *Sent is not gone*: the socket refers to the pages of the file, so changing these would change what the peer gets.
#[test]
fn what_a_socket_still_sends_is_never_written_over() {
    const SENT: usize = 64 << 10;
    let place = place();
    let segments = open(place.path(), 2);
    for _ in 0..3 {
        next(&segments);
    }
    wait_full(place.path(), &segments);
    let first = Arc::clone(&segments.snapshot()[0]);
    let counts = counts(&**first.file());
    let (sender, mut receiver) = connection();
    let mut at = 0;
    while (at as usize) < SENT {
        let left = SENT - at as usize;
        at += send_file(sender.as_fd(), first.view().file().as_fd(), at, left).unwrap() as u64;
    }
    let file = Arc::clone(first.file());
    drop(first);
    segments.remove_front(Position(0)).unwrap();
    if counts {
        // Held by nothing but the socket, and by the mapping of a segment that `file` keeps from being let go.
        assert!(
            file.let_go(0..SIZE).unwrap() > 0,
            "the pages of a sent range are gone"
        );
    }
    drop(file);
    if counts {
        // Whoever is asked later and becomes a spare shows that the first one has been asked.
        segments.remove_front(Position(SIZE)).unwrap();
        wait_until("a spare", || segments.spares() > 0);
        assert_eq!(
            segments.leaving(),
            1,
            "the file of a sent range is used again"
        );
    }

    // Whatever is written to the segments made after it.
    for _ in 0..6 {
        next(&segments);
    }
    let mut received = vec![0; SENT];
    receiver.read_exact(&mut received).unwrap();
    assert!(
        received.iter().all(|byte| *byte == 1),
        "bytes were changed on their way"
    );
    drop((sender, receiver));
    wait_until("all settled", || segments.leaving() == 0);
}

#[test]
fn a_run_of_recycled_segments_is_found_again() {
    let place = place();
    let segments = open(place.path(), 2);
    for index in 0..12 {
        next(&segments);
        if index >= 2 {
            segments.remove_front(Position((index - 2) * SIZE)).unwrap();
            wait_until("all settled", || segments.leaving() == 0);
        }
    }
    let bases: Vec<_> = segments.snapshot().iter().map(|one| one.base()).collect();
    drop(segments);
    let storage = Directory::open(place.path()).unwrap();
    let names = storage.list().unwrap();
    let mut found: Vec<_> = names.iter().filter_map(|name| base_of(name)).collect();
    found.sort_unstable();
    assert_eq!(found[..2], bases[..]);
    for pair in found.windows(2) {
        assert_eq!(pair[0] + SIZE, pair[1]);
    }
}
