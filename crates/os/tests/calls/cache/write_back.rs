//! Handing dirty pages to the disk: `sync_file_range`.

use std::fs::File;

use pagelog_os::cache::{self, WriteBack};

use super::written::{counts, written_file};

#[test]
fn written_back_pages_are_clean() {
    let (file, size) = written_file();
    cache::write_back(&file, 0..size / 2, WriteBack::Start).unwrap();
    cache::write_back(&file, 0..size, WriteBack::Wait).unwrap();
    if let Some(counts) = counts(&file, size) {
        assert_eq!((counts.dirty, counts.write_back), (0, 0));
    }
    cache::write_back(&file, 9..9, WriteBack::Wait).unwrap();
}

#[test]
fn what_has_no_pages_and_a_place_beyond_any_file_are_errors() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    cache::write_back(&pipe, 0..100, WriteBack::Wait).unwrap_err();
    let (file, _) = written_file();
    cache::write_back(&file, u64::MAX - 1..u64::MAX, WriteBack::Start).unwrap_err();
}
