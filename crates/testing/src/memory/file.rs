//! One open file in memory, behind the seam.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pagelog_os::{MappedFile, Mapping, file};
use pagelog_segment::StorageFile;
use rustix::io::Errno;

use super::state::Shared;
use crate::disk::PAGE_SIZE;
use crate::faults::Operation;
use crate::names::FileNumber;

/// An open file of a [`MemoryStorage`].
#[derive(Debug)]
pub(super) struct MemoryFile {
    pub(super) number: FileNumber,
    pub(super) file: Arc<File>,
    pub(super) shared: Arc<Shared>,
}

impl MemoryFile {
    /// Of the pages with these numbers.
    fn sync_pages(&self, pages: Range<usize>) -> io::Result<()> {
        let mut state = self.shared.lock();
        while state.files[self.number].disk.syncing {
            state = self.shared.wait_synced(state);
        }
        let failure = state.begin(Operation::Sync).err();
        if failure.is_none() && state.faults.mute_syncs {
            return Ok(());
        }
        let mut dirty = state.dirty(self.number)?;
        dirty.retain(|page, _| pages.contains(page));
        // What others store from here on is not served by this sync: give them the chance.
        state.files[self.number].disk.syncing = true;
        drop(state);
        std::thread::yield_now();
        self.shared
            .lock()
            .finish_sync(self.number, dirty, failure.is_some());
        self.shared.synced.notify_all();
        failure.map_or(Ok(()), Err)
    }
}

impl StorageFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        state.faults.check(Operation::Read)?;
        state.faults.check_range(self.number, at, into.len())?;
        self.file.read_at(into, at)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        state.begin(Operation::Write)?;
        let size = state.shorten(bytes.len());
        let written = self.file.write_at(&bytes[..size], at)?;
        state.files[self.number].disk.touched(at as usize, written);
        Ok(written)
    }

    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize> {
        let mut bytes = Vec::new();
        for range in ranges {
            let from = bytes.len();
            bytes.resize(from + range.len(), 0);
            memory
                .copy_out(range.start, &mut bytes[from..])
                .map_err(|_| Errno::FAULT)?;
        }
        self.write_at(at, &bytes)
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64> {
        let mut state = self.shared.lock();
        state.begin(Operation::WriteZeros)?;
        let size = state.shorten((range.end - range.start) as usize);
        let written = self.file.write_at(&vec![0; size], range.start)?;
        state.files[self.number]
            .disk
            .touched(range.start as usize, written);
        Ok(written as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_pages(0..usize::MAX)
    }

    fn sync_range(&self, range: Range<u64>) -> io::Result<()> {
        let end = (range.end as usize).div_ceil(PAGE_SIZE);
        self.sync_pages(range.start as usize / PAGE_SIZE..end)
    }

    fn data_end(&self) -> io::Result<u64> {
        file::data_end(&self.file)
    }

    fn let_go(&self, _range: Range<u64>) -> io::Result<u64> {
        self.sync_data()?;
        let mut state = self.shared.lock();
        state.begin(Operation::LetGo)?;
        Ok(state.faults.pages_held)
    }

    /// The new size is on the device at once.
    fn shorten(&self, size: u64) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.begin(Operation::Shorten)?;
        self.file.set_len(size)?;
        state.files[self.number].disk.resize(size as usize);
        Ok(())
    }

    fn view(&self) -> io::Result<Arc<MappedFile>> {
        self.shared.lock().faults.check(Operation::Map)?;
        Ok(Arc::new(MappedFile::new(self.file.try_clone()?)?))
    }

    fn map_for_append(&self) -> io::Result<Mapping> {
        self.shared.lock().faults.check(Operation::Map)?;
        Mapping::shared(&self.file, self.size()? as usize)
    }
}
