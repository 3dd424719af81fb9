//! The load generator: one thread, one epoll set, frames that were laid out before.
//!
//! It must not be the limit. What it does for a request is one `send`, one `recv` and its share of
//! an `epoll_wait`; the frames are never built or copied under load. `append` runs it against a
//! server that only echoes and prints the rate, and every sample keeps the processor time of this
//! thread.

mod closed;
mod connection;
mod open;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use closed::{ClosedLoop, Until};
pub(crate) use open::OpenLoop;

/// A request, and how its answer is known to be right.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The whole frame, length included.
    pub(crate) frame: Arc<[u8]>,
    pub(crate) expect: Expect,
    /// Payload bytes that a success counts for.
    pub(crate) bytes: u64,
}

/// What an answer must look like. All else ends the bench with an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// A short answer (64 bytes are looked at) with a zero error code at this byte.
    NoErrorAt(usize),
    /// An answer of this many bytes, length included: the same as when it was decoded and checked.
    Size(usize),
}

/// What becomes of the bytes of an answer after its first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Into a buffer, as a client does.
    Copy,
    /// Dropped in the kernel (`MSG_TRUNC`): a receiver that costs nearly nothing, as if the peer
    /// were another machine.
    Discard,
}

/// Processor time of the calling thread.
pub(crate) fn thread_processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
