//! What the page cache holds of a file, and moving it in and out: count, read ahead, write back.
//!
//! By the descriptor; the same of a mapping are its methods. To let go, see
//! [`file::advise`](crate::file::advise).
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use rustix::io::Errno;

/// `__NR_cachestat`, the same on every architecture but Alpha.
const SYS_CACHESTAT: libc::c_long = 451;

/// How many pages of a range of a file are in which state. A large folio counts with all its pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageCounts {
    /// In the page cache, those being read included.
    pub resident: u64,
    /// Of these: changed since they were last written.
    pub dirty: u64,
    /// Of these: being written now.
    pub write_back: u64,
    /// Not in the page cache, but the kernel remembers that they were, and let go for want of memory.
    pub evicted: u64,
    /// Of the evicted: so lately that having them back would be a loss of memory well used.
    pub recently_evicted: u64,
}

/// Why the kernel did not count.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The kernel (before Linux 6.5), a filter of system calls, or the file's kind does not have it.
    #[error("this kernel does not count pages (cachestat, Linux 6.5): ask mincore of a mapping")]
    Unsupported,
    /// The process could not write this file, or a filter of system calls says no.
    #[error("the count of pages was refused ({0}): open the file for writing, or allow cachestat")]
    Refused(#[source] io::Error),
    /// The call failed.
    #[error("pages cannot be counted: {0}")]
    Io(#[source] io::Error),
}

/// What [`write_back`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteBack {
    /// `SYNC_FILE_RANGE_WRITE`: writing starts. Waits only where the disk's queue is full.
    Start,
    /// `SYNC_FILE_RANGE_WAIT_BEFORE | WRITE | WAIT_AFTER`: what is dirty now has been given to the disk.
    Wait,
}

/// `int cachestat(unsigned int fd, struct cachestat_range *, struct cachestat *, unsigned int flags)`: counts the
/// pages that `range` touches.
///
/// Differs from the call in that an empty range counts nothing, not all up to the end. The answer is
/// old the moment it is given.
///
/// Safe, since the kernel reads and writes two places that live through the call and are as large as its structures.
///
/// # Errors
///
/// [`CountError`]; an old kernel is a case of its own. man 2 cachestat.
pub fn count_pages(file: &File, range: Range<u64>) -> Result<PageCounts, CountError> {
    let size = range.end.saturating_sub(range.start);
    if size == 0 {
        return Ok(PageCounts::default());
    }
    // struct cachestat_range { __u64 off, len; }
    let asked: [u64; 2] = [range.start, size];
    // struct cachestat { __u64 nr_cache, nr_dirty, nr_writeback, nr_evicted, nr_recently_evicted; }
    let mut counted = [0_u64; 5];
    let result = rustix::io::retry_on_intr(|| {
        // SAFETY: the two places are as large as the kernel's structures, which have only 64-bit
        // fields; the call reads the one and writes the other.
        let result = unsafe {
            libc::syscall(
                SYS_CACHESTAT,
                file.as_raw_fd(),
                asked.as_ptr(),
                counted.as_mut_ptr(),
                0,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(last_errno())
        }
    });
    result.map_err(CountError::of)?;
    let [resident, dirty, write_back, evicted, recently_evicted] = counted;
    Ok(PageCounts {
        resident,
        dirty,
        write_back,
        evicted,
        recently_evicted,
    })
}

/// `ssize_t readahead(int fd, off64_t at, size_t size)`: starts reading `range` into the page cache.
///
/// Differs from `POSIX_FADV_WILLNEED` in nothing on today's kernels: neither waits for the pages, both
/// may wait for the disk's queue. Pages come in as folios of one page, a step of the device's
/// `read_ahead_kb` at a time.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `EINVAL` when the file is none of a disk; `EBADF` when it is not open for reading. man 2 readahead.
pub fn read_ahead(file: &File, range: Range<u64>) -> io::Result<()> {
    let size = range.end.saturating_sub(range.start);
    let at = libc::off64_t::try_from(range.start).map_err(|_| Errno::INVAL)?;
    let size = usize::try_from(size).map_err(|_| Errno::INVAL)?;
    let result = rustix::io::retry_on_intr(|| {
        // SAFETY: the call takes no memory.
        let result = unsafe { libc::readahead(file.as_raw_fd(), at, size) };
        if result == 0 {
            Ok(())
        } else {
            Err(last_errno())
        }
    });
    result.map_err(io::Error::from)
}

/// `int sync_file_range(int fd, off64_t at, off64_t size, unsigned int flags)`: the dirty pages of `range` are
/// handed to the disk.
///
/// Differs from the call in that an empty range writes nothing, not all up to the end. Not a sync: neither
/// the file's size nor where its blocks lie is written, the disk's own cache is not emptied, and on a
/// file system that writes elsewhere than before, nothing can be found again. It spreads the work of a
/// later [`sync_data`](crate::file::sync_data).
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `EIO`, `ENOSPC` as [`sync_data`](crate::file::sync_data), and as final; `ESPIPE`. man 2 sync_file_range.
pub fn write_back(file: &File, range: Range<u64>, how: WriteBack) -> io::Result<()> {
    let size = range.end.saturating_sub(range.start);
    if size == 0 {
        return Ok(());
    }
    let at = libc::off64_t::try_from(range.start).map_err(|_| Errno::INVAL)?;
    let size = libc::off64_t::try_from(size).map_err(|_| Errno::INVAL)?;
    let flags = match how {
        WriteBack::Start => libc::SYNC_FILE_RANGE_WRITE,
        WriteBack::Wait => {
            libc::SYNC_FILE_RANGE_WAIT_BEFORE
                | libc::SYNC_FILE_RANGE_WRITE
                | libc::SYNC_FILE_RANGE_WAIT_AFTER
        }
    };
    let result = rustix::io::retry_on_intr(|| {
        // SAFETY: the call takes no memory.
        let result = unsafe { libc::sync_file_range(file.as_raw_fd(), at, size, flags) };
        if result == 0 {
            Ok(())
        } else {
            Err(last_errno())
        }
    });
    result.map_err(io::Error::from)
}

impl CountError {
    fn of(errno: Errno) -> CountError {
        match errno {
            Errno::NOSYS | Errno::OPNOTSUPP => CountError::Unsupported,
            Errno::PERM | Errno::ACCESS => CountError::Refused(errno.into()),
            errno => CountError::Io(errno.into()),
        }
    }
}

/// What the C library's last call said.
fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_and_a_refusal_are_told_apart() {
        assert!(matches!(
            CountError::of(Errno::NOSYS),
            CountError::Unsupported
        ));
        assert!(matches!(
            CountError::of(Errno::OPNOTSUPP),
            CountError::Unsupported
        ));
        assert!(matches!(
            CountError::of(Errno::PERM),
            CountError::Refused(_)
        ));
        assert!(matches!(CountError::of(Errno::BADF), CountError::Io(_)));
    }
}
