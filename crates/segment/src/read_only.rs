//! Storage over a real directory that is only looked at: nothing is locked, made or changed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagelog_os::file;

use crate::directory::{failed, pid_in};
use crate::disk_file::DiskFile;
use crate::{DirectoryError, LOCK_NAME, Storage, StorageFile};

/// A data directory for those who only read: a copy, or one that a process is using now.
///
/// Every change is refused with `ReadOnlyFilesystem`, and files are open for reading alone, so no
/// mistake of its user can write.
#[derive(Debug)]
pub struct ReadOnlyDirectory {
    path: PathBuf,
}

/// Who has a data directory open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, as far as this process can see; a process of another machine or of a container that
    /// hides its processes cannot be seen.
    Nobody,
    /// The process with this id.
    Process(u32),
}

impl ReadOnlyDirectory {
    /// Takes the directory `path`, which must be there.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Io`] when it is not there, is no directory or cannot be read.
    pub fn open(path: impl Into<PathBuf>) -> Result<ReadOnlyDirectory, DirectoryError> {
        let path = path.into();
        fs::read_dir(&path).map_err(failed("read the data directory", &path))?;
        Ok(ReadOnlyDirectory { path })
    }

    /// The path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Who holds the directory's lock now. The kernel is asked; the lock is not touched, so a
    /// process that starts at this moment is not refused.
    #[must_use]
    pub fn holder(&self) -> Holder {
        let Ok(mut lock) = File::open(self.path.join(LOCK_NAME)) else {
            return Holder::Nobody;
        };
        let written = pid_in(&mut lock);
        let owners = file::lock_owners(&lock).unwrap_or_default();
        // Some file systems name another device in the list of locks than in the file's status.
        let holds = |owner: &&file::LockOwner| owner.same_device || Some(owner.process) == written;
        match owners.iter().find(holds) {
            Some(owner) => Holder::Process(owner.process),
            None => Holder::Nobody,
        }
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Storage for ReadOnlyDirectory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, _name: &str, _size: u64) -> io::Result<Arc<dyn StorageFile>> {
        refused()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = File::open(self.path.join(name))?;
        Ok(Arc::new(DiskFile::new(file)))
    }

    fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        refused()
    }

    fn remove(&self, _name: &str) -> io::Result<()> {
        refused()
    }

    fn set_aside(&self, _name: &str, _directory: &str) -> io::Result<()> {
        refused()
    }

    fn sync_directory(&self) -> io::Result<()> {
        refused()
    }
}
