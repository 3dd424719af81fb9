//! Every path against the plain bytes, over sockets that take little at a time; the ladder; files that are cut short.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use pagelog_os::{MappedFile, filter};
use pagelog_transfer::{
    Path, Paths, Progress, Region, Rope, SEND_FILE_SIZE_MIN, SEND_SIZE_MAX, SendError, Sender,
};
use proptest::prelude::*;
use rustix::fs::OFlags;
use rustix::net::sockopt;

const FILE_SIZE: usize = 300_000;

struct Files(Vec<(Arc<MappedFile>, Vec<u8>)>);

impl Files {
    fn new(count: usize) -> Files {
        Files((0..count).map(file).collect())
    }
}

fn file(seed: usize) -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..FILE_SIZE)
        .map(|at| (at.wrapping_mul(31 + seed) >> 3) as u8)
        .collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    (Arc::new(MappedFile::new(file).unwrap()), bytes)
}

/// A connected pair, both ends non-blocking, whose buffers hold little. With less the kernel drops what comes in pages, and a test
/// would wait for it to be sent again.
fn narrow_pair() -> (TcpStream, TcpStream) {
    pair_of(16_384)
}

fn pair_of(buffer_size: usize) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&listener, buffer_size).unwrap();
    let sending = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (receiving, _) = listener.accept().unwrap();
    sockopt::set_socket_send_buffer_size(&sending, buffer_size).unwrap();
    for socket in [&sending, &receiving] {
        socket.set_nodelay(true).unwrap();
        socket.set_nonblocking(true).unwrap();
    }
    (sending, receiving)
}

/// As narrow as a path can stand: what is sent without copying comes in whole pages, for which a receiver must have room, else the
/// kernel drops them and sends them again after a while.
fn pair_for(path: Option<Path>) -> (TcpStream, TcpStream) {
    match path {
        Some(Path::ZeroCopy | Path::UringZeroCopy) => pair_of(1 << 20),
        _ => narrow_pair(),
    }
}

