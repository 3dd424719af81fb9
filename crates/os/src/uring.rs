//! io_uring: splices, sends without copying, reads into registered buffers; one batch at a time, waited for.
//!
//! # Safety
//!
//! Every operation is waited for before the call returns, so what it refers to outlives it: descriptors that
//! the caller lends, and buffers of the ring itself. Where waiting fails, the buffers are given up and never freed. A send
//! without copying may refer to pages after its return; the kernel holds these by itself (see
//! [`zero_copy`](crate::zero_copy)).
#![allow(unsafe_code)]

mod refused;

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::Fd;
use io_uring::{IoUring, Probe, cqueue, opcode};

pub use refused::RingError;

use crate::{Buffer, BufferPool, Mapping, Pipe};

/// `IORING_SEND_ZC_REPORT_USAGE`, Linux 6.2: the notification says whether bytes were copied.
const REPORT_USAGE: u16 = 8;

/// `IORING_NOTIF_USAGE_ZC_COPIED`.
const USAGE_COPIED: u32 = 1 << 31;

/// Operations in one batch at most.
const ENTRIES: u32 = 16;

/// An io_uring of one thread.
pub struct Ring {
    ring: IoUring,
    /// What was registered, until waiting for a read has failed.
    buffer: Option<Buffer>,
    /// Of the parts that the buffer was registered in.
    part_size: usize,
    next: u64,
    notifications: Vec<Notification>,
    /// Whether sends may ask how their bytes travelled.
    reports_usage: bool,
}

/// Which of the operations used here the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operations {
    /// `IORING_OP_SPLICE`, Linux 5.7.
    pub splice: bool,
    /// `IORING_OP_SEND_ZC`, Linux 6.0.
    pub send_zero_copy: bool,
    /// `IORING_OP_READ_FIXED`, Linux 5.1.
    pub read_fixed: bool,
}

/// What [`Ring::send_zero_copy`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that the socket took.
    pub size: usize,
    /// The number under which a [`Notification`] will come, if one will.
    pub number: Option<u64>,
}

/// The kernel no longer refers to the pages of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// The send's number.
    pub number: u64,
    /// The bytes were copied after all, as for a peer on the same machine. False also where the kernel does not tell.
    pub copied: bool,
}

impl Ring {
    /// `int io_uring_setup(unsigned int entries, struct io_uring_params *)`, and the mappings of its queues.
    ///
    /// Differs from the call in that an old kernel and a refusal are cases of their own.
    ///
    /// Safe, since the queues belong to the ring, which nobody else reaches.
    ///
    /// # Errors
    ///
    /// [`RingError`]: `ENOSYS`, an old kernel; `EPERM` and `EACCES`, a filter of system calls or `kernel.io_uring_disabled` says no;
    /// `ENOMEM`, `EMFILE`. man 2 io_uring_setup.
    pub fn new() -> Result<Ring, RingError> {
        Ok(Ring {
            ring: IoUring::new(ENTRIES).map_err(RingError::of)?,
            buffer: None,
            part_size: 0,
            next: 0,
            notifications: Vec::new(),
            reports_usage: true,
        })
    }

    /// `int io_uring_register(unsigned int fd, IORING_REGISTER_PROBE, void *probe, unsigned int count)`: what the kernel has; before Linux 5.6, nothing.
    ///
    /// Differs from the call in that a kernel that cannot be asked has nothing.
    ///
    /// Safe, since the kernel fills a list of the length that it is told.
    ///
    /// man 2 io_uring_register.
    #[must_use]
    pub fn operations(&self) -> Operations {
        let mut probe = Probe::new();
        let known = self.ring.submitter().register_probe(&mut probe).is_ok();
        Operations {
            splice: known && probe.is_supported(opcode::Splice::CODE),
            send_zero_copy: known && probe.is_supported(opcode::SendZc::CODE),
            read_fixed: known && probe.is_supported(opcode::ReadFixed::CODE),
        }
    }

