//! Transfers between any two kinds of descriptors, by every rung, against the bytes; positions and counts as Java has them.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use pagelog_os::file;
use pagelog_transfer::{Rung, Transfers};

const SIZE: usize = 700_000;

fn bytes() -> Vec<u8> {
    (0..SIZE).map(|at| (at / 5) as u8).collect()
}

fn stored(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

fn content(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file::read_exact_at(file, 0, &mut bytes).unwrap();
    bytes
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (to, listener.accept().unwrap().0)
}

/// All rungs, then all but the first, and so on.
fn ladders() -> impl Iterator<Item = Transfers> {
    (0..Rung::ALL.len()).map(|closed| {
        let mut transfers = Transfers::new();
        Rung::ALL[..closed]
            .iter()
            .for_each(|rung| transfers.close(*rung));
        transfers
    })
}

fn moved(transfers: &Transfers) -> u64 {
    Rung::ALL.iter().map(|rung| transfers[*rung]).sum()
}

#[test]
fn from_a_place_in_a_file_to_every_kind() {
    let (bytes, from) = (bytes(), stored(&bytes()));
    for mut transfers in ladders() {
        let to = stored(b"0123456789");
        (&to).seek(SeekFrom::Start(4)).unwrap();
        assert_eq!(
            transfers
                .transfer_to(&from, 1_000, 600_000, to.as_fd())
                .unwrap(),
            600_000
        );
        assert!(content(&to)[..4] == *b"0123" && content(&to)[4..] == bytes[1_000..601_000]);
        assert_eq!((&to).stream_position().unwrap(), 600_004);
        assert_eq!(
            (&from).stream_position().unwrap(),
            0,
            "the source has not moved"
        );

        let (socket, peer) = pair();
        let (mut pipe_out, pipe_in) = std::io::pipe().unwrap();
        let (local, local_peer) = UnixStream::pair().unwrap();
        thread::scope(|scope| {
            let mut readers: Vec<Box<dyn Read + Send>> = vec![Box::new(peer), Box::new(local_peer)];
            readers.push(Box::new(&mut pipe_out));
            let readers: Vec<_> = readers
                .into_iter()
                .map(|mut reader| {
                    scope.spawn(move || {
                        let mut seen = Vec::new();
                        reader.read_to_end(&mut seen).unwrap();
                        seen
                    })
                })
                .collect();
            for to in [socket.as_fd(), local.as_fd(), pipe_in.as_fd()] {
                assert_eq!(
                    transfers.transfer_to(&from, 7, 1 << 40, to).unwrap(),
                    SIZE as u64 - 7
                );
            }
            drop((socket, local, pipe_in));
            for reader in readers {
                assert!(reader.join().unwrap() == bytes[7..]);
            }
        });
        assert_eq!(moved(&transfers), 600_000 + 3 * (SIZE as u64 - 7));
    }
}

#[test]
fn from_every_kind_to_a_place_in_a_file() {
    let bytes = bytes();
    for mut transfers in ladders() {
        let (mut socket, peer) = pair();
        let (pipe_out, mut pipe_in) = std::io::pipe().unwrap();
        let (mut local, local_peer) = UnixStream::pair().unwrap();
        let file = stored(&bytes);
        let bytes = &bytes;
        thread::scope(|scope| {
            scope.spawn(move || socket.write_all(bytes).unwrap());
            scope.spawn(move || pipe_in.write_all(bytes).unwrap());
            scope.spawn(move || local.write_all(bytes).unwrap());
            for from in [
                peer.as_fd(),
                pipe_out.as_fd(),
                local_peer.as_fd(),
                file.as_fd(),
            ] {
                let to = stored(b"0123456789");
                // First a part, then all that is left, waiting for it.
                assert_eq!(
                    transfers.transfer_from(from, &to, 10, 99_999).unwrap(),
                    99_999
                );
                let rest = transfers
                    .transfer_from(from, &to, 100_009, 1 << 40)
                    .unwrap();
                assert_eq!(rest, SIZE as u64 - 99_999);
                assert_eq!(&content(&to)[..10], b"0123456789");
                assert!(content(&to)[10..] == *bytes);
                assert_eq!(
                    (&to).stream_position().unwrap(),
                    0,
                    "the target has not moved"
                );
            }
        });
        assert_eq!(moved(&transfers), 4 * SIZE as u64);
    }
}

#[test]
fn counts_are_short_where_there_is_no_more_or_no_room() {
    let (from, to) = (stored(&bytes()), stored(b"0123"));
    let mut transfers = Transfers::new();
    for position in [SIZE as u64, SIZE as u64 + 1, u64::MAX] {
        assert_eq!(
            transfers
                .transfer_to(&from, position, 10, to.as_fd())
                .unwrap(),
            0
        );
    }
    assert_eq!(transfers.transfer_to(&from, 0, 0, to.as_fd()).unwrap(), 0);
    assert_eq!(
        transfers.transfer_from(from.as_fd(), &to, 5, 10).unwrap(),
        0
    );
    assert_eq!((&from).stream_position().unwrap(), 0, "nothing was taken");
    assert_eq!(transfers.transfer_from(from.as_fd(), &to, 4, 0).unwrap(), 0);

    // A peer that does not read, and one that has sent little.
    let (socket, mut peer) = pair();
    socket.set_nonblocking(true).unwrap();
    let mut sent = 0;
    loop {
        let moved = transfers
            .transfer_to(&from, 0, SIZE as u64, socket.as_fd())
            .unwrap();
        sent += moved;
        if moved < SIZE as u64 {
            break;
        }
    }
    assert!(sent > 0);
    peer.write_all(b"abc").unwrap();
    let mut arrived = 0;
    while arrived < 3 {
        arrived += transfers
            .transfer_from(socket.as_fd(), &to, 4 + arrived, 10)
            .unwrap();
    }
    assert_eq!(
        transfers.transfer_from(socket.as_fd(), &to, 7, 10).unwrap(),
        0
    );
    assert_eq!(content(&to), b"0123abc");
}

#[test]
fn a_target_for_appending_takes_what_the_fast_ways_refuse() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("appended");
    let to = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .unwrap();
    let (from, mut transfers) = (stored(&bytes()), Transfers::new());
    assert_eq!(
        transfers.transfer_to(&from, 0, 5_000, to.as_fd()).unwrap(),
        5_000
    );
    assert_eq!(transfers[Rung::Plain], 5_000);
    assert!(std::fs::read(path).unwrap() == bytes()[..5_000]);
}

