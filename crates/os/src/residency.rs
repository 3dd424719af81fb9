//! Which pages of a mapping are in memory, asked of the kernel: `mincore`.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use crate::Mapping;

/// Pages asked about per call: bounds the answer's buffer.
const PAGES_PER_CALL: usize = 16 * 1024;

impl Mapping {
    /// `int mincore(void *address, size_t size, unsigned char *vector)`: how many of the pages that
    /// `range` touches are in memory and up to date (for a file: in the page cache, whoever brought
    /// them there).
    ///
    /// Differs from the call in that it counts, and asks about large ranges in parts. The answer is
    /// old the moment it is given.
    ///
    /// Safe, since the pages lie in the mapping, and the kernel fills a byte for each into a list of that length.
    ///
    /// # Errors
    ///
    /// What the call gives. For a file that this process could not write, the kernel answers as if
    /// every page were resident. man 2 mincore.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn resident_pages(&self, range: Range<usize>) -> io::Result<usize> {
        let pages = self.pages(&range);
        let step = PAGES_PER_CALL * crate::page_size();
        let mut vector = vec![0; pages.len().min(step).div_ceil(crate::page_size())];
        let mut count = 0;
        for start in pages.clone().step_by(step) {
            let size = step.min(pages.end - start);
            count += self.resident_in(start, size, &mut vector)?;
        }
        Ok(count)
    }

    /// Whether every page that `range` touches is in memory; see [`Mapping::resident_pages`]. An empty
    /// range is.
    ///
    /// # Errors
    ///
    /// As [`Mapping::resident_pages`].
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn is_loaded(&self, range: Range<usize>) -> io::Result<bool> {
        let count = self.pages(&range).len().div_ceil(crate::page_size());
        Ok(self.resident_pages(range)? == count)
    }

    /// `int mincore(void *address, size_t size, unsigned char *vector)`: as [`Mapping::resident_pages`], page by page. `pages`
    /// becomes one byte for each page that `range` touches, of which the lowest bit says whether the page is in memory; the others
    /// mean nothing.
    ///
    /// Differs from the call in that the range need not begin on a page.
    ///
    /// Safe, as that is.
    ///
    /// # Errors
    ///
    /// As [`Mapping::resident_pages`]. man 2 mincore.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn residency(&self, range: Range<usize>, pages: &mut Vec<u8>) -> io::Result<()> {
        let range = self.pages(&range);
        pages.clear();
        pages.resize(range.len().div_ceil(crate::page_size()), 0);
        if !pages.is_empty() {
            self.resident_in(range.start, range.len(), pages)?;
        }
        Ok(())
    }

    fn resident_in(&self, start: usize, size: usize, vector: &mut [u8]) -> io::Result<usize> {
        let vector = &mut vector[..size.div_ceil(crate::page_size())];
        let address = self.address().wrapping_add(start).cast();
        // SAFETY: the pages lie in this mapping, and the vector has a byte for each of them.
        let result = unsafe { libc::mincore(address, size, vector.as_mut_ptr()) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // Only the lowest bit is defined.
        Ok(vector.iter().filter(|page| *page & 1 == 1).count())
    }
}
