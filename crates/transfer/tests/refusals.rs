//! Refusals, by the kernel, by a filter, for want of descriptors: another path takes over, and the refusal is remembered where it
//! holds.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use pagelog_os::{MappedFile, filter};
use pagelog_transfer::{Path, Paths, Progress, Region, Rope, Sender};

const SIZE: usize = 400_000;

fn file() -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 3) as u8).collect();
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&bytes).unwrap();
    (Arc::new(MappedFile::new(file).unwrap()), bytes)
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    to.set_nonblocking(true).unwrap();
    (to, listener.accept().unwrap().0)
}

/// Sends the whole file to a peer that reads all.
fn send<S: AsFd, R: Read + Send>(
    file: &Arc<MappedFile>,
    (to, mut from): (S, R),
    paths: &mut Paths,
) -> Vec<u8> {
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            let mut seen = Vec::new();
            from.read_to_end(&mut seen).unwrap();
            seen
        });
        let mut sender = Sender::new(Rope::from(Region::new(Arc::clone(file), 0, SIZE as u64)));
        while sender.send(to.as_fd(), paths).unwrap() != Progress::Done {
            thread::yield_now();
        }
        drop((to, sender));
        reader.join().unwrap()
    })
}

#[test]
fn without_io_uring_the_ladder_goes_on_and_asks_once() {
    let (file, bytes) = file();
    let worker = move || {
        filter::refuse_io_uring().unwrap();
        let ways = [
            (Path::UringSplice, Path::Splice),
            (Path::UringZeroCopy, Path::ZeroCopy),
            (Path::UringRead, Path::Reference),
        ];
        for (path, below) in ways {
            let mut paths = Paths::only(path);
            for _ in 0..2 {
                assert!(send(&file, pair(), &mut paths) == bytes);
            }
            let counters = paths.counters();
            assert_eq!((counters[path].bytes, counters.refusals), (0, 1), "{path}");
            assert_eq!(counters[below].bytes, 2 * SIZE as u64, "{path}");
            assert!(counters[below].taken_over > 0);
        }
    };
    // The filter is this thread's for good.
    thread::spawn(worker).join().unwrap();
}

#[test]
fn without_memory_for_completions_the_next_rung_goes_on_and_nothing_is_remembered() {
    let (file, bytes) = file();
    let worker = move || {
        filter::starve_zero_copy().unwrap();
        let mut paths = Paths::only(Path::ZeroCopy);
        for _ in 0..2 {
            assert!(send(&file, pair(), &mut paths) == bytes);
        }
        let counters = paths.counters();
        assert_eq!((counters[Path::ZeroCopy].bytes, counters.refusals), (0, 0));
        assert!(counters.shortages >= 2, "{counters:?}");
        assert_eq!(counters[Path::Gather].bytes, 2 * SIZE as u64);
    };
    // The filter is this thread's for good.
    thread::spawn(worker).join().unwrap();
}

#[test]
fn what_one_kind_of_socket_refuses_another_may_do() {
    let (file, bytes) = file();
    let mut paths = Paths::only(Path::ZeroCopy);
    for round in 1..=2 {
        let (to, from) = UnixStream::pair().unwrap();
        to.set_nonblocking(true).unwrap();
        assert!(send(&file, (to, from), &mut paths) == bytes);
        assert_eq!(paths.counters().refusals, 1, "it is remembered");
        assert_eq!(paths.counters()[Path::Gather].bytes, round * SIZE as u64);
    }
    assert_eq!(paths.counters()[Path::ZeroCopy].bytes, 0);
    assert!(send(&file, pair(), &mut paths) == bytes);
    assert_eq!(paths.counters()[Path::ZeroCopy].bytes, SIZE as u64);
}

#[test]
fn a_peer_on_this_machine_turns_sends_without_copying_off_unless_they_are_forced() {
    let (file, bytes) = file();
    let mut forced = Paths::only(Path::ZeroCopy);
    let (to, mut from) = pair();
    let mut sender = Sender::new(Rope::from(Region::new(Arc::clone(&file), 0, 1_000)));
    assert_eq!(
        sender.send(to.as_fd(), &mut forced).unwrap(),
        Progress::Done
    );
    from.read_exact(&mut [0; 1_000]).unwrap();
    while sender.complete(to.as_fd(), &mut forced) > 0 {
        thread::yield_now();
    }
    assert_eq!(forced.counters().completions, 1);
    assert_eq!(sender.complete(to.as_fd(), &mut forced), 0);

    let table: String = (8..24)
        .map(|bits| format!("{} zerocopy zerocopy\n", 1 << bits))
        .collect();
    let mut chosen = Paths::choosing(table.parse().unwrap());
    let (to, mut from) = pair();
    let mut sender = Sender::default();
    for _ in 0..100 {
        sender.push(Rope::from(Region::new(Arc::clone(&file), 0, 1_000)));
        while sender.send(to.as_fd(), &mut chosen).unwrap() != Progress::Done {}
        let mut seen = [0; 1_000];
        from.read_exact(&mut seen).unwrap();
        assert_eq!(seen, bytes[..1_000]);
    }
    let counters = chosen.counters();
    assert_eq!(
        counters[Path::ZeroCopy].measured,
        counters[Path::ZeroCopy].bytes / 1_000
    );
    if counters.completions_copied > 0 {
        assert!(counters[Path::Gather].taken_over > 0, "{counters:?}");
    }
}

#[test]
fn a_stalled_peer_holds_a_pipe_and_leaves_it_when_it_goes() {
    let (file, _) = file();
    let mut paths = Paths::only(Path::Splice);
    // As many as nobody may hold, and one more: the rest goes by other paths.
    let stalled: Vec<_> = (0..70)
        .map(|_| {
            let (to, from) = pair();
            let mut rope = Rope::new();
            for _ in 0..40 {
                rope.push_region(Region::new(Arc::clone(&file), 0, SIZE as u64));
            }
            let mut sender = Sender::new(rope);
            while sender.send(to.as_fd(), &mut paths).unwrap() != Progress::Blocked {}
            (sender, to, from)
        })
        .collect();
    let held = paths.pipes_held();
    assert!((1..=64).contains(&held), "{held}");
    drop(stalled);
    assert_eq!(paths.pipes_held(), 0);
}
