//! Peers that reset, or read a byte at a time; regions of nothing, and of more than 2 GiB. By every path: no wrong byte, and nothing
//! is held when it is over.

use std::io::{self, ErrorKind, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_transfer::{Path, Paths, Progress, Region, Rope, SendError, Sender};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt;

const GIB: u64 = 1 << 30;

fn file(size: usize) -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..size).map(|at| ((at * 31) >> 4) as u8).collect();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    (Arc::new(MappedFile::new(file).unwrap()), bytes)
}

/// A connected pair with buffers of about so many bytes; the sending end does not block.
fn pair(buffer_size: usize) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&listener, buffer_size).unwrap();
    let sending = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    sockopt::set_socket_send_buffer_size(&sending, buffer_size).unwrap();
    sending.set_nodelay(true).unwrap();
    sending.set_nonblocking(true).unwrap();
    (sending, listener.accept().unwrap().0)
}

/// Sends until the peer takes no more.
fn send_until_blocked(sender: &mut Sender, socket: &TcpStream, paths: &mut Paths) {
    while sender.send(socket.as_fd(), paths).unwrap() != Progress::Blocked {
        assert!(!sender.is_empty(), "the buffers hold less than that");
    }
}

#[test]
fn a_peer_that_resets_in_the_middle_is_an_error_and_all_is_let_go_of() {
    // More than any buffer holds.
    let (file, _) = file(1 << 20);
    for path in Path::ALL {
        let mut paths = Paths::only(path);
        let (sending, receiving) = pair(1 << 16);
        let mut rope = Rope::new();
        for _ in 0..64 {
            rope.push_region(Region::new(Arc::clone(&file), 0, 1 << 20));
        }
        let mut sender = Sender::new(rope);
        send_until_blocked(&mut sender, &sending, &mut paths);
        // To close with unread bytes is a reset, tcp(7); this one comes at once.
        sockopt::set_socket_linger(&receiving, Some(std::time::Duration::ZERO)).unwrap();
        drop(receiving);
        poll(&mut [PollFd::new(&sending, PollFlags::OUT)], None).unwrap();
        let error = loop {
            match sender.send(sending.as_fd(), &mut paths) {
                Ok(Progress::Done) => panic!("{path}: nobody took the bytes"),
                // Completions may have made it writable.
                Ok(_) => sender.complete(sending.as_fd(), &mut paths),
                Err(error) => break error,
            };
        };
        assert!(matches!(error, SendError::Socket(_)), "{path}: {error:?}");
        drop((sender, sending));
        assert_eq!(paths.pipes_held(), 0, "{path}");
        drop(paths);
        assert_eq!(Arc::strong_count(&file), 1, "{path}: a file is held");
    }
}

#[test]
fn a_peer_that_reads_byte_by_byte_gets_every_byte_and_holds_no_other_up() {
    const SLOWLY: usize = 3_000;
    let (file, bytes) = file(400_000);
    for path in Path::ALL {
        let mut paths = Paths::only(path);
        // What is sent without copying needs room for whole pages at the receiver.
        let narrow = !matches!(path, Path::ZeroCopy | Path::UringZeroCopy);
        let (sending, mut slow) = pair(if narrow { 16_384 } else { 1 << 20 });
        let region = || Region::new(Arc::clone(&file), 0, bytes.len() as u64);
        let mut sender = Sender::new(Rope::from(region()));
        let mut seen = Vec::new();
        let mut byte = [0];
        while seen.len() < SLOWLY {
            let _ = sender.send(sending.as_fd(), &mut paths).unwrap();
            slow.read_exact(&mut byte).unwrap();
            seen.push(byte[0]);
        }
        // The same thread's paths serve another one meanwhile.
        let (other_sending, other) = pair(1 << 20);
        let mut other_sender = Sender::new(Rope::from(region()));
        assert!(drain(&mut other_sender, &other_sending, other, &mut paths) == bytes);
        seen.extend(drain(&mut sender, &sending, slow, &mut paths));
        assert!(seen == bytes, "{path}");
        assert_eq!(paths.pipes_held(), 0, "{path}");
    }
}

/// Sends all that is left, while another thread reads; what that has read.
fn drain(
    sender: &mut Sender,
    socket: &TcpStream,
    mut peer: TcpStream,
    paths: &mut Paths,
) -> Vec<u8> {
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut seen = Vec::new();
            peer.read_to_end(&mut seen).unwrap();
            seen
        });
        let outcome = loop {
            match sender.send(socket.as_fd(), paths) {
                Ok(Progress::Done) => break Ok(()),
                Ok(_) => std::thread::yield_now(),
                Err(error) => break Err(error),
            }
        };
        // Else the reader waits for ever when this fails.
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        let seen = reader.join().unwrap();
        outcome.unwrap();
        seen
    })
}

