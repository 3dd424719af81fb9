//! What a connection has received and not yet handled; nothing, and no memory, for one that is idle.

use std::net::TcpStream;

use rustix::buffer::spare_capacity;
use rustix::io;
use rustix::net::{RecvFlags, recv};

use crate::frame::{self, Front};

/// Below this, what is left over is carried back into the scratch buffer and received behind it; above, the rest of
/// the frame is received into the inbox itself, so that no byte of a large frame is copied more than a few times.
const CARRY_SIZE_MAX: usize = 4 * 1024;

/// The first step by which the buffer of a long frame grows, whatever length the peer claims.
const GROWTH_SIZE_MIN: usize = 64 * 1024;

/// Bytes that begin at a frame's first byte.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// Where the unhandled bytes begin.
    start: usize,
}

/// What one receive gave.
pub(crate) struct Received {
    /// How many bytes; 0 is the end of what the peer sends.
    pub(crate) size: usize,
    /// The socket may hold more.
    pub(crate) filled: bool,
    /// What was there before had to be copied into more memory: so many bytes.
    pub(crate) copied: usize,
}

impl Inbox {
    pub(crate) fn unhandled(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.unhandled().is_empty()
    }

    /// Memory held, in bytes.
    pub(crate) fn held(&self) -> u64 {
        self.bytes.capacity() as u64
    }

    /// Whether a whole frame, or a length that is none, waits at the front.
    pub(crate) fn is_ready(&self, frame_size_max: usize) -> bool {
        !matches!(
            frame::front(self.unhandled(), frame_size_max),
            Ok(Front::Part(_))
        )
    }

    /// Marks the first `size` bytes as handled; gives the memory back when nothing is left.
    pub(crate) fn consume(&mut self, size: usize) {
        self.start += size;
        if self.is_empty() {
            *self = Inbox::default();
        }
    }

    /// Keeps what was received elsewhere and cannot be handled yet.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        debug_assert!(self.is_empty());
        *self = Inbox {
            bytes: bytes.to_vec(),
            start: 0,
        };
    }

    /// Whether so little is left over that it goes to the scratch buffer.
    pub(crate) fn is_small(&self) -> bool {
        self.unhandled().len() < CARRY_SIZE_MAX
    }

    /// Empties the inbox into the front of `scratch`. How many bytes that were.
    pub(crate) fn carry_to(&mut self, scratch: &mut [u8]) -> usize {
        let size = self.unhandled().len();
        scratch[..size].copy_from_slice(self.unhandled());
        *self = Inbox::default();
        size
    }

    /// Puts bytes of the frame at the front behind those that are there: they were received elsewhere.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Receives more of the frame at the front, whose size, prefix included, is `frame_size`. So many bytes wait in the socket for certain.
    pub(crate) fn receive(
        &mut self,
        socket: &TcpStream,
        frame_size: usize,
        waiting: usize,
    ) -> io::Result<Received> {
        let copied = self.make_room(frame_size, waiting);
        let room = self.bytes.capacity() - self.bytes.len();
        let (size, _) = recv(socket, spare_capacity(&mut self.bytes), RecvFlags::DONTWAIT)?;
        Ok(Received {
            size,
            filled: size == room,
            copied,
        })
    }

    /// How many bytes had to be copied. The buffer doubles as bytes arrive and ends at the very size of the frame: a claimed size costs nothing.
    fn make_room(&mut self, frame_size: usize, waiting: usize) -> usize {
        if self.start > 0 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        if self.bytes.len() == self.bytes.capacity() {
            let here = self.bytes.len();
            let target = frame_size.min((here * 2).max(GROWTH_SIZE_MIN).max(here + waiting));
            self.bytes
                .reserve_exact(target.saturating_sub(self.bytes.len()).max(1));
            return here;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_what_arrives_up_to_the_frame() {
        let mut inbox = Inbox::default();
        inbox.keep(&[1; 5_000]);
        inbox.make_room(100 << 20, 0);
        assert!(inbox.held() <= GROWTH_SIZE_MIN as u64, "{}", inbox.held());
        inbox.bytes.resize(inbox.bytes.capacity(), 1);
        inbox.make_room(100_000, 0);
        assert_eq!(inbox.held(), 100_000);
    }

    #[test]
    fn grows_at_once_by_what_has_arrived() {
        let mut inbox = Inbox::default();
        inbox.keep(&[1; 500]);
        inbox.make_room(100 << 20, 1 << 20);
        assert_eq!(inbox.held(), (1 << 20) + 500);
    }

    #[test]
    fn gives_its_memory_back_when_empty() {
        let mut inbox = Inbox::default();
        inbox.keep(&[1; 5_000]);
        inbox.consume(4_999);
        assert_eq!(inbox.unhandled(), [1]);
        let mut scratch = [0; 8];
        assert_eq!(inbox.carry_to(&mut scratch), 1);
        assert_eq!((inbox.held(), scratch[0]), (0, 1));
    }
}
