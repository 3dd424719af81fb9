//! A directory whose files have no blocks until they are written to: what the log never uses, to be measured beside what it does.

use std::fs::OpenOptions;
use std::io;
use std::sync::Arc;

use pagelog_segment::{Directory, Storage, StorageFile};

/// As [`Directory`], but for how files are made.
#[derive(Debug)]
pub(super) struct Sparse {
    directory: Directory,
}

impl Sparse {
    pub(super) fn new(directory: Directory) -> Sparse {
        Sparse { directory }
    }
}

impl Storage for Sparse {
    fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list()
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        let path = self.directory.path().join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.set_len(size)?;
        file.sync_all()?;
        self.directory.open(name)
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
