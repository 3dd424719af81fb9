//! The paths by which a region reaches a socket, each in a file of its own, and the ladder that joins them.
//!
//! A path moves the front of one region, as much of it as one or two calls do, and says how far it came. What it has taken out
//! of the file and could not yet put into the socket (a pipe half full, a buffer) is [`Staged`] with the sender: the region moves on
//! only by what the socket took, so that another path can take over at any time with no byte lost or sent twice.

pub(crate) mod direct;
pub(crate) mod gather;
pub(crate) mod reference;
pub(crate) mod send_file;
pub(crate) mod splice;
pub(crate) mod uring_read;
pub(crate) mod uring_splice;
pub(crate) mod uring_zero_copy;
pub(crate) mod zero_copy;

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

use pagelog_os::{Buffer, MemoryFault};
use rustix::io::Errno;

use crate::kind::Kind;
use crate::region::Region;
use crate::sender::SendError;
use splice::HeldPipe;

/// A way for the bytes of a region to reach a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// `pread` into a buffer, then `send`: the plain way that the others are compared with.
    Reference,
    /// One `sendmsg` of bytes in memory and ranges of mappings: few calls for many small runs.
    Gather,
    /// `sendfile`: the socket refers to the pages of the page cache.
    SendFile,
    /// `splice` into a pipe and out of it: `sendfile` in two calls, for what that refuses.
    Splice,
    /// `sendmsg` with `MSG_ZEROCOPY` from the mapping: the socket refers to the pages, and completions say when no more.
    ZeroCopy,
    /// io_uring: two linked splices, one call.
    UringSplice,
    /// io_uring: `SEND_ZC` from the mapping.
    UringZeroCopy,
    /// io_uring: reads into registered buffers, several at a time, then `send`.
    UringRead,
    /// `pread` around the page cache into an aligned buffer, then `send`: evicts nobody's pages.
    Direct,
}

impl Path {
    /// All of them.
    pub const ALL: [Path; 9] = [
        Path::Reference,
        Path::Gather,
        Path::SendFile,
        Path::Splice,
        Path::ZeroCopy,
        Path::UringSplice,
        Path::UringZeroCopy,
        Path::UringRead,
        Path::Direct,
    ];

    /// As settings and tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Path::Reference => "read+write",
            Path::Gather => "mmap+writev",
            Path::SendFile => "sendfile",
            Path::Splice => "splice",
            Path::ZeroCopy => "zerocopy",
            Path::UringSplice => "uring-splice",
            Path::UringZeroCopy => "uring-zerocopy",
            Path::UringRead => "uring-read",
            Path::Direct => "direct",
        }
    }

    /// The next rung of the ladder: what takes over where this one is refused. Below the reference there is none.
    pub fn below(self) -> Option<Path> {
        match self {
            Path::UringSplice => Some(Path::Splice),
            Path::Splice => Some(Path::SendFile),
            Path::UringZeroCopy => Some(Path::ZeroCopy),
            Path::SendFile | Path::ZeroCopy => Some(Path::Gather),
            Path::Gather | Path::UringRead | Path::Direct => Some(Path::Reference),
            Path::Reference => None,
        }
    }

    /// Whether payload passes through a buffer of this process.
    pub fn copies(self) -> bool {
        matches!(self, Path::Reference | Path::UringRead | Path::Direct)
    }

    /// This path, or the reference if this one needs a mapping.
    pub(crate) fn by_descriptor(self) -> Path {
        match self {
            Path::Gather | Path::ZeroCopy | Path::UringZeroCopy => Path::Reference,
            other => other,
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    pub(crate) fn bit(self) -> u16 {
        1 << self.index()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no path: allowed are read+write, mmap+writev, sendfile, splice, zerocopy, uring-splice, uring-zerocopy, uring-read, direct"
)]
pub struct UnknownPath(pub String);

impl FromStr for Path {
    type Err = UnknownPath;

    fn from_str(name: &str) -> Result<Path, UnknownPath> {
        let found = Path::ALL.into_iter().find(|path| path.name() == name);
        found.ok_or_else(|| UnknownPath(name.to_owned()))
    }
}

/// What a path is given: where to, and the front of a region, which the file has; the paths of the mapping, one that it had when it was
/// mapped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front<'a> {
    pub(crate) socket: BorrowedFd<'a>,
    pub(crate) region: &'a Region,
    /// The most to move.
    pub(crate) limit: u64,
}