/// Reads what has arrived, at most `limit` bytes; 0 when there is nothing now.
fn take(socket: &mut TcpStream, limit: usize, into: &mut Vec<u8>) -> usize {
    // Else the peer's next bytes may wait for a delayed acknowledgement; the kernel forgets it again and again.
    sockopt::set_tcp_quickack(&*socket, true).unwrap();
    let mut buffer = vec![0; limit];
    match socket.read(&mut buffer) {
        Ok(size) => {
            into.extend_from_slice(&buffer[..size]);
            size
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    }
}

/// Sends `rope` while reading it in portions of the given sizes; `between` runs after each call of the sender.
fn exchange(
    rope: Rope,
    (pair, paths): ((TcpStream, TcpStream), &mut Paths),
    reads: &[usize],
    mut between: impl FnMut(&TcpStream, u64),
) -> Result<Vec<u8>, SendError> {
    let (sending, mut receiving) = pair;
    let size = rope.len() as usize;
    let mut sender = Sender::new(rope);
    let mut seen = Vec::new();
    let mut reads = reads.iter().cycle();
    loop {
        let progress = sender.send(sending.as_fd(), paths)?;
        between(&sending, sender.size());
        take(&mut receiving, *reads.next().unwrap(), &mut seen);
        if progress == Progress::Done {
            break;
        }
    }
    assert_eq!(
        (sender.size(), sender.owned_size(), sender.count()),
        (0, 0, 0)
    );
    while seen.len() < size {
        take(&mut receiving, 65_536, &mut seen);
    }
    assert_eq!(
        take(&mut receiving, 1, &mut seen),
        0,
        "more was sent than the rope holds"
    );
    Ok(seen)
}

/// The chooser, and each path alone; where the kernel refuses one, the ladder below it is what is tested.
fn all_paths() -> Vec<(Option<Path>, Paths)> {
    let each = Path::ALL.map(|path| (Some(path), Paths::only(path)));
    each.into_iter().chain([(None, Paths::new())]).collect()
}

/// A rope and the bytes it stands for. Sizes below 1,000 are common, those around the break-even happen.
fn rope_of(files: &Files, pieces: &[(usize, usize, usize)]) -> (Rope, Vec<u8>) {
    let (mut rope, mut plain) = (Rope::new(), Vec::new());
    for &(kind, at, size) in pieces {
        match files.0.get(kind) {
            Some((file, bytes)) => {
                let size = size.min(FILE_SIZE - at);
                rope.push_region(Region::new(Arc::clone(file), at as u64, size as u64));
                plain.extend_from_slice(&bytes[at..at + size]);
            }
            None => {
                let bytes = vec![at as u8; size % 400];
                plain.extend_from_slice(&bytes);
                rope.push_bytes(bytes);
            }
        }
    }
    (rope, plain)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_path_sends_what_the_rope_says(
        pieces in prop::collection::vec((0..5usize, 0..FILE_SIZE, prop_oneof![4 => 0..1_000usize, 1 => 0..150_000usize]), 0..20),
        reads in prop::collection::vec(500..20_000usize, 1..8),
    ) {
        let files = Files::new(3);
        let (rope, plain) = rope_of(&files, &pieces);
        prop_assert_eq!(&rope.read_all().unwrap(), &plain);
        for (path, mut paths) in all_paths() {
            let seen = exchange(rope.clone(), (pair_for(path), &mut paths), &reads, |_, _| {}).unwrap();
            prop_assert!(seen == plain, "{:?}", paths);
            let counters = paths.counters();
            prop_assert_eq!(counters.bytes(), rope.len());
            prop_assert_eq!(counters.owned_bytes, rope.owned_size());
            let copied = Path::ALL.into_iter().filter(|path| path.copies());
            prop_assert_eq!(counters.copied_bytes, copied.map(|path| counters[path].bytes).sum::<u64>());
            prop_assert_eq!(paths.pipes_held(), 0);
        }
    }

    #[test]
    fn a_path_that_is_closed_in_the_middle_hands_over_at_the_byte_where_it_stood(
        pieces in prop::collection::vec((0..5usize, 0..FILE_SIZE, 0..150_000usize), 1..8),
        first in 0..Path::ALL.len(),
        closings in prop::collection::vec((0.0..1.0f64, 0..Path::ALL.len()), 0..6),
    ) {
        let files = Files::new(3);
        let (rope, plain) = rope_of(&files, &pieces);
        let mut paths = Paths::only(Path::ALL[first]);
        let (sending, mut receiving) = pair_for(Some(Path::UringZeroCopy));
        let size = rope.len();
        let mut sender = Sender::new(rope);
        let mut seen = Vec::new();
        while sender.send(sending.as_fd(), &mut paths).unwrap() != Progress::Done {
            take(&mut receiving, 7_000, &mut seen);
            for (at, path) in &closings {
                if sender.size() <= (size as f64 * at) as u64 {
                    paths.close(Path::ALL[*path]);
                }
            }
        }
        while (seen.len() as u64) < size {
            take(&mut receiving, 65_536, &mut seen);
        }
        prop_assert!(seen == plain, "{:?}", paths.counters());
        prop_assert_eq!(paths.pipes_held(), 0);
    }

    #[test]
    fn a_refused_sendfile_hands_over_at_the_byte_where_it_stood(
        pieces in prop::collection::vec((0..5usize, 0..FILE_SIZE, 0..150_000usize), 1..8),
        refuse_at in 0.0..1.0f64,
    ) {
        let files = Files::new(3);
        let (rope, plain) = rope_of(&files, &pieces);
        let refuse_below = (rope.len() as f64 * refuse_at) as u64;
        let mut paths = Paths::only(Path::SendFile);
        let seen = exchange(rope, (narrow_pair(), &mut paths), &[5_000], |socket, left| {
            if left <= refuse_below {
                // The kernel refuses to splice into what is open for appending: EINVAL, sendfile(2).
                rustix::fs::fcntl_setfl(socket, OFlags::NONBLOCK | OFlags::APPEND).unwrap();
            }
        }).unwrap();
        prop_assert!(seen == plain);
        prop_assert!(paths.counters().refusals <= 1);
        prop_assert_eq!(paths.counters().copied_bytes, 0);
    }
}

#[test]
fn long_runs_go_by_sendfile_and_short_ones_are_gathered_and_none_is_copied() {
    let (file, bytes) = file(1);
    let mut rope = Rope::new();
    for at in 0..100 {
        rope.push_bytes(vec![1; 20]);
        rope.push_region(Region::new(Arc::clone(&file), at * 2_000, 1_000));
    }
    rope.push_bytes(vec![2; 30]);
    rope.push_region(Region::new(Arc::clone(&file), 10, SEND_FILE_SIZE_MIN));
    let (sending, mut receiving) = narrow_pair();
    sockopt::set_socket_send_buffer_size(&sending, 1 << 20).unwrap();

    let mut paths = Paths::new();
    let mut sender = Sender::new(rope);
    let mut seen = Vec::new();
    while sender.send(sending.as_fd(), &mut paths).unwrap() != Progress::Done {
        take(&mut receiving, 65_536, &mut seen);
    }
    let counters = paths.counters();
    assert_eq!(counters[Path::Gather].bytes, 100 * 1_020 + 30);
    assert_eq!(counters[Path::SendFile].bytes, SEND_FILE_SIZE_MIN);
    assert_eq!(
        (counters.copied_bytes, counters[Path::Reference].calls),
        (0, 0)
    );
    assert!(counters[Path::Gather].calls <= 3, "{counters:?}");
    assert!(!bytes.is_empty());
}

#[test]
fn a_refusal_is_remembered() {
    let (file, bytes) = file(2);
    let (sending, mut receiving) = narrow_pair();
    rustix::fs::fcntl_setfl(&sending, OFlags::NONBLOCK | OFlags::APPEND).unwrap();
    let mut paths = Paths::only(Path::SendFile);
    for _ in 0..3 {
        let rope = Rope::from(Region::new(Arc::clone(&file), 7, 500));
        assert_eq!(
            Sender::new(rope).send(sending.as_fd(), &mut paths).unwrap(),
            Progress::Done
        );
    }
    assert_eq!(
        (
            paths.counters().refusals,
            paths.counters()[Path::SendFile].calls
        ),
        (1, 1)
    );
    assert_eq!(paths.counters()[Path::Gather].bytes, 1_500);
    let mut seen = Vec::new();
    while seen.len() < 1_500 {
        take(&mut receiving, 4_096, &mut seen);
    }
    assert_eq!(seen, bytes[7..507].repeat(3));
}

#[test]
fn one_call_moves_a_bounded_part() {
    let (sending, receiving) = std::os::unix::net::UnixStream::pair().unwrap();
    sending.set_nonblocking(true).unwrap();
    sockopt::set_socket_send_buffer_size(&sending, 1 << 20).unwrap();
    let mut sender = Sender::new(Rope::from(vec![5; 3 * SEND_SIZE_MAX as usize]));
    let reader = std::thread::spawn(move || io::copy(&mut &receiving, &mut io::sink()).unwrap());
    let mut left = sender.size();
    loop {
        let progress = sender.send(sending.as_fd(), &mut Paths::new()).unwrap();
        assert!(left - sender.size() <= SEND_SIZE_MAX);
        left = sender.size();
        if progress == Progress::Done {
            break;
        }
    }
    drop(sending);
    assert_eq!(reader.join().unwrap(), 3 * SEND_SIZE_MAX);
}

#[test]
fn a_file_that_became_shorter_is_an_error_by_every_path() {
    for (path, mut paths) in all_paths() {
        // Far more than a pair's buffers hold.
        let regions = match path {
            Some(Path::ZeroCopy | Path::UringZeroCopy) => 60,
            _ => 1,
        };
        let (file, bytes) = file(3);
        let mut rope = Rope::from(vec![1; 100]);
        for _ in 0..regions {
            rope.push_region(Region::new(Arc::clone(&file), 0, FILE_SIZE as u64));
        }
        let mut cut = false;
        let last = rope.len() * 2 / 3;
        let result = exchange(rope, (pair_for(path), &mut paths), &[30_000], |_, left| {
            if left < last && !cut {
                cut = true;
                let name = format!(
                    "/proc/self/fd/{}",
                    std::os::fd::AsRawFd::as_raw_fd(file.file())
                );
                let writable = std::fs::OpenOptions::new().write(true).open(name).unwrap();
                writable.set_len(200_704).unwrap();
            }
        });
        match result {
            Err(SendError::FileShort { at, size }) => {
                // What was taken out of the file before is sent to its end.
                let staged = match path {
                    Some(Path::Splice | Path::UringSplice | Path::Direct) => 256 * 1024,
                    _ => 0,
                };
                assert!((200_704..=200_704 + staged).contains(&at), "{paths:?}");
                assert_eq!(at + size, FILE_SIZE as u64, "{paths:?}");
            }
            other => panic!("{paths:?}: {:?}", other.map(|bytes| bytes.len())),
        }
        assert!(cut && !bytes.is_empty());
    }
}

#[test]
fn what_a_file_got_after_it_was_mapped_goes_by_every_path() {
    use std::os::unix::fs::FileExt;
    for (path, mut paths) in all_paths() {
        let (file, mut bytes) = file(6);
        let more = vec![9; 40_000];
        file.file().write_all_at(&more, FILE_SIZE as u64).unwrap();
        bytes.extend_from_slice(&more);
        let mut rope = Rope::from(vec![1; 100]);
        let mut expected = vec![1; 100];
        for (at, size) in [(10, 500), (FILE_SIZE - 200, 500), (FILE_SIZE, 40_000)] {
            rope.push_region(Region::new(Arc::clone(&file), at as u64, size as u64));
            expected.extend_from_slice(&bytes[at..at + size]);
        }
        let seen = exchange(rope, (pair_for(path), &mut paths), &[9_000], |_, _| {}).unwrap();
        assert!(seen == expected, "{path:?}");
        let end = Rope::from(Region::new(file, bytes.len() as u64 - 1, 2));
        let (sending, _receiving) = narrow_pair();
        let result = Sender::new(end).send(sending.as_fd(), &mut paths);
        assert!(
            matches!(result, Err(SendError::FileShort { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn a_region_that_the_file_never_had_is_an_error() {
    for (_, mut paths) in all_paths() {
        for (at, size) in [
            (FILE_SIZE as u64, 1),
            (u64::MAX - 3, 3),
            (1 << 62, 70_000),
            (u64::MAX, u64::MAX),
        ] {
            let (file, _) = file(4);
            let (sending, _receiving) = narrow_pair();
            let result = Sender::new(Rope::from(Region::new(file, at, size)))
                .send(sending.as_fd(), &mut paths);
            assert!(
                matches!(
                    result,
                    Err(SendError::FileShort { .. } | SendError::File { .. })
                ),
                "{paths:?} {result:?}"
            );
        }
    }
}

#[test]
fn a_peer_that_is_gone_is_an_error() {
    let (file, _) = file(5);
    for (_, mut paths) in all_paths() {
        let (sending, receiving) = narrow_pair();
        drop(receiving);
        let mut sender = Sender::new(Rope::from(Region::new(
            Arc::clone(&file),
            0,
            FILE_SIZE as u64,
        )));
        let error = loop {
            match sender.send(sending.as_fd(), &mut paths) {
                Ok(Progress::Done) => panic!("nobody took the bytes"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, SendError::Socket(_)), "{error:?}");
    }
}

/// The same again where a filter refuses io_uring, as in many containers.
#[test]
fn without_io_uring_all_of_it_holds() {
    let worker = || {
        filter::refuse_io_uring().unwrap();
        every_path_sends_what_the_rope_says();
        a_path_that_is_closed_in_the_middle_hands_over_at_the_byte_where_it_stood();
        a_refused_sendfile_hands_over_at_the_byte_where_it_stood();
        a_file_that_became_shorter_is_an_error_by_every_path();
        what_a_file_got_after_it_was_mapped_goes_by_every_path();
        a_region_that_the_file_never_had_is_an_error();
        a_peer_that_is_gone_is_an_error();
    };
    // The filter is this thread's for good.
    std::thread::spawn(worker).join().unwrap();
}
