//! Sends that refer to the sender's own pages: `MSG_ZEROCOPY`, and the completions that say when they no longer do.
//!
//! Only ranges of a [`Mapping`] are sent: the kernel holds their pages by itself, so that unmapping them
//! meanwhile is harmless, and who changes them meanwhile changes what arrives, no more.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::{Mapping, gather};

/// Room for one control message of the error queue: a header, `struct sock_extended_err`, an address.
const CONTROL_SIZE: usize = 128;

/// What the error queue says about sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The numbers of the sends, counted from 0 for each socket, that the kernel is done with. They wrap.
    pub sends: RangeInclusive<u32>,
    /// The kernel had to copy the bytes after all, as it does for peers on the same machine: the path
    /// costs more than it saves.
    pub copied: bool,
}

/// Why a socket is not to send without copying. Not fatal: whatever [`send`] sends can be sent by another call.
#[derive(Debug, thiserror::Error)]
pub enum EnableError {
    /// The kernel (before Linux 4.14) does not have it.
    #[error(
        "this kernel does not send without copying (SO_ZEROCOPY, Linux 4.14): send by another call"
    )]
    Unsupported,
    /// Sockets of this kind cannot.
    #[error(
        "sockets of this kind do not send without copying, only TCP's and UDP's do: send by another call"
    )]
    Socket,
    /// A filter of system calls says no, or a kernel that wants to be asked before the socket is connected.
    #[error(
        "sending without copying was refused ({0}): allow setsockopt of SO_ZEROCOPY, or send by another call"
    )]
    Refused(#[source] io::Error),
    /// The call failed.
    #[error("sending without copying cannot be switched on: {0}")]
    Io(#[source] io::Error),
}

impl EnableError {
    fn of(error: io::Error) -> EnableError {
        match error.raw_os_error() {
            Some(libc::ENOPROTOOPT | libc::ENOSYS) => EnableError::Unsupported,
            Some(libc::EOPNOTSUPP | ENOTSUPP) => EnableError::Socket,
            Some(libc::EPERM | libc::EACCES) => EnableError::Refused(error),
            _ => EnableError::Io(error),
        }
    }
}

/// Linux's own, which no header of the C library names.
const ENOTSUPP: i32 = 524;

/// `int setsockopt(int socket, SOL_SOCKET, SO_ZEROCOPY, const int *, socklen_t)`: allows [`send`] on this socket.
///
/// Differs from the call in nothing but that it is never switched off.
///
/// Safe, since the option is a number that lives through the call.
///
/// # Errors
///
/// [`EnableError`]: `ENOPROTOOPT`, an old kernel; `EOPNOTSUPP` (`ENOTSUPP`, 524, on older kernels), sockets that are neither TCP nor UDP;
/// `EPERM`, old kernels when the socket is connected. man 7 socket.
pub fn enable(socket: BorrowedFd<'_>) -> Result<(), EnableError> {
    let on: libc::c_int = 1;
    // SAFETY: the option is an int, and the call only reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ZEROCOPY,
            (&raw const on).cast(),
            mem::size_of_val(&on) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(EnableError::of(io::Error::last_os_error()))
    }
}

