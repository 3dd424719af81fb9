//! No memory may be locked: sends without copying fail with `ENOMEM` (io_uring) and `ENOBUFS`, for the time being.
//!
//! The limit is the whole process's, so this is the only test in it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use pagelog_os::MappedFile;
use pagelog_transfer::{Path, Paths, Progress, Region, Rope, Sender};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Less than anybody may lock who has a limit.
const SIZE: usize = 20_000;

fn send(file: &Arc<MappedFile>, paths: &mut Paths) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    to.set_nonblocking(true).unwrap();
    let mut from = listener.accept().unwrap().0;
    let mut sender = Sender::new(Rope::from(Region::new(Arc::clone(file), 0, SIZE as u64)));
    while sender.send(to.as_fd(), paths).unwrap() != Progress::Done {
        thread::yield_now();
    }
    let mut seen = vec![0; SIZE];
    from.read_exact(&mut seen).unwrap();
    while sender.complete(to.as_fd(), paths) > 0 {
        thread::yield_now();
    }
    seen
}

fn limit(current: Option<u64>) {
    let limit = Rlimit {
        current,
        ..getrlimit(Resource::Memlock)
    };
    setrlimit(Resource::Memlock, limit).unwrap();
}

#[test]
fn where_no_memory_may_be_locked_others_go_on_and_nothing_is_remembered() {
    let before = getrlimit(Resource::Memlock).current;
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::IPC_LOCK);
    // Whoever has it, as an administrator, has no limit.
    set_capabilities(None, sets).unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at / 3) as u8).collect();
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(&bytes).unwrap();
    let file = Arc::new(MappedFile::new(file).unwrap());
    for path in [Path::ZeroCopy, Path::UringZeroCopy] {
        limit(Some(0));
        let mut paths = Paths::only(path);
        for _ in 0..2 {
            assert!(send(&file, &mut paths) == bytes, "{path}");
        }
        let without = paths.counters();
        assert_eq!(without[Path::ZeroCopy].bytes, 0, "{without:?}");
        assert_eq!(without[path].bytes, 0, "{path}: {without:?}");
        assert_eq!(without[Path::Gather].bytes, 2 * SIZE as u64, "{without:?}");
        assert!(without.shortages >= 2, "{path}: {without:?}");
        limit(before);
        assert!(send(&file, &mut paths) == bytes, "{path}");
        let with = paths.counters();
        // Refused for another reason: the kernel does not have it, or a filter is against it.
        assert!(
            with[path].bytes > 0 || with.refusals > 0,
            "{path}: {with:?}"
        );
        drop(paths);
        assert_eq!(Arc::strong_count(&file), 1, "{path}: the file is held");
    }
}
