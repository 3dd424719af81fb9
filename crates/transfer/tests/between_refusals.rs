//! Transfers whose fast ways are refused: by a filter, in the middle, between two file systems. No byte is lost or doubled, and it is
//! asked once. Where a file system can share blocks, it does.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::thread;

use pagelog_os::{file, filter};
use pagelog_transfer::{Rung, Transfers};
use rustix::fs::{MemfdFlags, OFlags};
use rustix::net::sockopt;

const SIZE: usize = 700_000;

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 7 / 5) as u8).collect()
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

/// A connected pair whose buffers hold far less than a step of a rung.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&listener, 1 << 18).unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    sockopt::set_socket_send_buffer_size(&to, 1 << 18).unwrap();
    (to, listener.accept().unwrap().0)
}

/// Transfers the whole file to a socket whose peer reads all.
fn through_a_socket(transfers: &mut Transfers, from: &File) -> Vec<u8> {
    let (to, mut peer) = pair();
    let reader = thread::spawn(move || {
        let mut seen = Vec::new();
        peer.read_to_end(&mut seen).unwrap();
        seen
    });
    let moved = transfers.transfer_to(from, 0, SIZE as u64, to.as_fd());
    drop(to);
    let seen = reader.join().unwrap();
    assert_eq!(moved.unwrap(), seen.len() as u64);
    seen
}

#[test]
fn what_a_filter_does_not_permit_is_asked_once() {
    let worker = || {
        filter::refuse_moves().unwrap();
        let (bytes, mut transfers) = (bytes(SIZE), Transfers::new());
        let from = stored(&bytes);
        // From file to file: three rungs are refused; from file to socket, two; from socket to file, one.
        for refusals in [3, 3] {
            let to = stored(b"");
            let moved = transfers.transfer_to(&from, 0, SIZE as u64, to.as_fd());
            assert_eq!(
                (moved.unwrap(), transfers.refusals()),
                (SIZE as u64, refusals)
            );
            assert!(content(&to) == bytes);
        }
        for refusals in [5, 5] {
            assert!(through_a_socket(&mut transfers, &from) == bytes);
            assert_eq!(transfers.refusals(), refusals);
        }
        for refusals in [6, 6] {
            let ((mut socket, peer), to) = (pair(), stored(b""));
            let sent = bytes.clone();
            let writer = thread::spawn(move || socket.write_all(&sent).unwrap());
            let moved = transfers.transfer_from(peer.as_fd(), &to, 0, 1 << 40);
            assert_eq!(
                (moved.unwrap(), transfers.refusals()),
                (SIZE as u64, refusals)
            );
            writer.join().unwrap();
            assert!(content(&to) == bytes);
        }
        assert_eq!(transfers[Rung::Plain], 6 * SIZE as u64);
    };
    // The filter is this thread's for good.
    thread::spawn(worker).join().unwrap();
}

/// Here the files are what does not permit it, so others go the fast way still.
#[test]
fn what_is_not_permitted_by_any_way_is_an_error_and_not_remembered() {
    let (from, mut transfers) = (stored(&bytes(SIZE)), Transfers::new());
    // Sealed, it takes no write: EPERM, fcntl(2).
    let sealed: File = rustix::fs::memfd_create("sealed", MemfdFlags::ALLOW_SEALING)
        .unwrap()
        .into();
    rustix::fs::fcntl_add_seals(&sealed, rustix::fs::SealFlags::WRITE).unwrap();
    let error = transfers
        .transfer_to(&from, 0, 10, sealed.as_fd())
        .unwrap_err();
    assert_eq!(
        (error.moved, error.source.raw_os_error()),
        (0, Some(not_permitted()))
    );
    let to = stored(b"");
    assert_eq!(
        transfers
            .transfer_to(&from, 0, SIZE as u64, to.as_fd())
            .unwrap(),
        SIZE as u64
    );
    assert_eq!(transfers[Rung::Plain], 0);
}

fn not_permitted() -> i32 {
    rustix::io::Errno::PERM.raw_os_error()
}

/// More than one step of a rung.
const LONG_SIZE: usize = 20 << 20;