/// `ssize_t sendmsg(int socket, …, MSG_ZEROCOPY | MSG_NOSIGNAL | MSG_DONTWAIT)`: sends `range` of
/// `mapping`; the count may be less. Each call that succeeds has the next number, see [`Completion`].
///
/// Differs from the call in that it never blocks on the socket and never raises `SIGPIPE`, and that a range of a mapping is all
/// that can be sent.
///
/// Safe, since the kernel only reads the mapping, and holds the pages that it still refers to by itself: bytes that change
/// meanwhile are sent as they were or as they are.
///
/// # Errors
///
/// `WouldBlock`; `ENOBUFS` when too many sends are not completed, or the limit on locked memory or
/// `net.core.optmem_max` is reached: read [`completion`]s, or send by another way; `EFAULT` when a page
/// could not be provided; [`crate::MemoryFault`] when the mapping has faulted. man 2 sendmsg;
/// Documentation/networking/msg_zerocopy.rst of the kernel.
///
/// # Panics
///
/// When the range lies outside the mapping.
pub fn send(
    socket: BorrowedFd<'_>,
    mapping: &Mapping,
    range: std::ops::Range<usize>,
) -> io::Result<usize> {
    let mut vector = gather::of_mapping(mapping, &range)?;
    let message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: &raw mut vector,
        msg_iovlen: 1,
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    let flags = libc::MSG_ZEROCOPY | libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    loop {
        // SAFETY: the vector lies in `mapping`, which outlives the call; pages that the kernel refers to
        // beyond it are held by the kernel.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
        if let Ok(count) = usize::try_from(sent) {
            mapping.check_fault()?;
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// `ssize_t recvmsg(int socket, …, MSG_ERRQUEUE | MSG_DONTWAIT)`: the next completion; `None` when there is
/// none now.
///
/// Differs from the call in that other messages of the error queue are passed over.
///
/// Safe, since the kernel fills a place of the size that it is told, and what is read of it was checked to be there.
///
/// # Errors
///
/// What the call gives; a pending error of the socket. man 2 recvmsg.
pub fn completion(socket: BorrowedFd<'_>) -> io::Result<Option<Completion>> {
    loop {
        let mut control = [0_u64; CONTROL_SIZE / 8];
        let mut message = libc::msghdr {
            msg_name: ptr::null_mut(),
            msg_namelen: 0,
            msg_iov: ptr::null_mut(),
            msg_iovlen: 0,
            msg_control: control.as_mut_ptr().cast(),
            msg_controllen: CONTROL_SIZE,
            msg_flags: 0,
        };
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: the control buffer is as large as said, aligned, and lives through the call; no data is
        // asked for.
        let result = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        if result < 0 {
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(None),
                io::ErrorKind::Interrupted => continue,
                _ => return Err(error),
            }
        }
        if let Some(completion) = completion_in(&message) {
            return Ok(Some(completion));
        }
    }
}

/// The completion in the control messages of `message`, which the kernel has filled.
fn completion_in(message: &libc::msghdr) -> Option<Completion> {
    // SAFETY: the control buffer of `message` is alive, and its length is the kernel's.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    if header.is_null() {
        return None;
    }
    // SAFETY: the kernel has put a whole header there.
    let found = unsafe { &*header };
    let is_error = matches!(
        (found.cmsg_level, found.cmsg_type),
        (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
    );
    if !is_error {
        return None;
    }
    // SAFETY: the header lies in the control buffer.
    let data = unsafe { libc::CMSG_DATA(header) };
    // SAFETY: a message of this type begins with a `sock_extended_err`, whatever its alignment.
    let error = unsafe { ptr::read_unaligned(data.cast::<libc::sock_extended_err>()) };
    (error.ee_origin == SO_EE_ORIGIN_ZEROCOPY).then_some(Completion {
        sends: error.ee_info..=error.ee_data,
        copied: error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED != 0,
    })
}

/// `linux/errqueue.h`.
const SO_EE_ORIGIN_ZEROCOPY: u8 = 5;

/// `linux/errqueue.h`.
const SO_EE_CODE_ZEROCOPY_COPIED: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_a_wrong_socket_and_a_refusal_are_told_apart() {
        let of = |code| EnableError::of(io::Error::from_raw_os_error(code));
        assert!(matches!(of(libc::ENOPROTOOPT), EnableError::Unsupported));
        assert!(matches!(of(libc::EOPNOTSUPP), EnableError::Socket));
        assert!(matches!(of(524), EnableError::Socket));
        assert!(matches!(of(libc::EPERM), EnableError::Refused(_)));
        assert!(matches!(of(libc::ENOMEM), EnableError::Io(_)));
    }
}
