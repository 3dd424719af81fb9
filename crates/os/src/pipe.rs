//! Pipes that carry pages: `splice` into one end, `splice` out of the other.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{PipeFlags, SpliceFlags};

/// A pipe that this process owns both ends of, and how many bytes are in it.
///
/// What is spliced in from a file are references to pages of the page cache, no copies.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    filled: usize,
}

impl Pipe {
    /// `int pipe2(int fds[2], O_CLOEXEC | O_NONBLOCK)`, and `fcntl(fd, F_SETPIPE_SZ, size)`.
    ///
    /// Differs from the calls in that a refused size is no error: the pipe then has the kernel's
    /// (64 KiB, or less for a user with many pipes).
    ///
    /// Safe, since both ends belong to the value.
    ///
    /// # Errors
    ///
    /// `EMFILE`, `ENFILE`, `ENOMEM`. man 2 pipe, man 2 fcntl.
    pub fn new(size: usize) -> io::Result<Pipe> {
        let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let _ = rustix::pipe::fcntl_setpipe_size(&write, size);
        Ok(Pipe {
            read,
            write,
            filled: 0,
        })
    }

    /// How many bytes are in it.
    #[must_use]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// `ssize_t splice(int from, off_t *at, int pipe, NULL, size_t size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)`:
    /// moves bytes into the pipe; the count may be less than asked, and is 0 at the end of `from`.
    ///
    /// `at` is a place in a file; `None` for what has none (sockets, pipes). Pages of a file that are
    /// not in memory are read within the call.
    ///
    /// Differs from the call in that what is in the pipe is counted, and in that it never blocks on the pipe.
    ///
    /// Safe, since no memory is handed over but the pages of the file, by the kernel to itself.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the pipe is full or `from` has nothing now; `EINVAL` when `from` cannot do it;
    /// `EIO`. man 2 splice.
    pub fn splice_in(
        &mut self,
        from: BorrowedFd<'_>,
        at: Option<u64>,
        size: usize,
    ) -> io::Result<usize> {
        let moved = rustix::io::retry_on_intr(|| {
            let mut place = at;
            rustix::pipe::splice(from, place.as_mut(), &self.write, None, size, flags(false))
        })?;
        self.filled += moved;
        Ok(moved)
    }

    /// `ssize_t splice(int pipe, NULL, int to, off_t *at, size_t size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)`:
    /// moves at most `size` bytes out of the pipe; the count may be less. With `more`, `SPLICE_F_MORE`.
    ///
    /// Differs from the call in that no more is asked for than is in the pipe.
    ///
    /// Safe, since no memory is handed over.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when `to` takes nothing now; `EINVAL` when it cannot do it, or is open for
    /// appending; `BrokenPipe` (with `SIGPIPE`, which Rust's start-up code ignores); `ENOSPC`.
    /// What was not moved is still in the pipe. man 2 splice.
    pub fn splice_out(
        &mut self,
        to: BorrowedFd<'_>,
        at: Option<u64>,
        size: usize,
        more: bool,
    ) -> io::Result<usize> {
        let size = size.min(self.filled);
        let moved = rustix::io::retry_on_intr(|| {
            let mut place = at;
            rustix::pipe::splice(&self.read, None, to, place.as_mut(), size, flags(more))
        })?;
        self.filled -= moved;
        Ok(moved)
    }

    /// `ssize_t read(int pipe, void *into, size_t size)`: copies bytes out of the pipe.
    ///
    /// Differs from the call in that what is left in the pipe is counted.
    ///
    /// Safe, since the kernel fills a slice that is borrowed alone.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is empty. man 2 read.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = rustix::io::retry_on_intr(|| rustix::io::read(&self.read, &mut *into))?;
        self.filled -= read;
        Ok(read)
    }

    pub(crate) fn read_end(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    pub(crate) fn write_end(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }

    /// Takes note of what another way than these functions has moved.
    pub(crate) fn moved(&mut self, into: usize, out: usize) {
        self.filled = (self.filled + into).saturating_sub(out);
    }
}

fn flags(more: bool) -> SpliceFlags {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    if more {
        flags | SpliceFlags::MORE
    } else {
        flags
    }
}