impl Front<'_> {
    /// What is to be moved now.
    pub(crate) fn size(&self) -> usize {
        self.region.size().min(self.limit) as usize
    }

    /// Where that lies in the mapping.
    pub(crate) fn in_memory(&self) -> Range<usize> {
        let at = self.region.at() as usize;
        at..at + self.size()
    }

    pub(crate) fn short(&self) -> SendError {
        SendError::FileShort {
            at: self.region.at(),
            size: self.region.size(),
        }
    }

    pub(crate) fn unreadable(&self, source: io::Error) -> SendError {
        SendError::File {
            at: self.region.at(),
            source,
        }
    }
}

/// How far a path came.
#[derive(Debug)]
pub(crate) enum Outcome {
    Sent(u64),
    /// The socket takes no more now.
    Blocked,
    /// Interrupted before anything moved.
    Again,
    /// The next rung is to take over, at the very byte.
    Refused(Refusal),
}

/// For whom a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// For descriptors of this kind.
    Kind,
    /// By the kernel, a filter or a limit, whatever the descriptor.
    Everywhere,
    /// For want of memory, descriptors or places: only now.
    Now,
}

/// What one sender keeps beside its rope. Empty, it has no memory.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Taken from the file, and not in the socket yet: the first bytes of the first piece, which is a region.
    pub(crate) staged: Option<Staged>,
    pub(crate) zero_copy: Option<Box<zero_copy::Sends>>,
    /// What kind of descriptor the socket is, once somebody wanted to know.
    pub(crate) kind: Option<Kind>,
}

/// See [`Held::staged`].
#[derive(Debug)]
pub(crate) enum Staged {
    Pipe(HeldPipe),
    Buffer(Buffer, Range<usize>),
}

impl Staged {
    /// How many bytes: never none, since what is empty is not held.
    pub(crate) fn size(&self) -> u64 {
        match self {
            Staged::Pipe(held) => held.pipe.filled() as u64,
            Staged::Buffer(_, range) => range.len() as u64,
        }
    }

    /// The path that goes on with it.
    pub(crate) fn path(&self) -> Path {
        match self {
            Staged::Pipe(_) => Path::Splice,
            Staged::Buffer(..) => Path::Direct,
        }
    }
}

/// What an error of a call that puts bytes into the socket means; one that is not about the way is the socket's end.
pub(crate) fn of_socket_error(error: io::Error) -> Result<Outcome, SendError> {
    match error.kind() {
        io::ErrorKind::WouldBlock => return Ok(Outcome::Blocked),
        io::ErrorKind::Interrupted => return Ok(Outcome::Again),
        _ => {}
    }
    if is_memory_fault(&error) {
        return Err(SendError::Mapping(error));
    }
    match refusal(&error) {
        Some(refusal) => Ok(Outcome::Refused(refusal)),
        None => Err(SendError::Socket(error)),
    }
}

/// Whether an error says that this way is not to be had, and for whom.
pub(crate) fn refusal(error: &io::Error) -> Option<Refusal> {
    match Errno::from_io_error(error)? {
        Errno::INVAL | Errno::OPNOTSUPP | Errno::XDEV => Some(Refusal::Kind),
        // Linux's ENOTSUPP, which no header of the C library names.
        errno if errno.raw_os_error() == 524 => Some(Refusal::Kind),
        Errno::NOSYS => Some(Refusal::Everywhere),
        Errno::NOBUFS | Errno::NOMEM => Some(Refusal::Now),
        _ => None,
    }
}

/// The same of a call that sets something up, where a filter may say no.
pub(crate) fn refusal_at_set_up(error: &io::Error) -> Refusal {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM | Errno::NOBUFS) => {
            Refusal::Now
        }
        _ => Refusal::Everywhere,
    }
}

pub(crate) fn is_memory_fault(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<MemoryFault>())
}

pub(crate) fn is_fault(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::FAULT)
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn every_ladder_ends_at_the_reference_and_every_name_is_read_back() {
        for path in Path::ALL {
            assert_eq!(Path::ALL[path.index()], path);
            assert_eq!(path.name().parse(), Ok(path));
            let mut rung = path;
            let mut rungs = 0;
            while let Some(below) = rung.below() {
                (rung, rungs) = (below, rungs + 1);
                assert!(rungs < Path::ALL.len(), "{path} goes round");
            }
            assert_eq!(rung, Path::Reference);
        }
        assert!("send-file".parse::<Path>().is_err());
    }
}
