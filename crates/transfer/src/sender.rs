//! Moves ropes into a socket, a bounded step at a time, and takes up again at any byte.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

use bytes::Buf;

use crate::choices::Why;
use crate::cold::{Cold, FETCH_SIZE_MAX};
use crate::cold_front;
use crate::path::gather::{self, Gathered, Run};
use crate::path::{
    Front, Held, Outcome, Path, direct, reference, send_file, splice, uring_read, uring_splice,
    uring_zero_copy, zero_copy,
};
use crate::paths::{Paths, Step};
use crate::rope::{Piece, Rope};

/// The most that one [`Sender::send`] moves, so that one fast reader of a long answer does not keep the others waiting.
///
/// Twice the 1 MiB that clients ask of a partition by default: such an answer with its headers goes in one step.
pub const SEND_SIZE_MAX: u64 = 2 * 1024 * 1024;

/// The ropes that wait for one socket, in order, and how far they have got.
///
/// A socket has one sender all its life: the kernel numbers a socket's sends without copying, and so does the sender.
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
    /// So many were named by [`Sender::cold`] and are not fetched yet.
    asked: u64,
    held: Held,
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
        match self.pieces.is_empty() {
            // The rope's own list: no piece moves.
            true => self.pieces = rope.into_pieces().into(),
            false => self.pieces.extend(rope.into_pieces()),
        }
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

    /// What is to be fetched before the next bytes can be sent, when [`Sender::send`] has said [`Progress::Cold`]: about `limit` bytes,
    /// between a byte and [`FETCH_SIZE_MAX`], of whole pages.
    pub fn cold(&mut self, limit: u64) -> Option<Cold> {
        let front = cold_front::front(&self.pieces, limit.clamp(1, FETCH_SIZE_MAX));
        let (cold, served) = front?;
        self.asked = served;
        Some(cold)
    }

    /// What [`Sender::cold`] named has been fetched. It is sent now, even if it should have been let go of again meanwhile: where
    /// memory is so short, waiting for the disk cannot be avoided, and asking again would never end.
    pub fn fetched(&mut self) {
        self.fetched = std::mem::take(&mut self.asked);
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
        // Of these, what is known to be in memory: asked about once, and again only behind what was not.
        let mut warm = 0;
        while !self.pieces.is_empty() {
            if left == 0 {
                return Ok(Progress::Yielded);
            }
            if warm == 0 {
                warm = self.warm_size(paths, left);
            }
            if warm == 0 {
                return Ok(Progress::Cold);
            }
            match self.step(socket, paths, warm)? {
                Moved::Sent(sent) => {
                    left -= sent;
                    warm -= sent;
                }
                Moved::Blocked => return Ok(Progress::Blocked),
                Moved::Nothing => {}
            }
        }
        Ok(Progress::Done)
    }

    /// Reads the completions of sends without copying, when the socket says that there is an error to read: files are held until
    /// then. How many are still to come.
    pub fn complete(&mut self, socket: BorrowedFd<'_>, paths: &mut Paths) -> usize {
        self.held.zero_copy.as_mut().map_or(0, |sends| {
            zero_copy::reap(socket, paths, sends);
            sends.outstanding()
        })
    }

    /// How many bytes, at most `limit`, can be sent without waiting for the disk.
    fn warm_size(&self, paths: &mut Paths, limit: u64) -> u64 {
        if let Some(staged) = &self.held.staged {
            return limit.min(staged.size());
        }
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
    ) -> Result<Moved, SendError> {
        if let Some(staged) = &self.held.staged {
            // What was taken out of the file goes first; its count was made when it was taken.
            return self.region(socket, paths, (staged.path(), None), limit);
        }
        let closed = paths.closed(socket, &mut self.held);
        match paths.choose(&self.pieces, closed) {
            Step::Gather(run, why) => self.gather(socket, paths, (run, why), limit),
            Step::Region(path, why) => self.region(socket, paths, (path, Some(why)), limit),
        }
    }

    /// Moves the front of the first piece, a region, by `path` or the first one below it that is not refused.
    fn region(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        (mut path, mut why): (Path, Option<Why>),
        limit: u64,
    ) -> Result<Moved, SendError> {
        loop {
            let Some(Piece::Region(region)) = self.pieces.front() else {
                return Ok(Moved::Nothing);
            };
            let front = Front {
                socket,
                region,
                limit,
            };
            if !region.is_mapped() {
                if !region.is_in_file() {
                    return Err(front.short());
                }
                path = path.by_descriptor();
            }
            let held = &mut self.held;
            let outcome = match path {
                Path::Gather => {
                    let run = Run {
                        count: 1,
                        more: false,
                    };
                    return self.gather(socket, paths, (run, why), limit);
                }
                Path::Reference => reference::send(front, paths)?,
                Path::SendFile => send_file::send(front, paths)?,
                Path::Splice => splice::send(front, paths, held)?,
                Path::ZeroCopy => zero_copy::send(front, paths, held)?,
                Path::UringSplice => uring_splice::send(front, paths, held)?,
                Path::UringZeroCopy => uring_zero_copy::send(front, paths)?,
                Path::UringRead => uring_read::send(front, paths)?,
                Path::Direct => direct::send(front, paths, held)?,
            };
            match outcome {
                Outcome::Sent(sent) => return Ok(self.sent(path, why, sent, paths)),
                Outcome::Blocked => return Ok(Moved::Blocked),
                Outcome::Again => return Ok(Moved::Nothing),
                Outcome::Refused(refusal) => {
                    held.staged = None;
                    path = paths.refuse(path, refusal, socket, held);
                    why = Some(Why::TakenOver);
                }
            }
        }
    }

    /// Moves the first pieces by one call.
    fn gather(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        (run, why): (Run, Option<Why>),
        limit: u64,
    ) -> Result<Moved, SendError> {
        match gather::send(&self.pieces, run, socket, paths, limit)? {
            Gathered::Sent(sent) => Ok(self.sent(Path::Gather, why, sent, paths)),
            Gathered::Blocked => Ok(Moved::Blocked),
            Gathered::Again => Ok(Moved::Nothing),
            Gathered::Fault => self.apart(socket, paths, run, None, limit),
            Gathered::Refused(refusal, error) => {
                if why.is_some() {
                    paths.refuse(Path::Gather, refusal, socket, &mut self.held);
                }
                self.apart(socket, paths, run, Some(error), limit)
            }
        }
    }

    /// After a gathered send that cannot be: goes on with the first piece alone, a region by the descriptor, which names what is
    /// wrong with the file.
    fn apart(
        &mut self,
        socket: BorrowedFd<'_>,
        paths: &mut Paths,
        run: Run,
        refused: Option<io::Error>,
        limit: u64,
    ) -> Result<Moved, SendError> {
        match (self.pieces.front(), refused) {
            (Some(Piece::Region(_)), _) => {
                let way = (Path::Reference, Some(Why::TakenOver));
                self.region(socket, paths, way, limit)
            }
            // Bytes alone can be sent no other way.
            (_, Some(error)) if run.count == 1 => Err(SendError::Socket(error)),
            _ => {
                let run = Run { count: 1, ..run };
                self.gather(socket, paths, (run, None), limit)
            }
        }
    }

    /// Counts, and lets go of the first `sent` bytes.
    fn sent(&mut self, path: Path, why: Option<Why>, sent: u64, paths: &mut Paths) -> Moved {
        paths.counters.of(path).bytes += sent;
        if path.copies() {
            paths.counters.copied_bytes += sent;
        }
        if let Some(why) = why {
            paths.counters.chosen(path, why);
        }
        self.advance(sent, paths);
        Moved::Sent(sent)
    }

    fn advance(&mut self, sent: u64, paths: &mut Paths) {
        let mut left = sent;
        if sent == self.size {
            // All of it, as most often: nobody asks where it ends.
            paths.counters.owned_bytes += self.owned_size;
            self.owned_size = 0;
            self.pieces.clear();
            left = 0;
        }
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
    }
}

/// How many pieces' room an empty sender keeps.
const KEPT_COUNT_MAX: usize = 32;

/// What one step has done.
enum Moved {
    Sent(u64),
    Blocked,
    /// Nothing, and it may be tried again at once.
    Nothing,
}
