//! What a mapping's memory will be used for: `madvise`.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use memmap2::UncheckedAdvice;
use rustix::io::Errno;

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

/// Why [`Mapping::populate`] did not make pages ready. Not fatal: [`Mapping::touch`] does the same, a fault a page.
#[derive(Debug, thiserror::Error)]
pub enum PopulateError {
    /// The kernel (before Linux 5.14) does not have it.
    #[error(
        "this kernel does not populate (MADV_POPULATE_READ and _WRITE, Linux 5.14): touch each page"
    )]
    Unsupported,
    /// Some page could not be provided.
    #[error("pages cannot be populated: {0}")]
    Io(#[source] io::Error),
}

impl PopulateError {
    fn of(error: io::Error) -> PopulateError {
        match Errno::from_io_error(&error) {
            // The ranges are checked, and so is that the memory may be stored into: it is the advice that is not known.
            Some(Errno::INVAL) => PopulateError::Unsupported,
            _ => PopulateError::Io(error),
        }
    }
}

impl From<PopulateError> for io::Error {
    /// What the kernel said; of kind `Unsupported` where it does not have the call.
    fn from(error: PopulateError) -> io::Error {
        match error {
            PopulateError::Unsupported => io::Error::new(io::ErrorKind::Unsupported, error),
            PopulateError::Io(error) => error,
        }
    }
}

impl Mapping {
    /// `int madvise(void *address, size_t size, int advice)`: says how `range` will be used.
    ///
    /// Differs from the call in that the range need not begin on a page: the advice holds for every
    /// page it touches; [`Advice::DontNeed`] only for pages that lie in it as a whole, so that no
    /// neighbour's bytes are lost.
    ///
    /// Safe, since the bytes of a mapping are read as atomics only: that pages become zeros, or the file's again, is a change like
    /// any other.
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

    /// `int madvise(void *address, size_t size, MADV_POPULATE_READ or MADV_POPULATE_WRITE)`: faults in every page that
    /// `range` touches, and waits for it.
    ///
    /// Differs from the call in that the range need not begin on a page, and that a kernel that does not know it is a case of its own. A
    /// page that cannot be provided is an error and not a signal, as it is where each page is touched by a plain load.
    ///
    /// Safe, since it changes no byte, and what cannot be had is an error.
    ///
    /// # Errors
    ///
    /// [`PopulateError`]: `EFAULT` where touching would raise `SIGBUS`; `ENOMEM`; `EHWPOISON`; an old kernel, which says `EINVAL`, is
    /// named. man 2 madvise.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping, or the mapping is read-only and is to be populated for writing.
    pub fn populate(&self, range: Range<usize>, what: Populate) -> Result<(), PopulateError> {
        let advice = match what {
            Populate::Read => memmap2::Advice::PopulateRead,
            Populate::Write => {
                self.check_writable();
                memmap2::Advice::PopulateWrite
            }
        };
        let populated = self.advise_pages(&range, advice);
        populated.map_err(PopulateError::of)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_from_a_page_that_cannot_be_had() {
        let of = |errno: Errno| PopulateError::of(errno.into());
        assert!(matches!(of(Errno::INVAL), PopulateError::Unsupported));
        for errno in [Errno::FAULT, Errno::NOMEM] {
            let PopulateError::Io(error) = of(errno) else {
                panic!("{errno} is no old kernel");
            };
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
        }
        let error = io::Error::from(of(Errno::INVAL));
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("touch each page"), "{error}");
    }
}
