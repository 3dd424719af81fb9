//! What lies in a file and not in memory: found before it is sent, and fetched by somebody who may wait.
//!
//! The kernel is asked by `mincore`, which counts pages that can be used at once; `cachestat` would also count those that are
//! still being read.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use pagelog_os::file::{self, FileAdvice};
use pagelog_os::{Advice, MappedFile, page_size};

use crate::recent::{self, CHUNK_SIZE};
use crate::region::Region;
use crate::rope::Piece;
use crate::sender::SendError;

/// The most that is fetched at a time: what one step of a sender moves.
pub const FETCH_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// What the kernel is asked to start reading at a time: more than the device's `read_ahead_kb`, 128 by default, it does not take.
const STEP_SIZE: u64 = 128 * 1024;

/// What is read at a time: one range of a file, of whole pages.
pub(crate) struct Part {
    pub(crate) file: Arc<MappedFile>,
    pub(crate) range: Range<u64>,
}

/// Ranges of files that a sender would have to wait for: read all at once, and nothing of what lies between them.
#[derive(Clone)]
pub struct Cold {
    // Never empty.
    parts: Arc<[Part]>,
}

impl Cold {
    pub(crate) fn new(parts: Vec<Part>) -> Cold {
        Cold {
            parts: parts.into(),
        }
    }

    /// How many bytes of the files.
    pub fn size(&self) -> u64 {
        let sizes = self
            .parts
            .iter()
            .map(|part| part.range.end - part.range.start);
        sizes.sum()
    }

    /// How many ranges: 64 at most.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// Reads the ranges into the page cache, and nothing beyond them, and waits until they are there.
    ///
    /// # Errors
    ///
    /// [`SendError::File`] for a bad sector. That a file ends before is told by the sender.
    pub fn fetch(&self) -> Result<(), SendError> {
        // All reads are under way before the first one is waited for.
        self.read_ahead();
        let mut buffer = vec![0; STEP_SIZE.min(self.size()) as usize];
        self.parts
            .iter()
            .try_for_each(|part| part.read(&mut buffer))
    }

    /// Has the kernel begin to read the ranges, and nothing beyond them. Refused advice costs speed alone.
    pub(crate) fn read_ahead(&self) {
        self.parts.iter().for_each(Part::read_ahead);
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Lets go of the ranges' pages, after they were sent: nobody needed them before. Those that a socket still refers to stay.
    ///
    /// # Errors
    ///
    /// What the kernel says; the pages age as any others then.
    pub fn let_go(&self) -> io::Result<()> {
        self.parts.iter().try_for_each(Part::let_go)
    }
}

impl Part {
    fn read_ahead(&self) {
        for at in self.range.clone().step_by(STEP_SIZE as usize) {
            let end = self.range.end.min(at + STEP_SIZE);
            let _ = file::advise(self.file.file(), at..end, FileAdvice::WillNeed);
        }
    }

    fn read(&self, buffer: &mut [u8]) -> Result<(), SendError> {
        let mut at = self.range.start;
        while at < self.range.end {
            let size = (self.range.end - at).min(buffer.len() as u64) as usize;
            match self.file.file().read_at(&mut buffer[..size], at) {
                Ok(0) => break,
                Ok(read) => at += read as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(SendError::File { at, source }),
            }
        }
        Ok(())
    }

    fn let_go(&self) -> io::Result<()> {
        let range = self.range.start as usize..self.range.end as usize;
        for chunk in range.start / CHUNK_SIZE..range.end.div_ceil(CHUNK_SIZE) {
            recent::forget(&self.file, chunk);
        }
        // Pages that a gathered send has mapped would stay.
        self.file.mapping().advise(range, Advice::DontNeed)?;
        file::advise(self.file.file(), self.range.clone(), FileAdvice::DontNeed)
    }
}

impl fmt::Debug for Cold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.parts.iter().map(|part| &part.range);
        f.debug_list().entries(ranges).finish()
    }
}

/// The chunk that was last asked about; for one look, since the answer is old at once.
#[derive(Debug, Default)]
pub(crate) struct Window {
    chunk: Option<usize>,
    pages: Vec<u8>,
}

impl Window {
    /// How many bytes at the front of `pieces`, at most `limit`, can be sent without waiting for the disk.
    pub(crate) fn warm_size(&mut self, pieces: &VecDeque<Piece>, limit: u64) -> u64 {
        let mut warm = 0;
        let mut file: Option<&Arc<MappedFile>> = None;
        for piece in pieces {
            if warm >= limit {
                break;
            }
            let Piece::Region(region) = piece else {
                warm += piece.size();
                continue;
            };
            if !file.is_some_and(|file| Arc::ptr_eq(file, region.file())) {
                self.chunk = None;
                file = Some(region.file());
            }
            let size = region.size().min(limit - warm);
            let resident = self.resident_size(region, size);
            warm += resident;
            if resident < size {
                break;
            }
        }
        warm.min(limit)
    }

    /// How many bytes at the front of the first `size` of `region` are in memory. Where the kernel cannot be asked, all are: sending
    /// then tells what is wrong.
    fn resident_size(&mut self, region: &Region, size: u64) -> u64 {
        if !region.is_mapped() {
            return size;
        }
        let file = region.file();
        let range = region.at() as usize..(region.at() + size) as usize;
        let now = recent::now();
        let mut at = range.start;
        while at < range.end {
            let chunk = at / CHUNK_SIZE;
            let end = (chunk + 1) * CHUNK_SIZE;
            if !recent::holds(file, chunk, now) {
                if self.chunk != Some(chunk) && self.ask(file, chunk, now).is_err() {
                    return size;
                }
                if let Some(cold) = self.first_absent(at..end.min(range.end), chunk) {
                    return cold.saturating_sub(range.start) as u64;
                }
            }
            at = end;
        }
        size
    }

    /// Looks at a whole chunk, or what the file has of it.
    fn ask(&mut self, file: &MappedFile, chunk: usize, now: u64) -> io::Result<()> {
        let range = chunk * CHUNK_SIZE..file.mapping().size().min((chunk + 1) * CHUNK_SIZE);
        self.chunk = None;
        file.mapping().residency(range, &mut self.pages)?;
        self.chunk = Some(chunk);
        if self.pages.iter().all(|page| page & 1 == 1) {
            recent::note(file, chunk, now);
        }
        Ok(())
    }

    /// Where the first page begins, of those that `bytes` touch, that was not in memory when `chunk` was looked at.
    fn first_absent(&self, bytes: Range<usize>, chunk: usize) -> Option<usize> {
        let start = chunk * CHUNK_SIZE;
        let first = (bytes.start - start) / page_size();
        let last = (bytes.end - start).div_ceil(page_size());
        let pages = self.pages.get(first..last)?;
        let absent = pages.iter().position(|page| page & 1 == 0)?;
        Some(start + (first + absent) * page_size())
    }
}