/// A file was cut short, and somebody who copied out of its mapping met the end: the mapping is given up, and the file goes on.
#[test]
fn a_mapping_that_has_faulted_costs_those_who_ask_for_what_is_gone_and_nobody_else() {
    const LEFT: usize = 200_704;
    let each = Path::ALL.map(|path| (Some(path), Paths::only(path)));
    for (path, mut paths) in each.into_iter().chain([(None, Paths::new())]) {
        let (file, bytes) = file(400_000);
        file.file().set_len(LEFT as u64).unwrap();
        let copied = file.mapping().copy_out(LEFT + 8192, &mut [0; 8]);
        assert!(copied.is_err() && file.mapping().check_fault().is_err());
        let answer = |at, size| {
            let mut rope = Rope::from(b"header".to_vec());
            for at in [at, at + 20_000] {
                rope.push_region(Region::new(Arc::clone(&file), at, size));
            }
            rope
        };
        for user in 0..2 {
            // Both, what is gone and what is not, short and long.
            for size in [700, 150_000] {
                let (sending, receiving) = pair(1 << 20);
                let mut sender = Sender::new(answer(0, size as u64));
                let seen = drain(&mut sender, &sending, receiving, &mut paths);
                let expected = [b"header", &bytes[..size], &bytes[20_000..20_000 + size]];
                assert!(seen == expected.concat(), "{path:?}, user {user}, {size}");
                let (sending, _receiving) = pair(1 << 20);
                let mut sender = Sender::new(answer(LEFT as u64, size as u64));
                let error = loop {
                    match sender.send(sending.as_fd(), &mut paths) {
                        Ok(progress) => assert_ne!(progress, Progress::Done, "{path:?}"),
                        Err(error) => break error,
                    }
                };
                assert!(
                    matches!(error, SendError::FileShort { .. }),
                    "{path:?}: {error:?}"
                );
            }
        }
    }
}

#[test]
fn a_region_of_nothing_is_nothing() {
    let (file, _) = file(10);
    for path in Path::ALL {
        let mut paths = Paths::only(path);
        let (sending, receiving) = pair(1 << 16);
        receiving.set_nonblocking(true).unwrap();
        let mut rope = Rope::from(Region::new(Arc::clone(&file), 3, 0));
        rope.push_region(Region::new(Arc::clone(&file), u64::MAX, 0));
        assert!(rope.is_empty() && rope.pieces().is_empty());
        let mut sender = Sender::new(rope);
        let progress = sender.send(sending.as_fd(), &mut paths).unwrap();
        assert_eq!((progress, paths.counters().bytes()), (Progress::Done, 0));
        let error = (&receiving).read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "{path}");
    }
}

/// Counts and places of 32 bits, with a sign or without, would go wrong here. The file is a hole with a few pages in it.
#[test]
fn a_region_of_more_than_two_gib_begins_and_goes_on_where_it_should() {
    let sparse = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    sparse.set_len(9 * GIB).unwrap();
    let marks = [0, 2 * GIB, 4 * GIB, 5 * GIB - 7, 8 * GIB];
    for (number, mark) in (1..).zip(marks) {
        let bytes: Vec<u8> = (0..3_000_u64).map(|at| (at * number) as u8).collect();
        sparse
            .write_all_at(&bytes, mark.saturating_sub(1_500))
            .unwrap();
    }
    let file = Arc::new(MappedFile::new(sparse).unwrap());
    for path in Path::ALL {
        for mark in marks {
            let at = mark.saturating_sub(40_000);
            let size = 9 * GIB - at;
            let rope = Rope::from(Region::new(Arc::clone(&file), at, size));
            let mut paths = Paths::only(path);
            let (sending, receiving) = pair(1 << 20);
            let mut sender = Sender::new(rope);
            let mut seen = vec![0; 120_000];
            read_while_sending(&mut sender, &sending, &receiving, &mut paths, &mut seen);
            let mut expected = vec![0; seen.len()];
            file.file().read_exact_at(&mut expected, at).unwrap();
            assert!(seen == expected, "{path} from {at}");
            let sent = size - sender.size();
            assert_eq!(paths.counters().bytes(), sent, "{path} from {at}");
        }
    }
}

fn read_while_sending(
    sender: &mut Sender,
    sending: &TcpStream,
    receiving: &TcpStream,
    paths: &mut Paths,
    into: &mut [u8],
) {
    receiving.set_nonblocking(true).unwrap();
    let mut filled = 0;
    while filled < into.len() {
        let _ = sender.send(sending.as_fd(), paths).unwrap();
        match (&mut &*receiving).read(&mut into[filled..]) {
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}