    /// `int io_uring_register(unsigned int fd, IORING_REGISTER_BUFFERS, const struct iovec *, unsigned int count)`: makes a buffer of `count` parts of `part_size` bytes,
    /// rounded up to whole pages, and has the kernel keep its pages at hand.
    ///
    /// Differs from the call in that the memory is made, and one buffer is all there is.
    ///
    /// Safe, since the buffer is the ring's own, for as long as there is one.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the limit on locked memory is too low; `InvalidInput` for a buffer of nothing, for more parts than
    /// one batch has operations, and when there is a buffer already. man 2 io_uring_register.
    pub fn register_buffer(&mut self, part_size: usize, count: usize) -> io::Result<()> {
        if count > ENTRIES as usize || self.buffer.is_some() {
            let text = format!("{count} parts, of which {ENTRIES} can be registered, once");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let part_size = part_size.next_multiple_of(crate::page_size());
        let pool = BufferPool::new(part_size.saturating_mul(count), 1)?;
        let mut buffer = pool
            .try_reserve()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let parts: Vec<_> = buffer
            .chunks_exact_mut(part_size)
            .map(|part| libc::iovec {
                iov_base: part.as_mut_ptr().cast(),
                iov_len: part.len(),
            })
            .collect();
        // SAFETY: the buffer is kept as long as the ring, or for ever.
        unsafe { self.ring.submitter().register_buffers(&parts)? };
        (self.buffer, self.part_size) = (Some(buffer), part_size);
        Ok(())
    }

    /// `IORING_OP_READ_FIXED`, one for each part of the registered buffer, all at once: reads from byte `at` of `file`, at most `size`
    /// bytes, and lends what was read. Less than asked at the end of the file, or where a read stopped.
    ///
    /// Differs from the operation in that it is waited for.
    ///
    /// Safe, since it is waited for, and where waiting fails the buffer is given up and never freed.
    ///
    /// # Errors
    ///
    /// What the first read gives; `InvalidInput` without a buffer. man 2 io_uring_enter.
    pub fn read(&mut self, file: &File, at: u64, size: usize) -> io::Result<&[u8]> {
        let Some(buffer) = &mut self.buffer else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let asked = size.min(buffer.len());
        let fd = Fd(file.as_raw_fd());
        let parts = buffer[..asked].chunks_mut(self.part_size).zip(0_u16..);
        let entries: Vec<Entry> = parts
            .map(|(part, index)| {
                let place = at + u64::from(index) * self.part_size as u64;
                opcode::ReadFixed::new(fd, part.as_mut_ptr(), part.len() as u32, index)
                    .offset(place)
                    .build()
            })
            .collect();
        let results = self.run(entries)?;
        let mut read = 0;
        for (index, result) in results.into_iter().enumerate() {
            let wanted = self.part_size.min(asked - index * self.part_size);
            match result.count() {
                Ok(count) => {
                    read += count;
                    if count < wanted {
                        break;
                    }
                }
                Err(error) if index == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(self.buffer.as_ref().map_or(&[], |buffer| &buffer[..read]))
    }

    /// Two linked `IORING_OP_SPLICE`: from byte `at` of `file` into `pipe`, which is empty, and out of it to `socket`; one call for
    /// both. How many bytes went in and how many out; what was not moved out is still in the pipe.
    ///
    /// Each is done by a thread of the kernel, since it may wait for the disk. The socket is to be non-blocking.
    ///
    /// Differs from the operations in that they are waited for.
    ///
    /// Safe, since both descriptors are borrowed until it is done.
    ///
    /// # Errors
    ///
    /// The first's; when bytes went in, the second's comes with the next try to move them out. man 2 splice.
    pub fn splice_through(
        &mut self,
        file: &File,
        at: u64,
        pipe: &mut Pipe,
        socket: BorrowedFd<'_>,
        size: usize,
    ) -> io::Result<(usize, usize)> {
        debug_assert_eq!(pipe.filled(), 0);
        let place = i64::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let (read, write) = (pipe.read_end().as_raw_fd(), pipe.write_end().as_raw_fd());
        let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
        let in_entry = opcode::Splice::new(Fd(file.as_raw_fd()), place, Fd(write), -1, size)
            .flags(flags)
            .build()
            .flags(Flags::IO_LINK);
        let out_entry = opcode::Splice::new(Fd(read), -1, Fd(socket.as_raw_fd()), -1, size)
            .flags(flags)
            .build();
        let results = self.run(vec![in_entry, out_entry])?;
        let moved_in = results[0].count()?;
        // Canceled, when less than asked went in: the caller moves it out.
        let moved_out = results[1].count().unwrap_or(0);
        pipe.moved(moved_in, moved_out);
        Ok((moved_in, moved_out))
    }

    /// `IORING_OP_SEND_ZC`: sends `range` of `mapping` without copying it.
    ///
    /// Differs from the operation in that it is waited for, and asks how the bytes travelled where the kernel tells (Linux 6.2).
    ///
    /// Safe, since the kernel only reads the mapping, and holds the pages that it still refers to by itself.
    ///
    /// # Errors
    ///
    /// As [`zero_copy::send`](crate::zero_copy::send); `EINVAL` before Linux 6.0. man 2 io_uring_enter.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn send_zero_copy(
        &mut self,
        socket: BorrowedFd<'_>,
        mapping: &Mapping,
        range: Range<usize>,
    ) -> io::Result<Sent> {
        let vector = crate::gather::of_mapping(mapping, &range)?;
        let size = u32::try_from(vector.iov_len).unwrap_or(u32::MAX);
        loop {
            let zero_copy_flags = if self.reports_usage { REPORT_USAGE } else { 0 };
            let fd = Fd(socket.as_raw_fd());
            let entry = opcode::SendZc::new(fd, vector.iov_base.cast_const().cast(), size)
                .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
                .zc_flags(zero_copy_flags)
                .build();
            let result = self.run(vec![entry])?[0];
            // `run` has given it the last number.
            let number = result.more.then_some(self.next - 1);
            match result.count() {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.reports_usage => {
                    self.reports_usage = false;
                }
                count => {
                    let size = count?;
                    mapping.check_fault()?;
                    return Ok(Sent { size, number });
                }
            }
        }
    }

    /// The notifications that have come; no call.
    pub fn notifications(&mut self) -> Vec<Notification> {
        self.collect(&mut []);
        mem::take(&mut self.notifications)
    }

    /// Submits `entries` and waits until each has its result.
    fn run(&mut self, entries: Vec<Entry>) -> io::Result<Vec<Outcome>> {
        let first = self.next;
        let mut results = vec![None; entries.len()];
        for entry in &entries {
            let entry = entry.clone().user_data(self.next);
            self.next += 1;
            // SAFETY: what the entry refers to outlives it, see the top of this file.
            let pushed = unsafe { self.ring.submission().push(&entry) };
            pushed.map_err(|_| io::Error::other("more operations than the ring has entries"))?;
        }
        let mut results = Results {
            first,
            found: &mut results,
        };
        loop {
            let left = results.found.iter().filter(|found| found.is_none()).count();
            if left == 0 {
                break;
            }
            match self.ring.submit_and_wait(left) {
                Ok(_) => {}
                Err(error) if is_transient(&error) => {}
                Err(error) => {
                    // Some read may still be under way: its buffer is nobody's any more.
                    mem::forget(self.buffer.take());
                    return Err(error);
                }
            }
            self.collect_into(&mut results);
        }
        Ok(results.found.iter().flatten().copied().collect())
    }

    fn collect(&mut self, found: &mut [Option<Outcome>]) {
        let first = self.next;
        self.collect_into(&mut Results { first, found });
    }

    /// Sorts what the kernel has completed into results and notifications.
    fn collect_into(&mut self, results: &mut Results<'_>) {
        for entry in self.ring.completion() {
            let number = entry.user_data();
            if cqueue::notif(entry.flags()) {
                self.notifications.push(Notification {
                    number,
                    copied: entry.result().cast_unsigned() & USAGE_COPIED != 0,
                });
                continue;
            }
            let index = number.checked_sub(results.first);
            let place = index.and_then(|index| results.found.get_mut(index as usize));
            if let Some(place) = place {
                *place = Some(Outcome {
                    result: entry.result(),
                    more: cqueue::more(entry.flags()),
                });
            }
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ring")
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}

/// The results of a batch, by number.
struct Results<'a> {
    first: u64,
    found: &'a mut [Option<Outcome>],
}

#[derive(Debug, Clone, Copy)]
struct Outcome {
    result: i32,
    more: bool,
}

impl Outcome {
    fn count(self) -> io::Result<usize> {
        usize::try_from(self.result).map_err(|_| io::Error::from_raw_os_error(-self.result))
    }
}

/// `EBUSY`: the completion queue has to be emptied first, which is what comes next.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}
