//! Sends to a socket: many pieces of memory in one call, a range of a file in one call.
//!
//! One call each, without a loop: the count says how far it went, and `WouldBlock` that the socket
//! takes nothing now.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::{Mapping, gather};

/// A piece of what [`send_gather`] sends.
#[derive(Debug, Clone)]
pub enum Piece<'a> {
    /// Plain bytes.
    Bytes(&'a [u8]),
    /// A range of a mapping; the kernel reads it, no user buffer holds it.
    Mapped(&'a Mapping, Range<usize>),
}

impl Piece<'_> {
    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len(),
            Piece::Mapped(_, range) => range.len(),
        }
    }
}

/// `ssize_t sendmsg(int socket, const struct msghdr *, MSG_NOSIGNAL | MSG_DONTWAIT)`: sends
/// `pieces` one behind the other; the count may be less than their sum. With `more`, `MSG_MORE`: the
/// kernel may keep a segment that is not full until more comes.
///
/// Differs from the call in that only the first 1024 pieces are sent, the most the kernel takes,
/// and that it never blocks on the socket and never raises `SIGPIPE`. Pages of a mapping that are
/// not in memory are read from the disk within the call.
///
/// Safe, since the kernel only reads what the pieces borrow; mapped bytes that change meanwhile are sent as they were or as they
/// are.
///
/// # Errors
///
/// `WouldBlock` when the socket takes nothing now; `BrokenPipe`, `ConnectionReset`; `EFAULT` when a
/// mapped page could not be provided; [`crate::MemoryFault`] when a mapping has faulted, before the
/// send or during it (then bytes that are not the file's may be on their way: close the
/// connection). man 2 sendmsg.
///
/// # Panics
///
/// When a range lies outside its mapping.
pub fn send_gather(socket: BorrowedFd<'_>, pieces: &[Piece<'_>], more: bool) -> io::Result<usize> {
    send_pieces(socket, pieces.iter().cloned(), more)
}

/// `ssize_t sendmsg(int socket, const struct msghdr *, MSG_NOSIGNAL | MSG_DONTWAIT)`: as [`send_gather`], of pieces that lie in no
/// list; for a few of them no memory is allocated. `pieces` is gone through twice, and has to give the same both times.
///
/// Differs from the call as that does.
///
/// Safe, as that is: the pieces' borrows outlive the call.
///
/// # Errors
///
/// As [`send_gather`]. man 2 sendmsg.
///
/// # Panics
///
/// When a range lies outside its mapping.
pub fn send_pieces<'a>(
    socket: BorrowedFd<'_>,
    pieces: impl Iterator<Item = Piece<'a>> + Clone,
    more: bool,
) -> io::Result<usize> {
    let pieces = pieces.take(gather::PIECES_MAX);
    let mut list = List::new();
    for piece in pieces.clone() {
        list.push(vector_of(&piece)?);
    }
    let count = send_vectors(socket, list.vectors(), more)?;
    for piece in pieces {
        if let Piece::Mapped(mapping, _) = piece {
            mapping.check_fault()?;
        }
    }
    Ok(count)
}

/// So many pieces are listed on the stack, 1 KiB of it.
const FEW_MAX: usize = 64;

/// A list for the kernel.
struct List {
    few: [libc::iovec; FEW_MAX],
    count: usize,
    /// All of them, once they are more.
    many: Vec<libc::iovec>,
}

impl List {
    fn new() -> List {
        let nothing = gather::of_bytes(&[]);
        List {
            few: [nothing; FEW_MAX],
            count: 0,
            many: Vec::new(),
        }
    }

    fn push(&mut self, vector: libc::iovec) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = vector,
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(vector);
            }
        }
        self.count += 1;
    }

    fn vectors(&mut self) -> &mut [libc::iovec] {
        if self.many.is_empty() {
            &mut self.few[..self.count]
        } else {
            &mut self.many
        }
    }
}

fn vector_of(piece: &Piece<'_>) -> io::Result<libc::iovec> {
    match piece {
        Piece::Bytes(bytes) => Ok(gather::of_bytes(bytes)),
        Piece::Mapped(mapping, range) => Ok(gather::of_mapping(mapping, range)?),
    }
}

fn send_vectors(
    socket: BorrowedFd<'_>,
    vectors: &mut [libc::iovec],
    more: bool,
) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT | if more { libc::MSG_MORE } else { 0 };
    let message = libc::msghdr {
        msg_name: ptr::null_mut(),
        msg_namelen: 0,
        msg_iov: vectors.as_mut_ptr(),
        msg_iovlen: vectors.len(),
        msg_control: ptr::null_mut(),
        msg_controllen: 0,
        msg_flags: 0,
    };
    loop {
        // SAFETY: the vectors name memory that is borrowed by the caller's pieces and outlives the
        // call, and the kernel only reads it.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags) };
        if let Ok(count) = usize::try_from(sent) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// `ssize_t sendfile(int socket, int file, off_t *at, size_t size)`: sends `size` bytes of `file`
/// from byte `at`, straight from the page cache; the count may be less, and is 0 at the end of the
/// file only. The kernel sends at most 2,147,479,552 bytes a call.
///
/// It blocks when the socket does: make it non-blocking. Pages
/// that are not in memory are read from the disk within the call. After the return the socket may
/// still refer to the file's pages: bytes once sent must not be changed.
///
/// Differs from the call in that the file's own place is left alone, and it begins again when a signal interrupted it.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `WouldBlock`; `BrokenPipe` (with `SIGPIPE`, which Rust's start-up code ignores);
/// `ConnectionReset`; `EINVAL` when the pair of descriptors cannot do it; `EIO` for a bad sector.
/// man 2 sendfile.
pub fn send_file(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    at: u64,
    size: usize,
) -> io::Result<usize> {
    rustix::io::retry_on_intr(|| {
        let mut place = at;
        rustix::fs::sendfile(socket, file, Some(&mut place), size)
    })
    .map_err(io::Error::from)
}
