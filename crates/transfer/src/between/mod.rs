//! Bytes between any two descriptors: [`Transfers::transfer_to`] and [`Transfers::transfer_from`], with positions and counts as Java's
//! `FileChannel.transferTo` and `transferFrom` have them.
//!
//! Each goes down a ladder of its own, a rung at a time: `copy_file_range` from file to file (which shares blocks where the file system
//! can), `sendfile`, `splice`, reading and writing. What is refused for good is remembered for that pair of kinds; what is not permitted, once
//! a rung below has shown that it is not for these two descriptors; and that no range is copied between two file systems, for these.

mod transfer_from;
mod transfer_to;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Index;
use std::os::fd::BorrowedFd;

use pagelog_os::Pipe;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::kind::Kind;

/// The most that one call of a rung moves: bounds the time that it takes.
const STEP_SIZE: u64 = 8 << 20;

/// What the pipe between two descriptors holds.
const PIPE_SIZE: usize = 256 * 1024;

/// What is read and written at a time on the last rung.
const BUFFER_SIZE: usize = 64 * 1024;

/// Pairs of file systems that are remembered.
const APART_MAX: usize = 16;

/// A way between two descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// `copy_file_range`, from file to file.
    CopyRange,
    /// `sendfile`, from a file.
    SendFile,
    /// `splice`: at once where one of the two is a pipe, else through a pipe between them.
    Splice,
    /// Read and write; never refused.
    Plain,
}

impl Rung {
    /// All of them, from the top.
    pub const ALL: [Rung; 4] = [Rung::CopyRange, Rung::SendFile, Rung::Splice, Rung::Plain];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Why a transfer ended before its time.
#[derive(Debug)]
pub struct TransferError {
    /// Bytes that had arrived.
    pub moved: u64,
    /// Bytes that were taken from the source, which cannot give them again, and could not be written: those that come next.
    pub unwritten: Vec<u8>,
    /// What the kernel said.
    pub source: io::Error,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a transfer ended after {} bytes", self.moved)?;
        match self.unwritten.len() {
            0 => Ok(()),
            count => write!(f, ", with {count} bytes read and not written"),
        }
    }
}

impl std::error::Error for TransferError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The ways between descriptors, what was refused, and what each has moved. One per thread.
#[derive(Debug, Default)]
pub struct Transfers {
    /// By kind of source and of target, as bits of rungs.
    closed: [[u8; Kind::ALL.len()]; Kind::ALL.len()],
    moved: [u64; Rung::ALL.len()],
    refusals: u64,
    /// File systems, from and to, between which no range is copied: the newest ones.
    apart: VecDeque<(u64, u64)>,
    pipe: Option<Pipe>,
    buffer: Vec<u8>,
}

impl Transfers {
    /// All ways, nothing refused.
    pub fn new() -> Transfers {
        Transfers::default()
    }

    /// Never goes by `rung`, as if it had been refused everywhere. The plain one cannot be closed.
    pub fn close(&mut self, rung: Rung) {
        if rung != Rung::Plain {
            self.closed
                .as_flattened_mut()
                .iter_mut()
                .for_each(|closed| *closed |= rung.bit());
        }
    }

    /// How often a rung was given up for a pair of kinds.
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// The first of `rungs` that is not closed for `pair`.
    fn open(&self, rungs: &[Rung], (from, to): (Kind, Kind)) -> Rung {
        let closed = self.closed[from.index()][to.index()];
        let open = rungs.iter().find(|rung| closed & rung.bit() == 0);
        open.copied().unwrap_or(Rung::Plain)
    }

    fn refuse(&mut self, rung: Rung, (from, to): (Kind, Kind)) {
        self.refusals += 1;
        self.closed[from.index()][to.index()] |= rung.bit();
    }

    /// A rung below has moved something: of those that were not permitted (as bits), it was not the descriptors' fault.
    fn refuse_all(&mut self, rungs: u8, pair: (Kind, Kind)) {
        let refused = Rung::ALL.into_iter().filter(|rung| rungs & rung.bit() != 0);
        refused.for_each(|rung| self.refuse(rung, pair));
    }

    /// Takes note that these lie on file systems between which no range is copied.
    fn set_apart(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
        if let Some(pair) = file_systems(from, to) {
            self.refusals += 1;
            if self.apart.len() == APART_MAX {
                self.apart.pop_front();
            }
            self.apart.push_back(pair);
        }
    }

    /// Whether that is known of these two.
    fn are_apart(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
        // Nothing is asked before something was refused.
        !self.apart.is_empty()
            && file_systems(from, to).is_some_and(|pair| self.apart.contains(&pair))
    }

    fn count(&mut self, rung: Rung, moved: u64) {
        self.moved[rung as usize] += moved;
    }

    /// An empty pipe.
    fn take_pipe(&mut self) -> io::Result<Pipe> {
        match self.pipe.take() {
            Some(pipe) => Ok(pipe),
            None => Pipe::new(PIPE_SIZE),
        }
    }

    /// Keeps the pipe for the next time, if it is empty.
    fn keep(&mut self, pipe: Pipe) {
        if pipe.filled() == 0 {
            self.pipe = Some(pipe);
        }
    }

    fn buffer(&mut self, size: u64) -> &mut [u8] {
        let size = size.min(BUFFER_SIZE as u64) as usize;
        self.buffer.resize(BUFFER_SIZE, 0);
        &mut self.buffer[..size]
    }
}

impl Index<Rung> for Transfers {
    type Output = u64;

    /// Bytes that went by a rung.
    fn index(&self, rung: Rung) -> &u64 {
        &self.moved[rung as usize]
    }
}

/// What an error of a rung above the last means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// Nothing can be moved now.
    Blocked,
    Interrupted,
    /// This rung cannot do it for these kinds.
    Refused,
    /// This rung cannot do it between the file systems of these two.
    Apart,
    /// Somebody does not permit it: for these two, or by a filter for all.
    NotPermitted,
    /// This rung cannot do it for these two: the next one is tried, and says why if it cannot either.
    NotThese,
}

/// Whether the descriptor is one that is waited for.
fn blocks(descriptor: BorrowedFd<'_>) -> io::Result<bool> {
    let flags = rustix::fs::fcntl_getfl(descriptor)?;
    Ok(!flags.contains(OFlags::NONBLOCK))
}

/// Those on which the two lie.
fn file_systems(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let (from, to) = (rustix::fs::fstat(from).ok()?, rustix::fs::fstat(to).ok()?);
    Some((from.st_dev, to.st_dev))
}

fn meaning(rung: Rung, error: &io::Error) -> Meaning {
    match Errno::from_io_error(error) {
        Some(Errno::AGAIN) => Meaning::Blocked,
        Some(Errno::INTR) => Meaning::Interrupted,
        Some(Errno::NOSYS | Errno::OPNOTSUPP) => Meaning::Refused,
        Some(Errno::XDEV) => Meaning::Apart,
        Some(Errno::PERM | Errno::ACCESS) => Meaning::NotPermitted,
        // `copy_file_range` says so of ranges of one file that overlap, and of a target for appending.
        Some(Errno::INVAL) if rung != Rung::CopyRange => Meaning::Refused,
        _ => Meaning::NotThese,
    }
}
