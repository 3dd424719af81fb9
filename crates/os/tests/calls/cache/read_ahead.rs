//! Bringing a range of a file into the page cache: `readahead`.

use std::fs::File;
use std::time::{Duration, Instant};

use pagelog_os::cache;
use pagelog_os::file::{self, FileAdvice};

use super::written::written_file;

#[test]
fn what_was_read_ahead_becomes_resident() {
    let (file, size) = written_file();
    file::sync_data(&file).unwrap();
    file::advise(&file, 0..size, FileAdvice::DontNeed).unwrap();
    cache::read_ahead(&file, 0..size).unwrap();
    let memory = pagelog_os::Mapping::shared(&file, size as usize).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !memory.is_loaded(0..size as usize).unwrap() {
        assert!(Instant::now() < deadline, "read ahead never arrived");
        std::thread::yield_now();
    }
    cache::read_ahead(&file, 0..0).unwrap();
}

#[test]
fn what_has_no_pages_and_a_place_beyond_any_file_are_errors() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = File::from(std::os::fd::OwnedFd::from(reader));
    cache::read_ahead(&pipe, 0..100).unwrap_err();
    let (file, _) = written_file();
    cache::read_ahead(&file, u64::MAX - 1..u64::MAX).unwrap_err();
}
