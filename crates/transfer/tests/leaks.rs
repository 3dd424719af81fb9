//! Peers that reset, stall and vanish, by every path: descriptors, pipes, pinned and locked memory are counted before and after.
//!
//! They are counted for the whole process, so this is the only test in it.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_os::MappedFile;
use pagelog_transfer::{Path, Paths, Progress, Region, Rope, Sender};
use rustix::net::sockopt;

const FILE_SIZE: u64 = 1 << 20;
/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a peer ends that does not take all.
#[derive(Debug, Clone, Copy)]
enum End {
    Resets,
    /// Takes nothing, until this side gives up.
    Stalls,
    /// Closes well, in the middle.
    Vanishes,
}

/// What the process holds.
#[derive(Debug, PartialEq)]
struct Holds {
    descriptors: usize,
    /// `VmLck` and `VmPin`, in KiB; proc_pid_status(5).
    locked: Option<u64>,
    pinned: Option<u64>,
}

impl Holds {
    fn now() -> Holds {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse().ok()
        };
        Holds {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            locked: field("VmLck:"),
            pinned: field("VmPin:"),
        }
    }
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    sockopt::set_socket_recv_buffer_size(&listener, 1 << 16).unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    sockopt::set_socket_send_buffer_size(&to, 1 << 16).unwrap();
    to.set_nonblocking(true).unwrap();
    (to, listener.accept().unwrap().0)
}

/// Sends far more than the buffers hold, until the peer takes no more; then it ends so.
fn fail(file: &Arc<MappedFile>, paths: &mut Paths, end: End) {
    let (to, peer) = pair();
    let mut rope = Rope::from(b"header".to_vec());
    for _ in 0..32 {
        rope.push_region(Region::new(Arc::clone(file), 0, FILE_SIZE));
    }
    let mut sender = Sender::new(rope);
    while sender.send(to.as_fd(), paths).unwrap() != Progress::Blocked {}
    match end {
        End::Stalls => {
            drop((sender, to));
            return drop(peer);
        }
        End::Resets => {
            sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
        }
        End::Vanishes => {}
    }
    drop(peer);
    let began = Instant::now();
    while sender.send(to.as_fd(), paths).is_ok() {
        sender.complete(to.as_fd(), paths);
        assert!(began.elapsed() < PATIENCE, "nobody takes the bytes");
    }
}

#[test]
fn nothing_is_held_when_peers_have_failed() {
    let bytes: Vec<u8> = (0..FILE_SIZE).map(|at| (at / 5) as u8).collect();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    let file = Arc::new(MappedFile::new(file).unwrap());
    let before = Holds::now();
    assert!(before.locked.is_some(), "{before:?}");
    for path in Path::ALL {
        let mut paths = Paths::only(path);
        for end in [End::Resets, End::Stalls, End::Vanishes] {
            // What a thread keeps for all its senders, it has after the first of them.
            fail(&file, &mut paths, end);
            let first = Holds::now().descriptors;
            for _ in 0..5 {
                fail(&file, &mut paths, end);
                assert_eq!(paths.pipes_held(), 0, "{path}, {end:?}");
            }
            assert_eq!(Holds::now().descriptors, first, "{path}, {end:?}");
        }
        if path == Path::UringRead && paths.counters()[path].bytes > 0 {
            assert_ne!(Holds::now(), before, "its ring is not counted");
        }
        drop(paths);
        assert_eq!(Arc::strong_count(&file), 1, "{path}: the file is held");
        // The kernel ends a ring by and by.
        let began = Instant::now();
        while Holds::now() != before {
            assert!(
                began.elapsed() < PATIENCE,
                "{path}: {:?}, {before:?}",
                Holds::now()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
