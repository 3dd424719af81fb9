//! A file of a [`Directory`](crate::Directory).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use pagelog_os::cache::{CountError, WriteBack};
use pagelog_os::{Advice, Force, MappedFile, Mapping, cache, file};

use pagelog_page_cache::{LetGo, let_go_all};

use crate::StorageFile;
use crate::front::PIECE_SIZE;

static ZEROS: [u8; PIECE_SIZE as usize] = [0; PIECE_SIZE as usize];

/// An open file of the file system: each method is one call of the operating system, or two.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: File,
    /// By it ranges are synced; no byte of it is ever touched.
    syncing: OnceLock<Mapping>,
}

impl DiskFile {
    /// `file` is open for reading, and for writing if it is to be written.
    pub(crate) fn new(file: File) -> DiskFile {
        DiskFile {
            file,
            syncing: OnceLock::new(),
        }
    }

    fn syncing(&self) -> io::Result<&Mapping> {
        if let Some(mapping) = self.syncing.get() {
            return Ok(mapping);
        }
        let mapping = Mapping::shared(&self.file, self.size_in_memory()?)?;
        Ok(self.syncing.get_or_init(|| mapping))
    }

    fn size_in_memory(&self) -> io::Result<usize> {
        usize::try_from(self.size()?).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
    }
}

impl StorageFile for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        file::read_at(&self.file, at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        file::write_at(&self.file, at, bytes)
    }

    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize> {
        file::write_gather_at(&self.file, at, memory, ranges)
    }

    /// Through the page cache: a direct write beside cached ones could meet a page that is dirty again, which the kernel reports as a failed write.
    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64> {
        let size = (range.end - range.start).min(ZEROS.len() as u64);
        let written = file::write_at(&self.file, range.start, &ZEROS[..size as usize])? as u64;
        let begun = range.start..range.start + written;
        // This tells nobody's errors but its own, which is why it is this call and no sync: a failed one is told once.
        cache::write_back(&self.file, begun, WriteBack::Start)?;
        Ok(written)
    }

    fn sync_data(&self) -> io::Result<()> {
        file::sync_data(&self.file)
    }

    /// By a mapping of this open file, not of another one: an error that the file has had comes up here then, whoever else was told.
    fn sync_range(&self, range: Range<u64>) -> io::Result<()> {
        self.syncing()?
            .force(range.start as usize..range.end as usize, Force::Sync)
    }

    fn data_end(&self) -> io::Result<u64> {
        file::data_end(&self.file)
    }

    fn let_go(&self, range: Range<u64>) -> io::Result<u64> {
        match let_go_all(&self.file, range, 1) {
            Ok(LetGo::Gone) => Ok(0),
            Ok(LetGo::Left(pages)) => Ok(pages),
            Err(CountError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::new(io::ErrorKind::Unsupported, error)),
        }
    }

    fn shorten(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }

    fn view(&self) -> io::Result<Arc<MappedFile>> {
        Ok(Arc::new(MappedFile::new(self.file.try_clone()?)?))
    }

    fn map_for_append(&self) -> io::Result<Mapping> {
        let size = self.size_in_memory()?;
        // Warm-up writes back through the mapping. What that is told of an error, a sync of the file is to be told, too: so the mapping has an open file of its own.
        let mapping = Mapping::shared(&file::open_again(&self.file)?, size)?;
        mapping.advise(0..size, Advice::Random)?;
        Ok(mapping)
    }
}
