//! An open file and the mapping of it, as one thing to share.

use std::any::Any;
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::Mapping;

/// A file that is open, and mapped read-only in the size it had when it was opened.
///
/// This is what whoever sends a range of a file holds (in an `Arc`): the descriptor for `sendfile`
/// and `pread`, the mapping for gathered sends. The file's blocks live until the last holder lets
/// go, also when its name is removed.
pub struct MappedFile {
    number: u64,
    mapping: Mapping,
    file: File,
    /// Dropped last.
    kept: Option<Box<dyn Any + Send + Sync>>,
}

impl MappedFile {
    /// Maps the whole of `file`, which is open for reading.
    ///
    /// # Errors
    ///
    /// As [`Mapping::shared_read_only`]; `FileTooLarge` when the size does not fit an address.
    pub fn new(file: File) -> io::Result<MappedFile> {
        let size = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mapping = Mapping::shared_read_only(&file, size)?;
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        Ok(MappedFile {
            number,
            mapping,
            file,
            kept: None,
        })
    }

    /// Holds `kept` until the last holder of this lets go, and drops it when file and mapping are closed: what the bytes depend on
    /// beside the open file, such as a lock, a lease, or a place that is to be used again.
    #[must_use]
    pub fn keeping(self, kept: impl Send + Sync + 'static) -> MappedFile {
        MappedFile {
            kept: Some(Box::new((self.kept, kept))),
            ..self
        }
    }

    /// A number that no other one in the life of this process has, whatever becomes of this one.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The read-only mapping of the whole file.
    #[must_use]
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    /// The size in bytes when the file was mapped.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.mapping.size() as u64
    }
}

impl fmt::Debug for MappedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MappedFile")
            .field("number", &self.number)
            .field("mapping", &self.mapping)
            .field("file", &self.file)
            .field("keeps", &self.kept.is_some())
            .finish()
    }
}
