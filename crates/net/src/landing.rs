//! Whether a frame is received straight to where its handler wants it, and when all of it waits for that.
//!
//! ```text
//!   front ──▶ long? ──▶ does the handler want it? ──▶ does all of the rest wait? ──▶ land
//!                │no              │no                          │not yet: low-water mark, for a moment
//!                ▼                ▼                            ▼ it came not: gather, as any other frame
//! ```
//!
//! As long as the rest has not come whole nothing of the log is touched, so a slow producer holds up nobody.

use std::mem;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use pagelog_os::receive;
use pagelog_store::answer::Land;

use crate::frame::PREFIX_SIZE;

/// How much of a frame is looked at before it is known where the rest goes: a client's and a topic's name of usual lengths and the head of a
/// batch fit into it.
pub(crate) const FRONT_SIZE: usize = 512;

const _: () = assert!(FRONT_SIZE <= receive::SEEN_SIZE_MAX);

/// From so many bytes on a frame lands, if nothing else is said: landing takes up to four system calls more, which is what the copies of some ten
/// thousand bytes cost, and small requests are not to pay for the front.
const SIZE_MIN: usize = 64 * 1024;

/// How long the rest of a frame may take to come, if nothing else is said: longer than a client on the same network needs for a megabyte.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// Which frames land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landings {
    /// None.
    Never,
    /// Some.
    From {
        /// The size in bytes from which on they do, length prefix included.
        size_min: usize,
        /// How long the rest of a frame may wait in the socket until it is whole; after that it is gathered. The kernel's buffer bounds what
        /// waits, and it counts as bytes in flight.
        wait_max: Duration,
    },
}

impl Landings {
    /// Whatever can, of any size, however long it takes to come (but for ten seconds).
    pub const ALWAYS: Landings = Landings::From {
        size_min: 0,
        wait_max: Duration::from_secs(10),
    };
}

impl Default for Landings {
    /// What is worth it: 64 KiB and more, if it comes within 20 ms.
    fn default() -> Landings {
        Landings::From {
            size_min: SIZE_MIN,
            wait_max: WAIT_MAX,
        }
    }
}

/// One connection's frames, as far as they land.
pub(crate) struct Landing {
    /// Frames from this size on are long; beyond any frame if none lands.
    size_min: usize,
    wait_max: Duration,
    /// The last frame was long: the front of the next one is looked at first, so that the rest can land.
    front_first: bool,
    /// So many bytes of the frame at the front have been looked at, and are still in the socket.
    seen: u16,
    frame: Frame,
    /// What the socket's low-water mark is.
    low_water: usize,
    /// Waiting for a rest to be whole was in vain: what lands is there at once.
    waits_not: bool,
    /// A frame had landed and was not valid: no more does.
    off: bool,
}

/// The frame at the front.
enum Frame {
    Unasked,
    Gathered,
    /// Its rest of so many bytes is awaited.
    Awaited {
        rest: usize,
        until: Instant,
        land: Land,
    },
}

/// How far the frame at the front has come.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    /// So many bytes of it are known.
    pub(crate) front: usize,
    /// So many are, or are to come, in the socket.
    pub(crate) rest: usize,
    /// The peer sends no more.
    pub(crate) ended: bool,
}

/// What to do with the frame at the front.
pub(crate) enum Next {
    Gather,
    /// Its rest is not whole yet.
    Wait(Instant),
    Land {
        land: Land,
        /// There is more in the socket behind it.
        more: bool,
    },
}

impl Landing {
    pub(crate) fn new(landings: Landings) -> Landing {
        let (size_min, wait_max) = match landings {
            Landings::Never => (usize::MAX, Duration::ZERO),
            Landings::From { size_min, wait_max } => (size_min, wait_max),
        };
        Landing {
            size_min,
            wait_max,
            front_first: size_min <= FRONT_SIZE,
            seen: 0,
            frame: Frame::Unasked,
            low_water: 1,
            waits_not: false,
            off: false,
        }
    }

    /// Whether a frame of `size` bytes is one of those that land.
    pub(crate) fn is_long(&self, size: usize) -> bool {
        size >= self.size_min
    }

    /// Whether the front of the next frame is looked at first.
    pub(crate) fn looks_first(&self) -> bool {
        self.front_first
    }

    /// Up to where a buffer of `size` bytes is filled, `carried` of which are.
    pub(crate) fn room(&self, carried: usize, size: usize) -> usize {
        match self.front_first && carried < FRONT_SIZE {
            true => FRONT_SIZE.min(size),
            false => size,
        }
    }

