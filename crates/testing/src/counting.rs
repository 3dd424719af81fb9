//! [`Counting`]: any storage, with a count of what is asked of it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pagelog_os::{MappedFile, Mapping};
use pagelog_segment::{Storage, StorageFile};

/// What was asked of a storage so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `write_at` and `write_gather_at`.
    pub writes: u64,
    /// Bytes these wrote.
    pub bytes_written: u64,
    /// Calls of `sync_data`.
    pub syncs: u64,
    /// Calls of `create`.
    pub creates: u64,
}

#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    bytes_written: AtomicU64,
    syncs: AtomicU64,
    creates: AtomicU64,
}

/// A storage that passes everything on to another one and counts it.
#[derive(Clone, Debug)]
pub struct Counting {
    storage: Arc<dyn Storage>,
    counters: Arc<Counters>,
}

impl Counting {
    /// Counts what is asked of `storage`, from zero.
    #[must_use]
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self {
            storage,
            counters: Arc::default(),
        }
    }

    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.counters;
        Counts {
            writes: counters.writes.load(Relaxed),
            bytes_written: counters.bytes_written.load(Relaxed),
            syncs: counters.syncs.load(Relaxed),
            creates: counters.creates.load(Relaxed),
        }
    }

    fn wrap(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(CountingFile {
            file,
            counters: Arc::clone(&self.counters),
        })
    }
}

impl Storage for Counting {
    fn list(&self) -> io::Result<Vec<String>> {
        self.storage.list()
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        self.counters.creates.fetch_add(1, Relaxed);
        self.storage.create(name, size).map(|file| self.wrap(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.storage.open(name).map(|file| self.wrap(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.storage.remove(name)
    }

    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        self.storage.set_aside(name, directory)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.storage.sync_directory()
    }
}

#[derive(Debug)]
struct CountingFile {
    file: Arc<dyn StorageFile>,
    counters: Arc<Counters>,
}

impl CountingFile {
    fn written(&self, size: usize) {
        self.counters.writes.fetch_add(1, Relaxed);
        self.counters.bytes_written.fetch_add(size as u64, Relaxed);
    }
}

impl StorageFile for CountingFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file
            .write_at(at, bytes)
            .inspect(|size| self.written(*size))
    }

    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize> {
        self.file
            .write_gather_at(at, memory, ranges)
            .inspect(|size| self.written(*size))
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64> {
        self.file.write_zeros(range)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Relaxed);
        self.file.sync_data()
    }

    fn sync_range(&self, range: Range<u64>) -> io::Result<()> {
        self.counters.syncs.fetch_add(1, Relaxed);
        self.file.sync_range(range)
    }

    fn data_end(&self) -> io::Result<u64> {
        self.file.data_end()
    }

    fn let_go(&self, range: Range<u64>) -> io::Result<u64> {
        self.file.let_go(range)
    }

    fn shorten(&self, size: u64) -> io::Result<()> {
        self.file.shorten(size)
    }

    fn view(&self) -> io::Result<Arc<MappedFile>> {
        self.file.view()
    }

    fn map_for_append(&self) -> io::Result<Mapping> {
        self.file.map_for_append()
    }
}
