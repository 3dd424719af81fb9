//! What a protocol and a socket say to each other: a frame goes in, an [`Answer`] comes out, now or later.
//!
//! A protocol knows no socket and no thread; what moves frames knows no protocol. Both know this file:
//!
//! ```text
//!   frame ──▶ Handler::frame ──▶ Now(rope)        sent in its turn
//!                               Silent           nothing is ever sent for it
//!                               Later(pending)   polled when a mark, a deadline or a notice says so
//!                               Work(closure)    may block: runs on a worker, gives an Answer back
//!                               Close(reason)    what was answered before is sent, then the end
//! ```
//!
//! A long frame may go from the socket into the log without a buffer between ([`Handler::landing`]).
//!
//! Answers leave in the order of their frames, whatever the order in which they become ready.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

pub use pagelog_commit_log::{Incoming, Position};
use pagelog_transfer::Rope;

/// One of the two marks of the log that an answer can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// The bytes are in the file: they survive the death of the process.
    Written,
    /// The bytes are on the disk: they survive the loss of power.
    Durable,
}

/// How a waiting answer is woken from any thread.
///
/// Implemented by whatever owns the connections, and by tests.
pub trait Notify: Send + Sync {
    /// Asks that what hangs on `token` be polled once `mark` has reached `at`; at once if it already has.
    ///
    /// Never blocks, may be called from any thread, more than once, and for a token whose answer is gone.
    fn notify(&self, token: u64, mark: Mark, at: Position);
}

/// What a handler is told besides the frame.
pub struct Context<'a> {
    /// When the frame was taken up; read once for many frames.
    pub now: Instant,
    /// Who is to be told when a waiting answer may have become ready.
    pub notify: &'a Arc<dyn Notify>,
    /// Names the answer to this frame in [`Notify::notify`], unlike any other that waits there.
    pub token: u64,
}

/// What becomes of a frame.
pub enum Answer {
    /// The whole answer, its length prefix included.
    Now(Rope),
    /// Nothing is sent.
    Silent,
    /// Not ready yet.
    Later(Box<dyn Pending>),
    /// Has to block or to think for long: runs on a worker. The connection's next frame waits until it is back.
    Work(Work),
    /// Nothing is sent for this frame; the connection ends once all earlier answers have been sent.
    Close(CloseReason),
}

/// What a worker does for an answer.
pub type Work = Box<dyn FnOnce() -> Answer + Send>;

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Now(rope) => f.debug_tuple("Now").field(&rope.len()).finish(),
            Answer::Silent => f.write_str("Silent"),
            Answer::Later(pending) => f.debug_tuple("Later").field(&pending.wait()).finish(),
            Answer::Work(_) => f.write_str("Work"),
            Answer::Close(reason) => f.debug_tuple("Close").field(reason).finish(),
        }
    }
}

/// Why a handler ends its connection; it is shown in the one log line and nothing is decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason(Cow<'static, str>);

impl CloseReason {
    /// A reason in the words of the handler: what was wrong, with its value.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> CloseReason {
        CloseReason(reason.into())
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An answer that is not ready yet. Dropping it takes back whatever it registered.
pub trait Pending: Send {
    /// The answer, if it is ready by `now`; an empty rope ends the wait and sends nothing.
    ///
    /// Never blocks. Called once after [`Handler::frame`] returned it, then whenever [`Pending::wait`] or a notice says so,
    /// and possibly more often; never again once it has answered.
    fn poll(&mut self, now: Instant) -> Option<Rope>;

    /// What it waits for now; asked after every poll that gave nothing.
    fn wait(&self) -> Wait;

    /// What a worker has to do before there can be an answer, because it takes long; asked after every poll that gave nothing. It takes
    /// the place of this answer, which is dropped: what the work gives back is the answer.
    fn hand_over(&mut self) -> Option<Work> {
        None
    }
}

/// When to poll a [`Pending`] again: when any of these happens, or when [`Notify`] names its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wait {
    /// A mark that has to reach a position. If the log fails, the answer is polled too.
    pub mark: Option<(Mark, Position)>,
    /// A point in time.
    pub deadline: Option<Instant>,
}

/// Receives the rest of a frame straight into the log: it is given the front that it was made for, and where all of the rest waits. Never
/// blocks.
pub type Land = Box<dyn FnOnce(&[u8], &mut dyn Incoming, &Context<'_>) -> Landed + Send>;

/// What became of a frame that was to land.
#[derive(Debug)]
pub enum Landed {
    /// It was taken whole, or the answer ends the connection.
    Answered(Answer),
    /// It was not; these bytes of it were received. With them and what follows it is gathered, and goes to [`Handler::frame`].
    TakenBack(Vec<u8>),
}

/// One side of one connection: made when it opens, dropped when it closes.
pub trait Handler: Send {
    /// Takes one frame, without its length prefix. Never blocks.
    fn frame(&mut self, frame: &[u8], context: &Context<'_>) -> Answer;

    /// How the rest of a frame of `size` bytes (its length prefix not counted) that begins with `front` is received straight into the log, if
    /// it can be. It is called when all of the rest waits to be received; if that does not happen soon it is dropped, and
    /// [`Handler::frame`] gets the frame as any other.
    fn landing(&self, _front: &[u8], _size: usize, _now: Instant) -> Option<Land> {
        None
    }

    /// Until when no further frame is to be handed over: the peer has sent or got too much. Asked often, so it has to be cheap.
    fn muted_until(&self) -> Option<Instant> {
        None
    }
}
