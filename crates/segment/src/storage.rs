//! The seam to the disk: what a log needs of files, and nothing else.
//!
//! `dyn` is paid once per file operation, never per byte. The contract on each method is what the
//! log's durability rests on; an implementation that breaks it loses data.

use std::fmt::Debug;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::{MappedFile, Mapping};

/// One open file of fixed size. Every method may be called from any thread at any time.
pub trait StorageFile: Send + Sync + Debug {
    /// The size in bytes.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn size(&self) -> io::Result<u64>;

    /// Reads at byte `at` of the file; the count may be less than asked, and is 0 at the end only.
    ///
    /// # Errors
    ///
    /// What the storage gives; a bad sector is an error here and no signal.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes at byte `at`; the count may be less than asked. What is written is seen by
    /// [`StorageFile::read_at`], by every view and by every mapping at once, survives the death of
    /// the process, and survives power loss only after [`StorageFile::sync_data`].
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize>;

    /// As [`StorageFile::write_at`] for `ranges` of `memory`, one behind the other; the count may
    /// be less than their sum, and is when there are more ranges than one call takes (1024).
    ///
    /// # Errors
    ///
    /// What the storage gives.
    ///
    /// # Panics
    ///
    /// When a range lies outside `memory`.
    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize>;

    /// Writes zeros to the begin of `range` and has the disk begin with them; the count may be less than asked. No promise is made that
    /// they will be there: only that blocks that were never written are written sooner, so that a later [`StorageFile::sync_data`] finds less to do.
    ///
    /// # Errors
    ///
    /// What the storage gives. What the disk says of it afterwards, the next [`StorageFile::sync_data`] tells.
    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64>;

    /// Returns when every write, and every store through a mapping, that ended before the call
    /// survives power loss.
    ///
    /// # Errors
    ///
    /// After an error it is not known which writes survive, and a later success does not tell: a
    /// failed sync is final for its caller.
    fn sync_data(&self) -> io::Result<()>;

    /// As [`StorageFile::sync_data`], of the bytes of `range` of the file alone, to which was stored through a mapping of it. What else was written
    /// may survive or not.
    ///
    /// # Errors
    ///
    /// As [`StorageFile::sync_data`], and as final.
    ///
    /// # Panics
    ///
    /// When the range lies outside the file as it was when this was first called.
    fn sync_range(&self, range: Range<u64>) -> io::Result<()>;

    /// The end of the last byte that was ever written. May name a later byte than that, never an
    /// earlier one; reading may make it later.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn data_end(&self) -> io::Result<u64>;

    /// Asks the kernel to drop every page of `range` of the file that it holds in memory, after writing those that are dirty, and
    /// answers how many it holds still: because they are mapped, being read, or referred to by a socket that has not sent
    /// them yet. 0 says that whatever is written from now on changes no byte that anyone was given.
    ///
    /// # Errors
    ///
    /// `Unsupported` where that cannot be known; what else the storage gives.
    fn let_go(&self, range: Range<u64>) -> io::Result<u64>;

    /// Takes the bytes from `size` on away and gives their blocks back: for a file that is being deleted, and
    /// whose mappings are touched no more.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn shorten(&self, size: u64) -> io::Result<()>;

    /// The file for readers: a descriptor and a read-only mapping of the whole of it, which stay
    /// valid when the file is removed.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn view(&self) -> io::Result<Arc<MappedFile>>;

    /// A mapping for an appender: shared, writable, and advised for random access before the first
    /// touch, so that a store dirties one page and not a large folio.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn map_for_append(&self) -> io::Result<Mapping>;
}

/// A place of named files.
pub trait Storage: Send + Sync + Debug {
    /// The names of all files, in no order; also of files that are none of the log's.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `size` bytes of zeros. When this returns, its blocks are allocated in full,
    /// so that no later write needs one, and its size and blocks survive power loss; its name does
    /// so only after [`Storage::sync_directory`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists`; `StorageFull`. A file that could not be completed is removed if it can be.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    ///
    /// `NotFound`, and what else the storage gives.
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;

    /// Renames a file, in the place of the file `to` if there is one. Survives power loss only after
    /// [`Storage::sync_directory`]; until then it has happened or not, and nothing between.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name; whoever has the file open keeps it.
    ///
    /// # Errors
    ///
    /// `NotFound`, and what else the storage gives.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Moves a file into the directory `directory` of this place, under its own name, and makes the
    /// directory if it is not there. When this returns, that survives power loss; the file is then
    /// opened and renamed as `directory/name`.
    ///
    /// # Errors
    ///
    /// `NotFound`; `AlreadyExists` when a file of that name is there, which stays; what else the
    /// storage gives.
    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()>;

    /// Returns when every create, rename and remove that ended before the call survives power loss.
    ///
    /// # Errors
    ///
    /// What the storage gives.
    fn sync_directory(&self) -> io::Result<()>;
}
