//! A directory whose files are made in another way than the log's are, to be measured beside them.

use std::fs::OpenOptions;
use std::io;
use std::sync::Arc;

use pagelog_os::file::{self, FileAdvice};
use pagelog_segment::{Directory, Position, Storage, StorageFile, file_name};

const STEP_SIZE: usize = 1 << 20;
/// What a file that is used again holds of its earlier life.
const OLD: u8 = 0xa5;

/// As [`Directory`], but for how files are made.
#[derive(Debug)]
pub(super) struct Prepared {
    directory: Directory,
    create: fn(&Directory, &str, u64) -> io::Result<Arc<dyn StorageFile>>,
}

impl Prepared {
    /// Files have no blocks until they are written to, which the log never does.
    pub(super) fn sparse(directory: Directory) -> Prepared {
        Prepared {
            directory,
            create: create_sparse,
        }
    }

    /// The first segment was written before and is in nobody's memory: what the file of a deleted segment is when it is used again.
    pub(super) fn used_again(directory: Directory) -> Prepared {
        Prepared {
            directory,
            create: create_used_again,
        }
    }
}

fn create_sparse(directory: &Directory, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
    let path = directory.path().join(name);
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.set_len(size)?;
    file.sync_all()?;
    directory.open(name)
}

fn create_used_again(
    directory: &Directory,
    name: &str,
    size: u64,
) -> io::Result<Arc<dyn StorageFile>> {
    let file = directory.create(name, size)?;
    // It has another name as long as it is not complete; files of other kinds have none like it.
    if name.starts_with(&file_name(Position(0))) {
        fill(directory, name, size)?;
    }
    Ok(file)
}

fn fill(directory: &Directory, name: &str, size: u64) -> io::Result<()> {
    let path = directory.path().join(name);
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

impl Storage for Prepared {
    fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list()
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        (self.create)(&self.directory, name, size)
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
