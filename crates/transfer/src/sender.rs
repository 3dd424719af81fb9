//! Moves ropes into a socket, a bounded step at a time, and takes up again at any byte.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use bytes::Buf;
use pagelog_os::{MemoryFault, send};
use rustix::io::Errno;

use crate::cold::{self, Cold};
use crate::paths::{Path, Paths, Step};
use crate::region::Region;
use crate::rope::{Piece, Rope};

/// The most that one [`Sender::send`] moves, so that one fast reader of a long answer does not keep the others waiting.
///
/// Twice the 1 MiB that clients ask of a partition by default: such an answer with its headers goes in one step.
pub const SEND_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// What the reference path reads at a time.
const REFERENCE_SIZE_MAX: u64 = 64 * 1024;

/// The ropes that wait for one socket, in order, and how far they have got.
///
/// Pieces are let go as they are sent: memory and segments are held no longer than they are needed.
#[derive(Debug, Default)]
pub struct Sender {
    // Invariants: no piece is empty; `size` is the sum of the pieces' sizes, `owned_size` that of those in memory.
    pieces: VecDeque<Piece>,
    size: u64,
    owned_size: u64,
    /// So many bytes at the front were fetched for this sender: they are sent without a look at where they are.
    fetched: u64,
}

/// Why [`Sender::send`] came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Everything is in the socket.
    Done,
    /// The socket takes no more now: call again when it is writable.
    Blocked,
    /// The socket may take more, but it is the others' turn: call again after them.
    Yielded,
    /// The next bytes are not in memory: have [`Sender::cold`] fetched, say so by [`Sender::fetched`], and call again. Only with
    /// [`Paths::look_first`].
    Cold,
}

