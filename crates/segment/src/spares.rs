//! Files of deleted segments that wait to be used again: their blocks are allocated and written, so that syncing new
//! bytes in them has nothing to convert.
//!
//! A file gets here only when the kernel holds no page of it any more. *Sent is not gone*: after `sendfile` the socket
//! refers to the very pages of the file, so a byte that was once exposed may be changed only when its page is nobody's;
//! and a page that a socket holds cannot be let go.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::StorageFile;

/// Files to be used again, up to a number.
#[derive(Debug)]
pub(crate) struct Spares {
    size: u64,
    max: usize,
    /// Whether there is room to keep any.
    kept: AtomicBool,
    files: Mutex<Vec<Spare>>,
}

/// A file under its second name, of the size of a new segment, none of whose pages is in memory.
#[derive(Debug)]
pub(crate) struct Spare {
    pub(crate) name: String,
    pub(crate) file: Arc<dyn StorageFile>,
}

impl Spares {
    /// At most `max` files of `size` bytes.
    pub(crate) fn new(size: u64, max: usize) -> Spares {
        Spares {
            size,
            max,
            kept: AtomicBool::new(true),
            files: Mutex::default(),
        }
    }

    /// Whether a file of this size is wanted.
    pub(crate) fn wants(&self, size: u64) -> bool {
        size == self.size && self.kept.load(Relaxed) && self.lock().len() < self.max
    }

    /// Whether files are kept from now on.
    pub(crate) fn keep(&self, kept: bool) {
        self.kept.store(kept, Relaxed);
    }

    pub(crate) fn put(&self, spare: Spare) {
        self.lock().push(spare);
    }

    pub(crate) fn take(&self) -> Option<Spare> {
        self.lock().pop()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Spare>> {
        // No code under this lock can panic half-way.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
