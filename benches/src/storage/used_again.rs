//! A directory whose first segment was written before and is in nobody's memory: what the file of a deleted segment is when it is used again.

use std::fs::OpenOptions;
use std::io;
use std::sync::Arc;

use pagelog_os::file::{self, FileAdvice};
use pagelog_segment::{Directory, Position, Storage, StorageFile, file_name};

const STEP_SIZE: usize = 1 << 20;
/// What it holds of its earlier life.
const OLD: u8 = 0xa5;

/// As [`Directory`], but for how the first segment is made.
#[derive(Debug)]
pub(super) struct UsedAgain {
    directory: Directory,
}

impl UsedAgain {
    pub(super) fn new(directory: Directory) -> UsedAgain {
        UsedAgain { directory }
    }

    fn fill(&self, name: &str, size: u64) -> io::Result<()> {
        let path = self.directory.path().join(name);
        let file = OpenOptions::new().write(true).open(path)?;
        let step = vec![OLD; STEP_SIZE];
        let mut at = 0;
        while at < size {
            let left = usize::try_from(size - at).unwrap_or(STEP_SIZE);
            at += file::write_at(&file, at, &step[..left.min(STEP_SIZE)])? as u64;
        }
        file.sync_all()?;
        file::advise(&file, 0..size, FileAdvice::DontNeed)
    }
}

impl Storage for UsedAgain {
    fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list()
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.directory.create(name, size)?;
        // It has another name as long as it is not complete; files of other kinds have none like it.
        if name.starts_with(&file_name(Position(0))) {
            self.fill(name, size)?;
        }
        Ok(file)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.directory.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.directory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.remove(name)
    }

    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        self.directory.set_aside(name, directory)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync_directory()
    }
}
