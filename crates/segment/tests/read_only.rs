//! A directory that is only looked at, by whoever and in whatever use it is.

use std::fs;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{
    Directory, DirectoryError, Holder, OpenError, Position, ReadOnlyDirectory, Run, Segments,
    SegmentsOptions, Storage, file_name,
};

/// A directory with two segments and one made ahead at least, not held any more.
fn sample() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let segments = Segments::open(
        Arc::new(Directory::open(place.path()).unwrap()),
        SegmentsOptions::of_size(4096),
    )
    .unwrap();
    segments.start_ahead(Position(0)).unwrap();
    for number in 0..2_u8 {
        segments.wait_next(Duration::from_secs(60)).unwrap();
        let segment = segments.take_next().unwrap();
        segment.file().write_at(0, &[number; 10]).unwrap();
    }
    // Stopping now would leave the third one out: it is made on another thread.
    segments.wait_next(Duration::from_secs(60)).unwrap();
    place
}

#[test]
fn it_reads_and_refuses_every_change() {
    let place = sample();
    let directory = ReadOnlyDirectory::open(place.path()).unwrap();
    let run = Run::find(&directory).unwrap();
    assert!(run.broken.is_none() && run.segments.len() >= 2);
    let file = run.segments[1].file();
    let mut bytes = [9; 4];
    assert_eq!(file.read_at(8, &mut bytes).unwrap(), 4);
    assert_eq!(bytes, [1, 1, 0, 0]);

    let name = file_name(Position(0));
    let refused = [
        directory.rename(&name, "other").unwrap_err(),
        directory.remove(&name).unwrap_err(),
        directory.set_aside(&name, "aside").unwrap_err(),
        directory.create("new", 4096).unwrap_err(),
        directory.sync_directory().unwrap_err(),
    ];
    assert!(
        refused
            .iter()
            .all(|error| error.kind() == ErrorKind::ReadOnlyFilesystem)
    );
    file.write_at(0, b"x").unwrap_err();
    file.map_for_append().unwrap_err();
}

#[test]
fn it_says_who_holds_the_directory_and_takes_nothing() {
    let place = sample();
    let directory = ReadOnlyDirectory::open(place.path()).unwrap();
    assert_eq!(directory.holder(), Holder::Nobody);
    let held = Directory::open(place.path()).unwrap();
    assert_eq!(directory.holder(), Holder::Process(std::process::id()));
    drop(held);
    assert_eq!(directory.holder(), Holder::Nobody);
    drop(Directory::open(place.path()).unwrap());
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let place = tempfile::tempdir().unwrap();
    let absent = place.path().join("absent");
    let error = ReadOnlyDirectory::open(&absent).unwrap_err();
    assert!(matches!(error, DirectoryError::Io { .. }), "{error}");
    assert!(!absent.exists());
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    ReadOnlyDirectory::open(&file).unwrap_err();
}

#[test]
fn a_run_that_breaks_off_tells_what_is_whole() {
    for cut_short in [false, true] {
        let place = sample();
        let second = place.path().join(file_name(Position(4096)));
        if cut_short {
            fs::File::create(&second).unwrap();
        } else {
            fs::remove_file(&second).unwrap();
        }
        let directory = ReadOnlyDirectory::open(place.path()).unwrap();
        let run = Run::find(&directory).unwrap();
        assert_eq!(run.segments.len(), 1);
        let broken = run.broken.unwrap();
        let expected = if cut_short { 4096 } else { 8192 };
        assert_eq!(broken.behind.first(), Some(&Position(expected)));
        match broken.error {
            OpenError::Unusable { name, .. } => {
                assert!(cut_short && name == file_name(Position(4096)))
            }
            OpenError::MissingSegment { .. } => assert!(!cut_short),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_file_set_aside_keeps_its_bytes_and_is_not_written_over() {
    let place = sample();
    let directory = Directory::open(place.path()).unwrap();
    let name = file_name(Position(4096));
    directory.set_aside(&name, "aside").unwrap();
    assert!(!directory.list().unwrap().contains(&name));
    let mut bytes = Vec::new();
    let moved = place.path().join("aside").join(&name);
    fs::File::open(&moved)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    assert_eq!((bytes.len(), &bytes[..10]), (4096, &[1; 10][..]));
    directory.open(&format!("aside/{name}")).unwrap();

    directory.create(&name, 4096).unwrap();
    let refused = directory.set_aside(&name, "aside").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&moved).unwrap(), bytes);
    assert!(directory.list().unwrap().contains(&name));
    let absent = directory.set_aside("absent", "aside").unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
}