    /// Of the long frame at the front `size` bytes, a front at most, have been looked at and are still in the socket.
    pub(crate) fn saw(&mut self, size: usize) {
        debug_assert!(size <= FRONT_SIZE);
        self.seen = size as u16;
    }

    /// How many bytes have been looked at, and are still in the socket.
    pub(crate) fn seen(&self) -> usize {
        self.seen.into()
    }

    /// A frame is not whole; these are its first bytes.
    pub(crate) fn begins(&mut self, bytes: &[u8]) {
        if let Some(prefix) = bytes.first_chunk::<PREFIX_SIZE>() {
            let size = usize::try_from(i32::from_be_bytes(*prefix)).unwrap_or(0);
            self.front_first = self.is_long(size.saturating_add(PREFIX_SIZE));
        }
    }

    /// A frame of `size` bytes is handled that did not land.
    pub(crate) fn handled(&mut self, socket: &TcpStream, size: usize) {
        self.front_first = self.is_long(size) || self.size_min <= FRONT_SIZE;
        self.next_frame(socket);
    }

    /// Decides about the long frame at the front; `landing` asks the handler, once a frame.
    pub(crate) fn ask(
        &mut self,
        socket: &TcpStream,
        arrival: Arrival,
        now: Instant,
        landing: impl FnOnce() -> Option<Land>,
    ) -> Next {
        let Arrival { front, rest, ended } = arrival;
        let (land, waited) = match mem::replace(&mut self.frame, Frame::Gathered) {
            Frame::Gathered => return Next::Gather,
            Frame::Awaited { land, .. } => (Some(land), true),
            Frame::Unasked if self.off || front > FRONT_SIZE => (None, false),
            Frame::Unasked => (landing(), false),
        };
        let Some(land) = land else {
            return self.gather(socket);
        };
        match receive::waiting(socket.as_fd()) {
            Ok(waiting) if waiting >= rest => Next::Land {
                land,
                more: waiting > rest,
            },
            // Whoever has waited and is called without the whole finds a buffer that can take no more (the kernel says so to prevent that
            // both sides wait for each other), and receives.
            Ok(_) if !ended && !waited && !self.waits_not && self.set_low_water(socket, rest) => {
                let until = now + self.wait_max;
                self.frame = Frame::Awaited { rest, until, land };
                Next::Wait(until)
            }
            Ok(_) | Err(_) => self.gather(socket),
        }
    }

    fn gather(&mut self, socket: &TcpStream) -> Next {
        self.frame = Frame::Gathered;
        self.reset_low_water(socket);
        Next::Gather
    }

    /// The frame at the front was not taken; of what was received `taken` bytes are given back.
    pub(crate) fn refused(&mut self, socket: &TcpStream, taken: usize) {
        self.off |= taken > 0;
        self.gather(socket);
    }

    /// Gives up waiting, if it is time. Whether it did.
    pub(crate) fn give_up(&mut self, socket: &TcpStream, now: Instant) -> bool {
        let over = self.until().is_some_and(|until| until <= now);
        if over {
            self.waits_not = true;
            self.gather(socket);
        }
        over
    }

    /// Until when the rest of a frame is awaited, if one is.
    pub(crate) fn until(&self) -> Option<Instant> {
        match &self.frame {
            Frame::Awaited { until, .. } => Some(*until),
            Frame::Unasked | Frame::Gathered => None,
        }
    }

    /// Bytes that the kernel holds for this process's sake.
    pub(crate) fn awaited(&self) -> u64 {
        match &self.frame {
            Frame::Awaited { rest, .. } => *rest as u64,
            Frame::Unasked | Frame::Gathered => 0,
        }
    }

    /// The frame at the front is done with. Whether the socket may have become readable without a word of it.
    pub(crate) fn next_frame(&mut self, socket: &TcpStream) -> bool {
        self.frame = Frame::Unasked;
        self.seen = 0;
        self.reset_low_water(socket)
    }

    fn set_low_water(&mut self, socket: &TcpStream, size: usize) -> bool {
        match receive::set_low_water(socket.as_fd(), size) {
            Ok(holds) => {
                self.low_water = holds;
                holds >= size
            }
            Err(_) => false,
        }
    }

    /// Whether it was another one.
    fn reset_low_water(&mut self, socket: &TcpStream) -> bool {
        if self.low_water == 1 {
            return false;
        }
        if let Err(error) = receive::set_low_water(socket.as_fd(), 1) {
            tracing::debug!("a socket's low-water mark cannot be set back: {error}");
        }
        self.low_water = 1;
        true
    }
}
