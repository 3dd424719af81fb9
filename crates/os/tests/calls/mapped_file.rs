//! A file and its mapping as one thing.

use std::fs::{self, File};
use std::sync::Arc;

use pagelog_os::MappedFile;

#[test]
fn it_has_the_size_of_the_file_and_its_bytes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    fs::write(&path, b"twelve bytes").unwrap();
    let mapped = MappedFile::new(File::open(&path).unwrap()).unwrap();
    assert_eq!(mapped.size(), 12);
    assert_eq!(mapped.file().metadata().unwrap().len(), 12);

    // The bytes live as long as the value, whatever happens to the name.
    fs::remove_file(&path).unwrap();
    let mut read = [0; 12];
    mapped.mapping().copy_out(0, &mut read).unwrap();
    assert_eq!(&read, b"twelve bytes");
}

#[test]
fn what_it_was_given_to_keep_is_dropped_with_it() {
    let (first, second) = (Arc::new(1), Arc::new(2));
    let mapped = MappedFile::new(tempfile::tempfile().unwrap()).unwrap();
    let mapped = mapped
        .keeping(Arc::clone(&first))
        .keeping(Arc::clone(&second));
    assert_eq!(
        (Arc::strong_count(&first), Arc::strong_count(&second)),
        (2, 2)
    );
    drop(mapped);
    assert_eq!(
        (Arc::strong_count(&first), Arc::strong_count(&second)),
        (1, 1)
    );
}

#[test]
fn no_two_have_the_same_number() {
    let mapped = || MappedFile::new(tempfile::tempfile().unwrap()).unwrap();
    let first = mapped().number();
    let second = mapped();
    assert!(first != second.number() && second.number() != mapped().number());
}

#[test]
fn an_empty_file_is_mapped_empty() {
    let mapped = MappedFile::new(tempfile::tempfile().unwrap()).unwrap();
    assert_eq!(mapped.size(), 0);
}

#[test]
fn what_is_no_file_of_bytes_is_refused() {
    let place = tempfile::tempdir().unwrap();
    MappedFile::new(File::open(place.path()).unwrap()).unwrap_err();
}
