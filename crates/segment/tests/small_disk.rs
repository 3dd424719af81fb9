//! A real file system of a few megabytes that fills up and becomes read-only. Where mounting is not allowed, it says so and tests
//! nothing.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_segment::{Directory, DirectoryError, NextError, Position, Segments, SegmentsOptions};

const SEGMENT_SIZE: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(120);

/// A small file system in memory, mounted for the life of this value.
struct SmallDisk {
    place: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let place = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=5m", "tmpfs"];
        if run("mount", &options, place.path()) {
            return Some(SmallDisk { place });
        }
        println!("skipped: this user may not mount");
        None
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    fn make_read_only(&self) -> bool {
        run("mount", &["-o", "remount,ro"], self.path())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], self.place.path());
    }
}

fn run(command: &str, options: &[&str], path: &Path) -> bool {
    let output = Command::new(command).args(options).arg(path).output();
    output.is_ok_and(|output| output.status.success())
}

fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn open(disk: &SmallDisk) -> Segments {
    let directory = Arc::new(Directory::open(disk.path().join("data")).unwrap());
    let options = SegmentsOptions::of_size(SEGMENT_SIZE);
    let segments = Segments::open(directory, options).unwrap();
    segments.start_ahead(Position(0)).unwrap();
    segments
}

/// Takes segments until there is none, and answers why.
fn take_all(segments: &Segments) -> ErrorKind {
    loop {
        match segments.wait_next(LONG) {
            Ok(()) => drop(segments.take_next().unwrap()),
            Err(NextError::Failed(error)) => return error.kind(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_full_disk_is_told_and_goes_on_when_the_oldest_segment_goes() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let segments = open(&disk);
    assert_eq!(take_all(&segments), ErrorKind::StorageFull);
    let taken = segments.snapshot();
    assert_eq!(
        taken.len(),
        4,
        "5 MiB hold four whole segments beside the lock file"
    );
    for segment in taken.iter() {
        // Its blocks are there: no write meets a full disk.
        let written = segment.file().write_at(0, &[7; SEGMENT_SIZE as usize]);
        assert_eq!(written.unwrap(), SEGMENT_SIZE as usize);
    }
    drop(taken);
    segments.remove_front(Position(0)).unwrap();
    wait_until("room again", || segments.take_next().is_ok());
    assert_eq!(
        segments.snapshot().last().unwrap().base(),
        Position(4 * SEGMENT_SIZE)
    );
}

#[test]
fn a_read_only_disk_is_told_and_what_is_there_can_be_read() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let segments = open(&disk);
    segments.wait_next(LONG).unwrap();
    let first = segments.take_next().unwrap();
    first.file().write_at(0, b"there").unwrap();
    segments.wait_next(LONG).unwrap();
    drop(segments);
    drop(first);
    if !disk.make_read_only() {
        return;
    }
    match Directory::open(disk.path().join("data")) {
        Err(DirectoryError::Io { error, path, .. }) => {
            assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
            assert!(path.ends_with("pagelog.lock"));
        }
        other => panic!("{other:?}"),
    }
    let directory = pagelog_segment::ReadOnlyDirectory::open(disk.path().join("data")).unwrap();
    let run = pagelog_segment::Run::find(&directory).unwrap();
    let mut read = [0; 5];
    run.segments[0].file().read_at(0, &mut read).unwrap();
    assert_eq!(&read, b"there");
}