#[test]
fn within_one_file() {
    for mut transfers in ladders() {
        let file = stored(&bytes());
        (&file).seek(SeekFrom::End(0)).unwrap();
        assert_eq!(
            transfers
                .transfer_to(&file, 5, 1_000, file.as_fd())
                .unwrap(),
            1_000
        );
        assert!(content(&file)[..SIZE] == bytes() && content(&file)[SIZE..] == bytes()[5..1_005]);
        assert_eq!(transfers.refusals(), 0);
    }
}

#[test]
fn what_was_taken_and_cannot_be_written_comes_back() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("read-only");
    std::fs::write(&path, b"").unwrap();
    let to = File::open(&path).unwrap();
    for mut transfers in ladders() {
        let (mut socket, peer) = pair();
        socket.write_all(b"precious").unwrap();
        drop(socket);
        let error = transfers
            .transfer_from(peer.as_fd(), &to, 0, 100)
            .unwrap_err();
        assert_eq!(
            (error.moved, &error.unwritten[..]),
            (0, &b"precious"[..]),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_is_made_up_when_it_is_read_is_told_by_its_size() {
    let from = File::open("/proc/self/status").unwrap();
    let to = stored(b"");
    assert_eq!(
        Transfers::new()
            .transfer_to(&from, 0, 100, to.as_fd())
            .unwrap(),
        0
    );
    let moved = Transfers::new()
        .transfer_from(from.as_fd(), &to, 0, 1 << 20)
        .unwrap();
    assert!(moved > 0 && content(&to).starts_with(b"Name:"));
}
