//! Writing what was stored into a mapping to its file's disk: `msync`.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use rustix::mm::MsyncFlags;

use crate::Mapping;

/// What [`Mapping::force`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// `MS_SYNC`: returns when the pages are on the disk, with what is needed to read them back.
    Sync,
    /// `MS_ASYNC`: returns at once. Since Linux 2.6.19 it starts nothing either: dirty pages are
    /// written when the kernel finds it time. To start writing now, use
    /// [`cache::write_back`](crate::cache::write_back).
    Async,
}

impl Mapping {
    /// `int msync(void *address, size_t size, int flags)`: the pages of a shared file mapping that
    /// `range` touches go to the disk. Memory that is no file's, or private, has no disk: nothing
    /// happens.
    ///
    /// Differs from the call in that the range need not begin on a page. After it, the first store into
    /// each page is a fault again: a page is protected while it is written.
    ///
    /// Safe, since writing pages out changes no byte of them.
    ///
    /// # Errors
    ///
    /// `EIO`, `ENOSPC`: some page did not reach the disk, and the next call may succeed all the same;
    /// a failed force is final, as a failed [`sync_data`](crate::file::sync_data) is.
    /// [`MemoryFault`](crate::MemoryFault) when the mapping has faulted. man 2 msync.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn force(&self, range: Range<usize>, how: Force) -> io::Result<()> {
        let pages = self.pages(&range);
        self.check_fault()?;
        if pages.is_empty() {
            return Ok(());
        }
        let flags = match how {
            Force::Sync => MsyncFlags::SYNC,
            Force::Async => MsyncFlags::ASYNC,
        };
        let address = self.address().wrapping_add(pages.start).cast();
        rustix::io::retry_on_intr(|| {
            // SAFETY: the pages lie in this mapping; writing them out changes no byte of them.
            unsafe { rustix::mm::msync(address, pages.len(), flags) }
        })?;
        // A page that was put in the place of a bad one is not the file's, and was not written.
        self.check_fault()?;
        Ok(())
    }
}
