//! Which pages of a range are in memory, asked of the kernel and shown to people.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;

use pagelog_os::cache::{self, CountError, PageCounts};
use pagelog_os::{Mapping, page_size};

/// The pages of a range of a file, by state. Old the moment it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residency {
    /// The pages that the range touches.
    pub pages: u64,
    /// In memory. [`Residency::of`] counts those that are up to date, [`Residency::of_file`] also those that
    /// are being read.
    pub resident: u64,
    /// Dirty, under write-back, evicted; `None` where the kernel does not count (before Linux 6.5).
    pub counts: Option<PageCounts>,
}

impl Residency {
    /// Of a file that is mapped: resident by `mincore`, which counts pages that can be used now, the other states
    /// by `cachestat`, where there is one.
    ///
    /// # Errors
    ///
    /// What the calls give.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn of(file: &File, memory: &Mapping, range: Range<usize>) -> io::Result<Residency> {
        let in_file = range.start as u64..range.end as u64;
        let counts = match cache::count_pages(file, in_file.clone()) {
            Ok(counts) => Some(counts),
            Err(CountError::Unsupported | CountError::Refused(_)) => None,
            Err(CountError::Io(error)) => return Err(error),
        };
        Ok(Residency {
            pages: pages(&in_file),
            resident: memory.resident_pages(range)? as u64,
            counts,
        })
    }

    /// Of a file that is not mapped, by `cachestat` alone.
    ///
    /// # Errors
    ///
    /// [`CountError`]; a kernel that does not count is a case of its own.
    pub fn of_file(file: &File, range: Range<u64>) -> Result<Residency, CountError> {
        let counts = cache::count_pages(file, range.clone())?;
        Ok(Residency {
            pages: pages(&range),
            resident: counts.resident,
            counts: Some(counts),
        })
    }

    /// Whether every page is in memory.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.resident >= self.pages
    }
}

impl fmt::Display for Residency {
    /// `12 of 16 pages resident, 3 dirty, 1 under write-back, 4 evicted`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} of {} pages resident",
            self.resident, self.pages
        )?;
        let Some(counts) = self.counts else {
            return write!(formatter, "; this kernel does not count the dirty ones");
        };
        let PageCounts {
            dirty,
            write_back,
            evicted,
            ..
        } = counts;
        write!(
            formatter,
            ", {dirty} dirty, {write_back} under write-back, {evicted} evicted"
        )
    }
}

fn pages(range: &Range<u64>) -> u64 {
    if range.start >= range.end {
        return 0;
    }
    let page_size = page_size() as u64;
    range.end.div_ceil(page_size) - range.start / page_size
}
