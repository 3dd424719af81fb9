//! Ranges of files brought into the page cache by io_uring: many under way at a time, waited for by one thread.
//!
//! # Safety
//!
//! The kernel writes into a buffer that the ring owns, by lists that each read owns, from files that each read keeps open. All three
//! live until the kernel has said that the read is over: dropping the ring waits for that, and where waiting fails they are given up
//! and never freed. All reads write into the same buffer at once; nobody ever looks at what is in it.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode};

use crate::uring::RingError;
use crate::{Buffer, BufferPool, MappedFile};

/// What arrives at a time: it stays in the processor's second-level cache.
const BUFFER_SIZE: usize = 128 * 1024;

/// The longest range, in bytes.
const RANGE_SIZE_MAX: u64 = 64 << 20;

/// Reads that are under way, by an io_uring of one thread.
pub struct FetchRing {
    ring: IoUring,
    buffer: Option<Buffer>,
    reads: Vec<Option<Read>>,
    count: usize,
}

/// One range that is being read.
struct Read {
    file: Arc<MappedFile>,
    /// What is still missing.
    range: Range<u64>,
    /// The buffer, as often as the range needs it.
    list: Vec<libc::iovec>,
}

/// A range that is no longer under way.
#[derive(Debug)]
pub struct Fetched {
    /// What [`FetchRing::begin`] has returned for it.
    pub number: usize,
    /// The first byte that was not read: the end of the range, of the file, or where it failed.
    pub at: u64,
    /// What the kernel said there.
    pub result: io::Result<()>,
}

impl FetchRing {
    /// `int io_uring_setup(unsigned int count, struct io_uring_params *)`, and the mappings of its queues: a ring for `count` ranges at
    /// a time.
    ///
    /// Differs from the call in that an old kernel and a refusal are cases of their own.
    ///
    /// Safe, since the queues belong to the ring, which nobody else reaches.
    ///
    /// # Errors
    ///
    /// [`RingError`], as [`Ring::new`](crate::uring::Ring::new); `InvalidInput` for none or too many. man 2 io_uring_setup.
    pub fn new(count: u32) -> Result<FetchRing, RingError> {
        let pool = BufferPool::new(BUFFER_SIZE, 1).map_err(RingError::Io)?;
        let reserved = pool.try_reserve();
        let buffer = reserved.map_err(|error| RingError::Io(io::Error::other(error)))?;
        Ok(FetchRing {
            ring: IoUring::new(count).map_err(RingError::of)?,
            buffer: Some(buffer),
            reads: (0..count).map(|_| None).collect(),
            count: 0,
        })
    }

    /// How many ranges are under way.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Whether no further range can be begun.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.count == self.reads.len()
    }

    /// `IORING_OP_READV` of `range`, Linux 5.1: begins to read, and returns the number under which [`FetchRing::wait`] will tell of
    /// it, below the count that the ring was made for.
    ///
    /// Differs from the operation in that what arrives is looked at by nobody: a buffer of 128 KiB stands for the whole range.
    ///
    /// Safe, since file, list and buffer are the ring's until the kernel is done with them, whatever becomes of the ring.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when the ring is full; `InvalidInput` for an empty range or one of more than 64 MiB; what the call gives, when
    /// nothing was begun. man 2 io_uring_enter.
    pub fn begin(&mut self, file: &Arc<MappedFile>, range: Range<u64>) -> io::Result<usize> {
        let size = range.end.saturating_sub(range.start);
        if size == 0 || size > RANGE_SIZE_MAX {
            let text = format!("a range of {size} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let free = self.reads.iter().position(Option::is_none);
        let number = free.ok_or(io::ErrorKind::WouldBlock)?;
        self.reads[number] = Some(Read {
            file: Arc::clone(file),
            range,
            list: Vec::new(),
        });
        self.count += 1;
        self.push(number).inspect_err(|_| self.forget(number))?;
        match self.ring.submit() {
            Ok(_) => Ok(number),
            // It lies in the queue, and goes with the next call.
            Err(error) if is_transient(&error) => Ok(number),
            Err(error) => Err(error),
        }
    }

    /// `int io_uring_enter(unsigned int fd, …, IORING_ENTER_GETEVENTS, …)`: waits until a range, or several, are no longer under
    /// way; gives none when none are.
    ///
    /// Differs from the call in that a read that stopped halfway goes on by itself.
    ///
    /// Safe, since what the kernel still refers to is kept until it says that it is done.
    ///
    /// # Errors
    ///
    /// What the call gives: then the ring is of no more use. man 2 io_uring_enter.
    pub fn wait(&mut self) -> io::Result<Vec<Fetched>> {
        let mut fetched = Vec::new();
        while fetched.is_empty() && self.count > 0 {
            match self.ring.submit_and_wait(1) {
                Ok(_) => {}
                Err(error) if is_transient(&error) => {}
                Err(error) => return Err(error),
            }
            let results: Vec<(u64, i32)> = self
                .ring
                .completion()
                .map(|entry| (entry.user_data(), entry.result()))
                .collect();
            for (number, result) in results {
                fetched.extend(self.settle(number as usize, result)?);
            }
        }
        Ok(fetched)
    }

    /// Takes what the kernel says of a read: goes on with the rest of it, or is done.
    fn settle(&mut self, number: usize, result: i32) -> io::Result<Option<Fetched>> {
        let Some(Some(read)) = self.reads.get_mut(number) else {
            return Ok(None);
        };
        let result = match result {
            ..0 => match -result {
                libc::EINTR | libc::EAGAIN => Ok(1),
                code => Err(io::Error::from_raw_os_error(code)),
            },
            // The end of the file: whoever sends it will tell.
            0 => Ok(0),
            moved => {
                read.range.start += moved.unsigned_abs() as u64;
                Ok(read.range.end.saturating_sub(read.range.start))
            }
        };
        let result = match result {
            Ok(1..) => {
                self.push(number)?;
                return Ok(None);
            }
            Ok(0) => Ok(()),
            Err(error) => Err(error),
        };
        let at = read.range.start;
        self.forget(number);
        Ok(Some(Fetched { number, at, result }))
    }

    fn forget(&mut self, number: usize) {
        self.reads[number] = None;
        self.count -= 1;
    }

    /// Puts what is missing of a read into the queue.
    fn push(&mut self, number: usize) -> io::Result<()> {
        let gone = || io::Error::other("the ring was given up");
        let buffer = self.buffer.as_mut().ok_or_else(gone)?;
        let read = self.reads[number].as_mut().ok_or_else(gone)?;
        let mut left = usize::try_from(read.range.end - read.range.start).unwrap_or(usize::MAX);
        read.list.clear();
        while left > 0 {
            let size = left.min(buffer.len());
            read.list.push(libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: size,
            });
            left -= size;
        }
        let file: &File = read.file.file();
        let entry = opcode::Readv::new(
            Fd(file.as_raw_fd()),
            read.list.as_ptr(),
            read.list.len() as u32,
        )
        .offset(read.range.start)
        .build()
        .user_data(number as u64);
        // SAFETY: buffer, list and file are kept until the completion, see the top of this file.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        pushed.map_err(|_| io::Error::other("more reads than the ring has entries"))
    }
}

impl Drop for FetchRing {
    fn drop(&mut self) {
        while self.count > 0 {
            if self.wait().is_err() {
                // Some read may still be under way.
                mem::forget(self.buffer.take());
                mem::forget(mem::take(&mut self.reads));
                return;
            }
        }
    }
}

impl fmt::Debug for FetchRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FetchRing")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// `EBUSY`: the completion queue has to be emptied first, which is what comes next.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}
