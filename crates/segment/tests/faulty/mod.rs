//! A storage over a real directory whose changes can be made to fail.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pagelog_segment::{Directory, Storage, StorageFile};

/// How many more changes (create, rename, remove, sync of the directory) succeed.
#[derive(Debug)]
pub(crate) struct Faulty {
    directory: Directory,
    allowed: AtomicUsize,
    refused: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(directory: Directory, allowed: usize) -> Arc<Faulty> {
        let (allowed, refused) = (AtomicUsize::new(allowed), AtomicUsize::new(0));
        Arc::new(Faulty {
            directory,
            allowed,
            refused,
        })
    }

    pub(crate) fn allow(&self, count: usize) {
        self.allowed.store(count, Ordering::SeqCst);
    }

    /// How many changes were refused so far.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    fn spend(&self) -> io::Result<()> {
        let spend = |left: usize| left.checked_sub(1);
        match self
            .allowed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
        {
            Ok(_) => Ok(()),
            Err(_) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Err(ErrorKind::StorageFull.into())
            }
        }
    }
}

impl Storage for Faulty {
    fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list()
    }

    /// A refused create leaves a file of half the size behind, as a crash would.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        if let Err(error) = self.spend() {
            let _ = self.directory.create(name, size / 2);
            return Err(error);
        }
        self.directory.create(name, size)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.directory.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.spend()?;
        self.directory.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.spend()?;
        self.directory.remove(name)
    }

    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        self.spend()?;
        self.directory.set_aside(name, directory)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.spend()?;
        self.directory.sync_directory()
    }
}