/// Why a rope cannot be sent to its end. What was sent so far cannot be taken back, so the connection has to be closed.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The peer or the way to it is gone.
    #[error("sending to the peer failed")]
    Socket(#[source] io::Error),
    /// The file ends before the region does.
    #[error(
        "a file ended before byte {at} with {size} bytes still to send: it was cut short while in use"
    )]
    FileShort {
        /// The first byte that is missing.
        at: u64,
        /// How many bytes were still to be sent from there.
        size: u64,
    },
    /// The file cannot be read.
    #[error("reading a file at byte {at} to send it failed")]
    File {
        /// Where reading began.
        at: u64,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A page of a mapped file went bad, perhaps while it was being sent: how much has left is not known.
    #[error("a mapped file could not be read while it was sent")]
    Mapping(#[source] io::Error),
}

impl Sender {
    /// Has `rope` to send.
    pub fn new(rope: Rope) -> Sender {
        let mut sender = Sender::default();
        sender.push(rope);
        sender
    }

    /// Adds a rope behind what waits already.
    pub fn push(&mut self, rope: Rope) {
        self.size += rope.len();
        self.owned_size += rope.owned_size();
        self.pieces.extend(rope.into_pieces());
    }

    /// How many bytes wait.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether none wait.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// How many of the waiting bytes are held in memory.
    pub fn owned_size(&self) -> u64 {
        self.owned_size
    }

    /// How many pieces wait.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// What is to be fetched before the next bytes can be sent, when [`Sender::send`] has said [`Progress::Cold`].
    pub fn cold(&self) -> Option<Cold> {
        cold::front(&self.pieces).map(|(cold, _)| cold)
    }

    /// What [`Sender::cold`] named has been fetched. It is sent now, even if it should have been let go of again meanwhile: where
    /// memory is so short, waiting for the disk cannot be avoided, and asking again would never end.
    pub fn fetched(&mut self) {
        self.fetched = cold::front(&self.pieces).map_or(0, |(_, served)| served);
    }

    /// Moves what the socket takes, at most [`SEND_SIZE_MAX`] bytes.
    ///
    /// `socket` must be non-blocking: `sendfile` has no flag to say so. A path that the kernel refuses is given up in `paths`, and the
    /// next one goes on at the very byte.
    ///
    /// # Errors
    ///
    /// [`SendError`]; the sender is of no more use then.
    pub fn send(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
    ) -> Result<Progress, SendError> {
        let mut left = SEND_SIZE_MAX;
        while !self.pieces.is_empty() {
            if left == 0 {
                return Ok(Progress::Yielded);
            }
            let warm = self.warm_size(paths, left);
            if warm == 0 {
                return Ok(Progress::Cold);
            }
            match self.step(socket, paths, warm)? {
                Outcome::Sent(sent) => left -= sent,
                Outcome::Blocked => return Ok(Progress::Blocked),
                Outcome::Again => {}
            }
        }
        Ok(Progress::Done)
    }

    /// How many bytes, at most `limit`, can be sent without waiting for the disk.
    fn warm_size(&self, paths: &mut Paths, limit: u64) -> u64 {
        match paths.window() {
            Some(window) if self.fetched == 0 => window.warm_size(&self.pieces, limit),
            Some(_) => self.fetched.min(limit),
            None => limit,
        }
    }

    fn step(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        limit: u64,
    ) -> Result<Outcome, SendError> {
        match paths.choose(&self.pieces) {
            Step::Gather { count, more } => self.gather(socket, paths, (count, more), limit),
            Step::SendFile(region) | Step::Reference(region) if !region.is_mapped() => {
                Err(short(region))
            }
            Step::SendFile(region) => {
                let region = region.clone();
                self.send_file(socket, paths, &region, limit)
            }
            Step::Reference(region) => {
                let region = region.clone();
                self.reference(socket, paths, &region, limit)
            }
        }
    }

    fn gather(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        (count, more): (usize, bool),
        limit: u64,
    ) -> Result<Outcome, SendError> {
        let list = self.gather_list(count, limit)?;
        paths.counters.gather.calls += 1;
        match send::send_gather(socket, &list, more) {
            Ok(0) => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
            Ok(sent) => {
                paths.counters.gather.bytes += sent as u64;
                Ok(self.advance(sent as u64, paths))
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::FAULT) => {
                self.after_fault(socket, paths, limit)
            }
            Err(error) if is_memory_fault(&error) => Err(SendError::Mapping(error)),
            // Bytes alone can be sent no other way.
            Err(error) if count > 1 && paths.refuse(Path::Gather, &error) => Ok(Outcome::Again),
            Err(error) => pause(error).map_err(SendError::Socket),
        }
    }

    /// The first `count` pieces, together at most `limit` bytes.
    fn gather_list(&self, count: usize, limit: u64) -> Result<Vec<send::Piece<'_>>, SendError> {
        let mut left = limit;
        let mut list = Vec::with_capacity(count);
        for piece in self.pieces.iter().take(count) {
            if left == 0 {
                break;
            }
            let size = piece.size().min(left);
            list.push(match piece {
                Piece::Bytes(bytes) => send::Piece::Bytes(&bytes[..size as usize]),
                Piece::Region(region) if !region.is_mapped() => return Err(short(region)),
                Piece::Region(region) => {
                    let at = region.at() as usize;
                    send::Piece::Mapped(region.file().mapping(), at..at + size as usize)
                }
            });
            left -= size;
        }
        Ok(list)
    }

    /// A page of some mapping is not to be had, and the kernel does not say which: goes on with the first piece alone, and by the
    /// descriptor, which names what is wrong with the file.
    fn after_fault(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        limit: u64,
    ) -> Result<Outcome, SendError> {
        match self.pieces.front() {
            Some(Piece::Region(region)) => {
                let region = region.clone();
                self.reference(socket, paths, &region, limit)
            }
            _ => self.gather(socket, paths, (1, false), limit),
        }
    }

    fn send_file(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        region: &Region,
        limit: u64,
    ) -> Result<Outcome, SendError> {
        let size = region.size().min(limit) as usize;
        paths.counters.send_file.calls += 1;
        match send::send_file(socket, region.file().file().as_fd(), region.at(), size) {
            // sendfile(2) moves nothing, and says so, at the end of the file.
            Ok(0) => Err(short(region)),
            Ok(sent) => {
                paths.counters.send_file.bytes += sent as u64;
                Ok(self.advance(sent as u64, paths))
            }
            Err(error) if paths.refuse(Path::SendFile, &error) => Ok(Outcome::Again),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => {
                Err(unreadable(region, error))
            }
            Err(error) => pause(error).map_err(SendError::Socket),
        }
    }

    fn reference(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        region: &Region,
        limit: u64,
    ) -> Result<Outcome, SendError> {
        let size = region.size().min(limit).min(REFERENCE_SIZE_MAX) as usize;
        paths.buffer.resize(REFERENCE_SIZE_MAX as usize, 0);
        paths.counters.reference.calls += 1;
        let read = match region
            .file()
            .file()
            .read_at(&mut paths.buffer[..size], region.at())
        {
            Ok(0) => return Err(short(region)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Outcome::Again),
            Err(error) => return Err(unreadable(region, error)),
        };
        paths.counters.reference.calls += 1;
        match send::send_gather(socket, &[send::Piece::Bytes(&paths.buffer[..read])], false) {
            Ok(0) => Err(SendError::Socket(io::ErrorKind::WriteZero.into())),
            Ok(sent) => {
                paths.counters.reference.bytes += sent as u64;
                paths.counters.copied_bytes += sent as u64;
                Ok(self.advance(sent as u64, paths))
            }
            Err(error) => pause(error).map_err(SendError::Socket),
        }
    }

    /// Lets go of the first `sent` bytes.
    fn advance(&mut self, sent: u64, paths: &mut Paths) -> Outcome {
        let mut left = sent;
        while left > 0
            && let Some(front) = self.pieces.front_mut()
        {
            let size = front.size().min(left);
            match front {
                Piece::Bytes(bytes) => {
                    bytes.advance(size as usize);
                    self.owned_size -= size;
                    paths.counters.owned_bytes += size;
                }
                Piece::Region(region) => region.advance(size),
            }
            if front.size() == 0 {
                self.pieces.pop_front();
            }
            left -= size;
        }
        debug_assert_eq!(left, 0, "the socket took more than it was given");
        self.size -= sent;
        self.fetched = self.fetched.saturating_sub(sent);
        if self.pieces.is_empty() && self.pieces.capacity() > KEPT_COUNT_MAX {
            self.pieces = VecDeque::new();
        }
        Outcome::Sent(sent)
    }
}

/// How many pieces' room an empty sender keeps.
const KEPT_COUNT_MAX: usize = 32;

enum Outcome {
    Sent(u64),
    Blocked,
    Again,
}

/// Tells a socket that is full, or a call that was interrupted, from one that is broken.
fn pause(error: io::Error) -> Result<Outcome, io::Error> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Outcome::Blocked),
        io::ErrorKind::Interrupted => Ok(Outcome::Again),
        _ => Err(error),
    }
}

fn is_memory_fault(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<MemoryFault>())
}

fn short(region: &Region) -> SendError {
    SendError::FileShort {
        at: region.at(),
        size: region.size(),
    }
}

fn unreadable(region: &Region, source: io::Error) -> SendError {
    SendError::File {
        at: region.at(),
        source,
    }
}
