//! Receives from a socket straight into a mapping, and asks and says how much is to wait there before.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::{Mapping, MemoryFault, gather};

/// Where bytes wait that can be received straight into memory: a socket, or what stands for one.
pub trait Incoming {
    /// Receives into `range` of `memory` and, what goes beyond it, into `behind`, without waiting. How many bytes, of both; 0: there will
    /// be no more.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there now; whatever receiving gives.
    fn receive_into(
        &mut self,
        memory: &Mapping,
        range: Range<usize>,
        behind: &mut [u8],
    ) -> io::Result<usize>;
}

impl Incoming for BorrowedFd<'_> {
    fn receive_into(
        &mut self,
        memory: &Mapping,
        range: Range<usize>,
        behind: &mut [u8],
    ) -> io::Result<usize> {
        receive_into(*self, memory, range, behind)
    }
}

/// The most bytes that [`Seen`] passes over.
pub const SEEN_SIZE_MAX: usize = 512;

/// A socket of which the next bytes have been looked at (`MSG_PEEK`): what comes behind them is received by the call that takes them out.
#[derive(Debug)]
pub struct Seen<'a> {
    socket: BorrowedFd<'a>,
    left: usize,
}

impl<'a> Seen<'a> {
    /// Passes over the next `size` bytes of `socket`.
    ///
    /// # Panics
    ///
    /// When these are more than [`SEEN_SIZE_MAX`].
    pub fn new(socket: BorrowedFd<'a>, size: usize) -> Seen<'a> {
        assert!(size <= SEEN_SIZE_MAX, "{size} bytes that were looked at");
        Seen { socket, left: size }
    }

    /// How many of the bytes that were looked at are still in the socket.
    pub fn left(&self) -> usize {
        self.left
    }
}

impl Incoming for Seen<'_> {
    fn receive_into(
        &mut self,
        memory: &Mapping,
        range: Range<usize>,
        behind: &mut [u8],
    ) -> io::Result<usize> {
        let mut seen = [0; SEEN_SIZE_MAX];
        while self.left > 0 {
            let front = &mut seen[..self.left];
            let count = receive(self.socket, front, memory, range.clone(), behind)?;
            let passed = count.min(self.left);
            self.left -= passed;
            if count == 0 || count > passed {
                return Ok(count - passed);
            }
        }
        receive_into(self.socket, memory, range, behind)
    }
}

/// `ssize_t recvmsg(int socket, struct msghdr *, MSG_DONTWAIT)`: receives into `range` of `memory`, and what goes beyond it into
/// `behind`; the count is of both, may be less than their sum, and is 0 when the peer sends no more.
///
/// Differs from the call in that it never blocks on the socket. Pages of a mapping that are not in memory are brought in within the
/// call. What was in the range before is gone, also behind the count.
///
/// Safe, since the range lies in a mapping that is borrowed and of whose bytes nobody holds a plain reference; `behind` is borrowed
/// alone.
///
/// # Errors
///
/// `WouldBlock` when nothing waits; `ConnectionReset`; [`MemoryFault`] when the mapping has faulted before, or has no page for the
/// first byte. man 2 recvmsg.
///
/// # Panics
///
/// When the range lies outside the mapping, or the mapping is read-only.
pub fn receive_into(
    socket: BorrowedFd<'_>,
    memory: &Mapping,
    range: Range<usize>,
    behind: &mut [u8],
) -> io::Result<usize> {
    receive(socket, &mut [], memory, range, behind)
}

/// As [`receive_into`], the first bytes into `front`.
fn receive(
    socket: BorrowedFd<'_>,
    front: &mut [u8],
    memory: &Mapping,
    range: Range<usize>,
    behind: &mut [u8],
) -> io::Result<usize> {
    memory.check_writable();
    let of_bytes = |bytes: &mut [u8]| libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    let mut vectors = [
        of_bytes(front),
        gather::of_mapping(memory, &range)?,
        of_bytes(behind),
    ];
    let mut message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: vectors.as_mut_ptr(),
        msg_iovlen: vectors.len(),
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    loop {
        // SAFETY: the second vector is a checked range of a writable mapping that outlives the call, and whose bytes nobody holds a plain
        // reference to; the others are `front` and `behind`, borrowed alone for as long.
        let received =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        if let Ok(count) = usize::try_from(received) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            Some(libc::EFAULT) => return Err(MemoryFault.into()),
            _ => return Err(error),
        }
    }
}

/// `int ioctl(int socket, FIONREAD, int *)`: how many bytes wait to be received.
///
/// Differs from the call in the number's type.
///
/// Safe, since the kernel writes a number into a place of its size.
///
/// # Errors
///
/// `EINVAL` for a socket that listens. man 7 tcp.
pub fn waiting(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let count = rustix::io::ioctl_fionread(socket)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// `int setsockopt(int socket, SOL_SOCKET, SO_RCVLOWAT, const int *, socklen_t)`: `poll` and its like call the socket readable from so many bytes on. Says what
/// holds then, which is less where the kernel's limit on receive buffers (`tcp_rmem`) is less.
///
/// An end of what the peer sends, an error, and a buffer that can take no more make it readable all the same. `recv` does not wait for
/// it where it does not block.
///
/// Differs from the call in that it asks after what has come of it.
///
/// Safe, since the option is a number that lives through the calls.
///
/// # Errors
///
/// What `setsockopt` and `getsockopt` give. man 7 socket, SO_RCVLOWAT.
pub fn set_low_water(socket: BorrowedFd<'_>, size: usize) -> io::Result<usize> {
    let size = libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX);
    let mut option_size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is an int that lives through the call, and its size is told.
    let outcome = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const size).cast(),
            option_size,
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut holds: libc::c_int = 0;
    // SAFETY: the kernel writes an int and its size into two places that live through the call.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw mut holds).cast(),
            &raw mut option_size,
        )
    };
    if outcome != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(holds).unwrap_or(0))
}
