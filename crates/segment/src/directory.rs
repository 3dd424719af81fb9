//! Storage over a real directory, held by one process at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pagelog_os::file::{self, LockError};

use crate::disk_file::DiskFile;
use crate::{Storage, StorageFile};

/// The name of the file whose lock says that the directory is in use, and whose text is the
/// holder's process id. It stays when the holder is gone; only the lock counts.
pub const LOCK_NAME: &str = "pagelog.lock";

/// A data directory, locked against every other opener for the life of this value, of this process
/// too. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// The directories that hold the names of this one and of those made with it.
    parents: Vec<PathBuf>,
    /// Whether these names are known to be on the disk.
    parents_synced: AtomicBool,
    /// Holds the lock by being open.
    _lock: File,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another opener holds it.
    #[error(
        "the data directory {} is in use by {}: stop that process or choose another directory",
        path.display(), holder(*pid)
    )]
    Held {
        /// The directory.
        path: PathBuf,
        /// The holder's process id; `None` when it has not written it yet.
        pid: Option<u32>,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the file system said.
        #[source]
        error: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl Directory {
    /// Opens the directory `path`, making it (and its parents) if it is not there, and locks it.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Directory, DirectoryError> {
        let path = path.into();
        let parents = parents_of(&path);
        fs::create_dir_all(&path).map_err(failed("create the data directory", &path))?;
        let lock = lock(&path)?;
        Ok(Directory {
            path,
            parents,
            parents_synced: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// The path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_options() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options
    }

    /// Sees that the directory's own name survives power loss.
    fn sync_parents(&self) -> io::Result<()> {
        for parent in &self.parents {
            match file::sync_directory(parent) {
                // A parent that we may pass through but not read is not one that we made.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                result => result?,
            }
        }
        Ok(())
    }
}

/// The parent of a directory that is about to be made, and of each parent that will be made with it.
/// The first is there always: the directory may have been made by a process that died too early.
fn parents_of(path: &Path) -> Vec<PathBuf> {
    let mut parents = Vec::new();
    for parent in path.ancestors().skip(1) {
        let here = parent.as_os_str().is_empty();
        let parent = if here { Path::new(".") } else { parent };
        parents.push(parent.to_path_buf());
        if parent.is_dir() {
            break;
        }
    }
    parents
}

pub(crate) fn failed(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> DirectoryError {
    move |error| DirectoryError::Io {
        action,
        path: path.to_path_buf(),
        error,
    }
}

fn lock(directory: &Path) -> Result<File, DirectoryError> {
    let path = directory.join(LOCK_NAME);
    let mut lock = Directory::open_options()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open the lock file", &path))?;
    match file::lock_exclusive(&lock) {
        Ok(()) => {}
        Err(LockError::Held) => {
            let pid = pid_in(&mut lock);
            return Err(DirectoryError::Held {
                path: directory.to_path_buf(),
                pid,
            });
        }
        Err(LockError::Io(error)) => return Err(failed("lock", &path)(error)),
    }
    write_pid(&mut lock).map_err(failed("write the process id to", &path))?;
    Ok(lock)
}

/// The process id in a lock file that someone else wrote, and may be writing now.
pub(crate) fn pid_in(lock: &mut File) -> Option<u32> {
    const DIGITS_MAX: u64 = 16;
    let mut text = String::new();
    lock.take(DIGITS_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(format!("{}\n", std::process::id()).as_bytes())
}

impl Storage for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        let path = self.path.join(name);
        let file = Self::open_options().create_new(true).open(&path)?;
        // A store into a mapping must need no new block. Most file systems without this mark need none anyway; which of them do, the probe
        // of the operating system tells.
        file::overwrite_in_place(&file);
        match file::allocate(&file, size).and_then(|()| file.sync_all()) {
            Ok(()) => Ok(Arc::new(DiskFile::new(file))),
            Err(error) => {
                // The blocks it did get are wanted by others; the caller hears of the first error.
                let _ = fs::remove_file(&path);
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = Self::open_options().open(self.path.join(name))?;
        Ok(Arc::new(DiskFile::new(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        let place = self.path.join(directory);
        match fs::create_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let to = place.join(name);
        if to.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        fs::rename(self.path.join(name), to)?;
        file::sync_directory(&place)?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> io::Result<()> {
        file::sync_directory(&self.path)?;
        // Here and not at open: a name counts only once there is something in it that does, and
        // behind the sync of a file these find little left to do. A sync more does no harm.
        if !self.parents_synced.load(Ordering::Relaxed) {
            self.sync_parents()?;
            self.parents_synced.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