#[test]
fn a_refusal_in_the_middle_loses_and_doubles_nothing() {
    let bytes = bytes(LONG_SIZE);
    let (from, mut transfers) = (stored(&bytes), Transfers::new());
    let (to, mut peer) = pair();
    let same = to.try_clone().unwrap();
    let reader = thread::spawn(move || {
        let mut seen = vec![0; 1];
        peer.read_exact(&mut seen).unwrap();
        // Far less than a step is in the socket, and no later step may splice: EINVAL, sendfile(2).
        rustix::fs::fcntl_setfl(&same, OFlags::APPEND).unwrap();
        drop(same);
        peer.read_to_end(&mut seen).unwrap();
        seen
    });
    let moved = transfers.transfer_to(&from, 0, LONG_SIZE as u64, to.as_fd());
    drop(to);
    assert!(reader.join().unwrap() == bytes);
    assert_eq!(moved.unwrap(), LONG_SIZE as u64);
    assert!(transfers.refusals() > 0 && transfers[Rung::SendFile] > 0);
    assert_eq!(
        transfers[Rung::SendFile] + transfers[Rung::Plain],
        LONG_SIZE as u64
    );
}

/// Memory is another file system than that of the tests. Where ranges are copied between the two after all, there is nothing to
/// remember.
#[test]
fn two_file_systems_between_which_no_range_is_copied_are_remembered() {
    let bytes = bytes(SIZE);
    let memory: File = rustix::fs::memfd_create("memory", MemfdFlags::empty())
        .unwrap()
        .into();
    let mut transfers = Transfers::new();
    let from = stored(&bytes);
    for _ in 0..2 {
        (&memory).seek(SeekFrom::Start(0)).unwrap();
        let moved = transfers.transfer_to(&from, 0, SIZE as u64, memory.as_fd());
        assert_eq!(moved.unwrap(), SIZE as u64);
        assert!(content(&memory) == bytes);
        let refused = u64::from(transfers[Rung::CopyRange] == 0);
        assert_eq!(transfers.refusals(), refused);
    }
    // Within one of them it is done as before.
    let to = stored(b"");
    let before = transfers[Rung::CopyRange];
    assert_eq!(
        transfers
            .transfer_to(&from, 0, SIZE as u64, to.as_fd())
            .unwrap(),
        SIZE as u64
    );
    let mut fresh = Transfers::new();
    assert_eq!(
        fresh
            .transfer_to(&from, 0, SIZE as u64, to.as_fd())
            .unwrap(),
        SIZE as u64
    );
    assert_eq!(transfers[Rung::CopyRange] - before, fresh[Rung::CopyRange]);
}

#[test]
fn where_the_file_system_can_share_blocks_a_copy_takes_no_room() {
    const SHARED_SIZE: usize = 32 << 20;
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (image, point) = (place.path().join("image"), place.path().join("point"));
    File::create_new(&image)
        .unwrap()
        .set_len(128 << 20)
        .unwrap();
    std::fs::create_dir(&point).unwrap();
    let made = run("mkfs.btrfs", &["-q"], &[&image]);
    if !made || !run("mount", &["-t", "btrfs", "-o", "loop"], &[&image, &point]) {
        println!("skipped: this user may not make and mount a Btrfs");
        return;
    }
    let outcome = std::panic::catch_unwind(|| {
        let bytes = bytes(SHARED_SIZE);
        std::fs::write(point.join("from"), &bytes).unwrap();
        let (from, to) = (
            File::open(point.join("from")).unwrap(),
            File::create(point.join("to")).unwrap(),
        );
        let room = || {
            rustix::fs::syncfs(&from).unwrap();
            let state = rustix::fs::fstatvfs(&from).unwrap();
            state.f_bfree * state.f_frsize
        };
        let before = room();
        let mut transfers = Transfers::new();
        let moved = transfers.transfer_to(&from, 0, SHARED_SIZE as u64, to.as_fd());
        assert_eq!(moved.unwrap(), SHARED_SIZE as u64);
        assert_eq!(transfers[Rung::CopyRange], SHARED_SIZE as u64);
        let taken = before.saturating_sub(room());
        assert!(taken < SHARED_SIZE as u64 / 4, "{taken} bytes were taken");
        assert!(std::fs::read(point.join("to")).unwrap() == bytes);
    });
    run("umount", &["-l"], &[&point]);
    outcome.unwrap();
}

fn run(command: &str, options: &[&str], paths: &[&Path]) -> bool {
    let output = Command::new(command).args(options).args(paths).output();
    output.is_ok_and(|output| output.status.success())
}
