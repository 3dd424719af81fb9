//! With no descriptor left, and with them back: every path goes on, and none leaks one.
//!
//! The limit is the whole process's, so this is the only test in it.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pagelog_os::MappedFile;
use pagelog_transfer::{Path, Paths, Progress, Region, Rope, Sender};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SIZE: usize = 300_000;

fn file() -> (Arc<MappedFile>, Vec<u8>) {
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 11) as u8).collect();
    let file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all_at(&bytes, 0).unwrap();
    (Arc::new(MappedFile::new(file).unwrap()), bytes)
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    to.set_nonblocking(true).unwrap();
    let from = listener.accept().unwrap().0;
    from.set_nonblocking(true).unwrap();
    (to, from)
}

/// Sends the file; opens nothing. A socket has one sender all its life: the kernel numbers its sends.
fn send(
    file: &Arc<MappedFile>,
    (to, from): &(TcpStream, TcpStream),
    sender: &mut Sender,
    paths: &mut Paths,
) -> Vec<u8> {
    sender.push(Rope::from(Region::new(Arc::clone(file), 0, SIZE as u64)));
    let mut seen = vec![0; SIZE];
    let mut filled = 0;
    while filled < SIZE {
        if !sender.is_empty() {
            let progress = sender.send(to.as_fd(), paths).unwrap();
            assert!(progress != Progress::Cold);
        }
        filled += (&mut &*from).read(&mut seen[filled..]).unwrap_or(0);
    }
    // Completions hold the file.
    while sender.complete(to.as_fd(), paths) > 0 {}
    seen
}

/// Takes all descriptors that there are.
fn exhaust() -> Vec<OwnedFd> {
    let null = File::open("/dev/null").unwrap();
    let mut taken: Vec<OwnedFd> = std::iter::from_fn(|| rustix::io::dup(&null).ok()).collect();
    taken.push(null.into());
    taken
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn without_descriptors_another_path_goes_on_and_none_is_leaked() {
    let before = open_descriptors();
    let limit = Rlimit {
        current: Some(256),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    let (file, bytes) = file();
    for path in Path::ALL {
        let sockets = pair();
        let mut sender = Sender::default();
        let mut paths = Paths::only(path);
        let taken = exhaust();
        assert!(
            send(&file, &sockets, &mut sender, &mut paths) == bytes,
            "{path}"
        );
        let needs_one = !matches!(
            path,
            Path::Reference | Path::Gather | Path::SendFile | Path::ZeroCopy
        );
        let without = paths.counters();
        if needs_one {
            assert_eq!(without[path].bytes, 0, "{path}: {without:?}");
            assert!(without.shortages > 0, "{path}: {without:?}");
        }
        assert_eq!(without.refusals, 0, "{path}: a shortage is no refusal");
        drop(taken);
        // It was not given up: where the kernel has it, it is taken again.
        assert!(
            send(&file, &sockets, &mut sender, &mut paths) == bytes,
            "{path}"
        );
        let with = paths.counters();
        assert!(
            with[path].bytes > 0 || with.refusals > 0,
            "{path}: {with:?}"
        );
        drop((paths, sender, sockets));
        assert_eq!(Arc::strong_count(&file), 1, "{path}: the file is held");
        // The file, and nothing else.
        assert_eq!(open_descriptors(), before + 1, "{path} leaks");
    }
}
