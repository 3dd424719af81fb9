//! What a mapping's memory will be used for: `madvise`.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use memmap2::UncheckedAdvice;

use crate::Mapping;

/// What is said about a range of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// `MADV_NORMAL`: no special order; the kernel reads ahead as it sees fit.
    Normal,
    /// `MADV_RANDOM`: no read-ahead. Given *before the first touch*, it keeps the folios of a file
    /// mapping at one page, so that a sync after a small store writes one page and not two megabytes.
    Random,
    /// `MADV_SEQUENTIAL`: read ahead far, let go soon behind.
    Sequential,
    /// `MADV_WILLNEED`: start reading now, without waiting.
    WillNeed,
    /// `MADV_DONTNEED`: drop the pages from this mapping. A file's bytes stay in the page cache and
    /// on disk; anonymous memory reads as zeros after.
    DontNeed,
}

/// What [`Mapping::populate`] makes ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Populate {
    /// `MADV_POPULATE_READ`: every page present and readable without a fault.
    Read,
    /// `MADV_POPULATE_WRITE`: every page present and writable without a fault; a file's pages become
    /// dirty in the mapping's eyes.
    Write,
}

impl Mapping {
    /// `int madvise(void *address, size_t size, int advice)`: says how `range` will be used.
    ///
    /// Differs from the call in that the range need not begin on a page: the advice holds for every
    /// page it touches; [`Advice::DontNeed`] only for pages that lie in it as a whole, so that no
    /// neighbour's bytes are lost.
    ///
    /// # Errors
    ///
    /// What the call gives. man 2 madvise.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn advise(&self, range: Range<usize>, advice: Advice) -> io::Result<()> {
        let advice = match advice {
            Advice::Normal => memmap2::Advice::Normal,
            Advice::Random => memmap2::Advice::Random,
            Advice::Sequential => memmap2::Advice::Sequential,
            Advice::WillNeed => memmap2::Advice::WillNeed,
            Advice::DontNeed => return self.drop_pages(&range),
        };
        self.advise_pages(&range, advice)
    }

    /// `madvise(address, size, MADV_POPULATE_READ or _WRITE)`: faults in every page that `range`
    /// touches, and waits for it.
    ///
    /// Differs from touching each page in that a page that cannot be provided is an error here and
    /// not a signal.
    ///
    /// # Errors
    ///
    /// `EINVAL` on kernels before 5.14; `EFAULT` where touching would raise `SIGBUS`; `ENOMEM`;
    /// `EHWPOISON`. man 2 madvise.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn populate(&self, range: Range<usize>, what: Populate) -> io::Result<()> {
        let advice = match what {
            Populate::Read => memmap2::Advice::PopulateRead,
            Populate::Write => memmap2::Advice::PopulateWrite,
        };
        self.advise_pages(&range, advice)
    }

    fn advise_pages(&self, range: &Range<usize>, advice: memmap2::Advice) -> io::Result<()> {
        self.check_range(range);
        if range.is_empty() {
            return Ok(());
        }
        self.memory()
            .advise_range(advice, range.start, range.end - range.start)
    }

    fn drop_pages(&self, range: &Range<usize>) -> io::Result<()> {
        self.check_range(range);
        let page_size = crate::page_size();
        let start = range.start.next_multiple_of(page_size);
        // The last page counts as whole when the range reaches the mapping's end.
        let end = if range.end == self.size() {
            range.end
        } else {
            range.end / page_size * page_size
        };
        if start >= end {
            return Ok(());
        }
        // SAFETY: the pages lie in this mapping, whose bytes are read only as atomics: that they
        // become zeros, or the file's again, is a change like any other.
        unsafe {
            self.memory()
                .unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start)
        }
    }
}
