//! Pages that went after somebody had looked: for how long a sender believes what was seen, and that using a part of it proves nothing
//! about the rest.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{MappedFile, page_size};
use pagelog_transfer::{Paths, Progress, Region, Rope, Sender};

const FILE_SIZE: usize = 1 << 20;

/// What is looked at with the first page, and lies so far behind it that a fault of that one does not map it.
const REST: Range<usize> = 128 << 10..256 << 10;

/// Longer than a look is believed.
const LONGER: Duration = Duration::from_millis(250);

/// A file whose pages are all in memory, each by itself.
fn file_in_memory() -> Arc<MappedFile> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let page = vec![7; page_size()];
    for _ in 0..FILE_SIZE / page.len() {
        file.write_all(&page).unwrap();
    }
    // What is not on the disk is not let go of.
    file::sync_data(&file).unwrap();
    let file = MappedFile::new(file).unwrap();
    assert_eq!(
        file.mapping().resident_pages(0..FILE_SIZE).unwrap(),
        FILE_SIZE / page_size()
    );
    Arc::new(file)
}

/// Whether nothing of `range` is in memory after it was let go of.
fn evict(file: &MappedFile, range: Range<usize>) -> bool {
    let bytes = range.start as u64..range.end as u64;
    file::advise(file.file(), bytes, FileAdvice::DontNeed).unwrap();
    file.mapping().resident_pages(range).unwrap() == 0
}

/// A socket whose peer takes all there is.
fn socket() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while peer.read(&mut buffer).is_ok_and(|size| size > 0) {}
    });
    socket.set_nonblocking(true).unwrap();
    socket
}

/// Sends these bytes, unless they have to be fetched first.
fn send(
    file: &Arc<MappedFile>,
    bytes: Range<usize>,
    socket: &TcpStream,
    paths: &mut Paths,
) -> Progress {
    let region = Region::new(Arc::clone(file), bytes.start as u64, bytes.len() as u64);
    let mut rope = Rope::new();
    rope.push_region(region);
    let mut sender = Sender::new(rope);
    loop {
        match sender.send(socket.as_fd(), paths).unwrap() {
            Progress::Blocked | Progress::Yielded => thread::yield_now(),
            progress => return progress,
        }
    }
}

#[test]
fn use_of_a_page_says_nothing_about_its_neighbours() {
    let (file, socket) = (file_in_memory(), socket());
    let mut paths = Paths::new().look_first();
    let first_page = 0..page_size();
    assert_eq!(
        send(&file, first_page.clone(), &socket, &mut paths),
        Progress::Done
    );
    if !evict(&file, REST) {
        eprintln!("skipped: this file system does not let go of pages");
        return;
    }
    let began = Instant::now();
    while began.elapsed() < LONGER {
        let progress = send(&file, first_page.clone(), &socket, &mut paths);
        assert_eq!(progress, Progress::Done);
    }
    assert_eq!(
        send(&file, REST, &socket, &mut paths),
        Progress::Cold,
        "the sender would have waited for the disk"
    );
}
