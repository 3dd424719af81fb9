//! The data directory: its lock, and its files.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use pagelog_os::cache::{CountError, count_pages};
use pagelog_os::page_size;
use pagelog_segment::{Directory, DirectoryError, LOCK_NAME, Storage};

fn holder_of(path: &Path) -> Option<u32> {
    match Directory::open(path) {
        Err(DirectoryError::Held { path: held, pid }) => {
            assert_eq!(held, path);
            pid
        }
        other => panic!("not held: {other:?}"),
    }
}

#[test]
fn it_is_made_with_its_parents() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a/b/c");
    let directory = Directory::open(&path).unwrap();
    assert_eq!(directory.list().unwrap(), [LOCK_NAME]);
    assert_eq!(directory.path(), path);
}

#[test]
fn a_second_open_of_the_same_process_is_refused_until_the_first_ends() {
    let place = tempfile::tempdir().unwrap();
    let first = Directory::open(place.path()).unwrap();
    assert_eq!(holder_of(place.path()), Some(std::process::id()));
    drop(first);
    Directory::open(place.path()).unwrap();
}

#[test]
fn a_lock_file_with_any_text_is_no_obstacle() {
    let place = tempfile::tempdir().unwrap();
    for text in [
        "",
        "not a number",
        "99999999999999999999999999",
        "4194304\nand more",
    ] {
        fs::write(place.path().join(LOCK_NAME), text).unwrap();
        Directory::open(place.path()).unwrap();
        let written = fs::read_to_string(place.path().join(LOCK_NAME)).unwrap();
        assert_eq!(written, format!("{}\n", std::process::id()));
    }
}

#[test]
fn a_holder_that_has_not_told_its_pid_is_held_all_the_same() {
    let place = tempfile::tempdir().unwrap();
    let _directory = Directory::open(place.path()).unwrap();
    fs::write(place.path().join(LOCK_NAME), "").unwrap();
    assert_eq!(holder_of(place.path()), None);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, "in the way").unwrap();
    let text = Directory::open(&path).unwrap_err().to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
}

#[test]
fn a_created_file_has_its_size_and_reads_as_zeros_through_every_way() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let file = directory.create("new", 10_000).unwrap();
    assert_eq!(file.size().unwrap(), 10_000);
    let mut read = [1; 100];
    assert_eq!(file.read_at(9_950, &mut read).unwrap(), 50);
    assert_eq!(read[..50], [0; 50]);
    assert_eq!(
        directory.create("new", 1).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );

    assert_eq!(file.write_at(5_000, b"written").unwrap(), 7);
    let mapping = file.map_for_append().unwrap();
    mapping.copy_in(5_007, b" and stored").unwrap();
    file.sync_data().unwrap();
    let mut read = [0; 18];
    file.view()
        .unwrap()
        .mapping()
        .copy_out(5_000, &mut read)
        .unwrap();
    assert_eq!(&read, b"written and stored");
    let end = file.data_end().unwrap();
    assert!(end >= 5_018, "{end} of pages of {}", page_size());
}

/// What lies elsewhere is left to the kernel, which may have written it by now, so nothing is said of that.
#[test]
fn of_a_range_that_is_synced_no_page_is_dirty() {
    const SIZE: usize = 1 << 20;
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let file = directory.create("new", SIZE as u64).unwrap();
    let mapping = file.map_for_append().unwrap();
    mapping.copy_in(0, &[1; SIZE]).unwrap();
    let range = 100_000..500_001;
    file.sync_range(range.clone()).unwrap();
    let opened = fs::File::open(place.path().join("new")).unwrap();
    match count_pages(&opened, range) {
        Ok(counts) => assert_eq!((counts.dirty, counts.write_back), (0, 0)),
        Err(CountError::Io(error)) => panic!("{error}"),
        Err(error) => eprintln!("not looked at: {error}"),
    }
}

#[test]
fn a_file_that_the_disk_cannot_hold_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let error = directory.create("huge", 1 << 62).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::FileTooLarge
        ),
        "{error}"
    );
    assert_eq!(directory.list().unwrap(), [LOCK_NAME]);
}

#[test]
fn files_are_renamed_and_removed() {
    let place = tempfile::tempdir().unwrap();
    let directory = Directory::open(place.path()).unwrap();
    let file = directory.create("first", 100).unwrap();
    file.write_at(0, b"kept").unwrap();
    directory.rename("first", "second").unwrap();
    directory.sync_directory().unwrap();
    assert_eq!(
        directory.open("first").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let view = directory.open("second").unwrap().view().unwrap();
    directory.remove("second").unwrap();
    assert_eq!(
        directory.remove("second").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let mut read = [0; 4];
    view.mapping().copy_out(0, &mut read).unwrap();
    assert_eq!(&read, b"kept");
}
