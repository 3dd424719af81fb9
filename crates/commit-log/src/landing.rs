//! An entry whose payload is received straight into its place.
//!
//! ```text
//!   reserve ──▶ receive into the place ──▶ look at it there ──▶ commit: offset, header          a data entry
//!                                                         └──▶ dropped: header of a filler      nobody sees it
//! ```
//!
//! From the reservation on nothing behind the place counts before it is finished, so nobody may wait within: what is to land is there
//! already. Killed in between, the log ends before the place, as with any entry that is being filled.

use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::receive::Incoming;
use pagelog_os::{FOLD_SIZE, Mapping, MemoryFault, can_fold};
use pagelog_record::{ALIGNMENT, HEADER_SIZE, Header, Kind, Sum, crc32c, entry_size};
use pagelog_segment::{Position, Segment, file_name};

use crate::append::{Appended, Assigned, Given, HEAD_SIZE_MAX, NewEntry};
use crate::error::{AppendError, LogFailure};
use crate::index::Item;
use crate::log::Log;
use crate::stream::Stream;
use crate::tail::Reserved;

/// How much of a body is looked at at a time, at most: it stays in the processor's first-level cache.
const WINDOW_SIZE: usize = 8 * 1024;

/// How much is looked at of what lies apart: the head of a record.
const GLANCE_SIZE: usize = 64;

/// From so many bytes on they are summed where they lie; of fewer the copy costs less than the last block.
const FOLDED_SIZE_MIN: usize = 2 * FOLD_SIZE;

const _: () = assert!(FOLD_SIZE == crc32c::FOLD_SIZE);

/// The sizes of a payload that is to land.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandingSize {
    /// Its first bytes, which are given when it is committed; at most [`HEAD_SIZE_MAX`].
    pub head: usize,
    /// All the others.
    pub body: usize,
}

/// A reserved place of the log. Unless it is committed, it becomes a filler when it is dropped.
///
/// Whoever holds one sees to it that nothing else is appended to its stream meanwhile, and does not wait for anything.
pub struct Landing<'a> {
    log: &'a Log,
    stream: &'a Stream,
    reserved: Reserved,
    /// Where it lies, on the mapped route.
    segment: Option<Arc<Segment>>,
    size: LandingSize,
    /// How much of the body is there, and how much of that was received.
    filled: usize,
    received: usize,
    /// Of the first bytes of the body.
    sum: Sum,
    finished: bool,
}

/// What has landed, to be read once from its first byte on. More can be consumed than is at hand: what is passed over so is not looked at.
///
/// Nothing of the place is lent; what is at hand is a copy, as long as readers seem to want it: a glance where they jump, a window where they
/// read on.
pub struct Body<'l, 'a> {
    landing: &'l mut Landing<'a>,
    /// How much was consumed.
    at: usize,
    window: [u8; WINDOW_SIZE],
    /// Which bytes of the body lie at the front of the window.
    held: Range<usize>,
}

/// How payloads came into the log since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Landings {
    /// Bytes of payloads of streams that were copied to their place by this process; what was moved is not counted.
    pub copied_bytes: u64,
    /// Bytes that were received straight into their place, of payloads that were committed.
    pub landed_bytes: u64,
    /// How many of these there were.
    pub landed: u64,
    /// Places that became fillers.
    pub given_up: u64,
}

impl Log {
    /// Reserves the place of an entry whose payload is to be received there. Never waits.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    ///
    /// # Panics
    ///
    /// When the head is longer than [`HEAD_SIZE_MAX`].
    pub fn reserve<'a>(
        &'a self,
        stream: &'a Stream,
        size: LandingSize,
    ) -> Result<Landing<'a>, AppendError> {
        let payload_size = self.checked_size(size.head, size.body)?;
        let Given { reserved, segment } =
            self.reserve_place(&mut self.tail(), entry_size(payload_size))?;
        Ok(Landing {
            log: self,
            stream,
            reserved,
            segment,
            size,
            filled: 0,
            received: 0,
            sum: Sum::default(),
            finished: false,
        })
    }

    /// How payloads came into the log since it was opened.
    pub fn landings(&self) -> Landings {
        self.tail().landings
    }
}

impl<'a> Landing<'a> {
    /// Puts the next bytes of the body into the place: those that were received before it was known that they would land.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`], as an I/O error.
    ///
    /// # Panics
    ///
    /// When the body has no room for them.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        assert!(
            bytes.len() <= self.size.body - self.filled,
            "{} bytes more than the body has",
            bytes.len() - (self.size.body - self.filled)
        );
        let (memory, at) = self.memory()?;
        memory.copy_in(at + HEADER_SIZE + self.size.head + self.filled, bytes)?;
        self.filled += bytes.len();
        Ok(())
    }

    /// Receives the rest of the body and what lies behind it, as far as it is there. How many bytes there were behind it.
    ///
    /// An error ends it, as does an end; whoever goes on receiving meets it again.
    pub fn receive(&mut self, incoming: &mut dyn Incoming, behind: &mut [u8]) -> usize {
        let mut beyond = 0;
        while !self.is_whole() || beyond < behind.len() {
            let room = self.size.body - self.filled;
            let received = self.memory().and_then(|(memory, at)| {
                let from = at + HEADER_SIZE + self.size.head + self.filled;
                incoming.receive_into(memory, from..from + room, &mut behind[beyond..])
            });
            let Ok(count @ 1..) = received else {
                break;
            };
            let landed = count.min(room);
            self.filled += landed;
            self.received += landed;
            beyond = (beyond + count - landed).min(behind.len());
        }
        beyond
    }

    /// Whether all of the body is there.
    pub fn is_whole(&self) -> bool {
        self.filled == self.size.body
    }

    /// What is there of the body, to be read once.
    pub fn body(&mut self) -> Body<'_, 'a> {
        Body {
            landing: self,
            at: 0,
            window: [0; WINDOW_SIZE],
            held: 0..0,
        }
    }

    /// Makes it an entry of its stream, with the head of `new` before the body that has landed; as [`Log::append`].
    ///
    /// # Errors
    ///
    /// [`AppendError::Failed`] when the log has failed.
    ///
    /// # Panics
    ///
    /// When the body is not whole, or `new` has one, or a head of another size, or something was appended to the stream meanwhile.
    pub fn commit(mut self, new: &NewEntry<'_>) -> Result<Appended, AppendError> {
        assert!(self.is_whole(), "only a whole body is committed");
        assert_eq!((new.head.len(), new.body.len()), (self.size.head, 0));
        if let Err(error) = self.sum_up() {
            return Err(AppendError::Failed(self.fail(&error)));
        }
        let position = self.reserved.position;
        let item = Item {
            base_offset: 0,
            position,
            time_max_ms: new.record_time_max_ms,
            payload_size: self.payload_size(),
            count: new.count,
        };
        let base_offset = {
            // In the order of positions with all others, for whoever looks at several streams.
            let mut tail = self.log.tail();
            assert!(
                self.stream.ends_before(position),
                "something was appended to the stream while an entry was landing"
            );
            tail.landings.landed += 1;
            tail.landings.landed_bytes += self.received as u64;
            tail.landings.copied_bytes += (self.size.head + self.filled - self.received) as u64;
            self.stream.take(item, self.log.indexes().pool())
        };
        if self.log.indexes().pool().has_crossed() {
            self.log.indexes().ring();
        }
        let header = Header {
            kind: Kind::Data,
            payload_size: self.payload_size(),
            base_offset,
            append_time_ms: new.append_time_ms,
            record_time_max_ms: new.record_time_max_ms,
            stream: self.stream.id(),
            count: new.count,
            producer: new.producer,
            ..self.log.blank(position)
        };
        let mut head = [0; HEAD_SIZE_MAX];
        let head = &mut head[..new.head.len()];
        head.copy_from_slice(new.head);
        let epoch = self.log.epoch();
        (new.patch)(Assigned { base_offset, epoch }, head);
        let sealed = self.log.seed().seal_summed(&header, head, &self.sum);
        if let Err(error) = self.finish(&sealed, head) {
            return Err(AppendError::Failed(self.fail(&error)));
        }
        Ok(Appended {
            position: Position(position),
            end: Position(self.reserved.end),
            base_offset,
        })
    }

    /// Gives the place up, and back what was received into it.
    ///
    /// # Errors
    ///
    /// [`AppendError::Failed`]: the memory is gone, and with it the log.
    pub fn take_back(mut self) -> Result<Vec<u8>, AppendError> {
        let mut bytes = vec![0; self.received];
        let early = self.filled - self.received;
        let copied = self.memory().and_then(|(memory, at)| {
            let from = at + HEADER_SIZE + self.size.head + early;
            Ok(memory.copy_out(from, &mut bytes)?)
        });
        match copied {
            Ok(()) => Ok(bytes),
            Err(error) => Err(AppendError::Failed(self.fail(&error))),
        }
    }

    fn payload_size(&self) -> u32 {
        // It was checked when the place was reserved.
        (self.size.head + self.size.body) as u32
    }

    /// The memory that holds the place, and where in it the place begins.
    fn memory(&self) -> io::Result<(&Mapping, usize)> {
        match (&self.segment, self.reserved.place, self.log.ring()) {
            (_, Some(place), Some(ring)) => Ok((&ring.memory, place.at)),
            (Some(segment), ..) => {
                let at = self.reserved.position - segment.base().0;
                Ok((segment.append_mapping()?, at as usize))
            }
            _ => Err(MemoryFault.into()),
        }
    }

    /// Sums all of the body that is not summed yet.
    fn sum_up(&mut self) -> io::Result<()> {
        let mut sum = self.sum;
        let (memory, at) = self.memory()?;
        let begin = at + HEADER_SIZE + self.size.head;
        let left = self.filled - sum.size() as usize;
        if left >= FOLDED_SIZE_MIN && can_fold() {
            let from = begin + sum.size() as usize;
            let count = left / FOLD_SIZE;
            sum.update_folded(count, |multipliers, state| {
                memory.fold_out(from, count, multipliers, state)
            })?;
        }
        if (sum.size() as usize) < self.filled {
            sum_by_windows(&mut sum, memory, begin..begin + self.filled)?;
        }
        self.sum = sum;
        Ok(())
    }

    /// Puts header, head and padding into the place, and has it count.
    fn finish(&mut self, header: &[u8; HEADER_SIZE], head: &[u8]) -> io::Result<()> {
        self.finished = true;
        let (memory, at) = self.memory()?;
        let end = at + HEADER_SIZE + self.size.head + self.size.body;
        memory.copy_in(at + HEADER_SIZE, head)?;
        let padding = end.next_multiple_of(ALIGNMENT) - end;
        memory.copy_in(end, &[0; ALIGNMENT][..padding])?;
        // Last, so that a place that is not whole does not look like one for longer than need be.
        memory.copy_in(at, header)?;
        if let Some(segment) = &self.segment {
            segment.writer_at(self.reserved.end - segment.base().0);
        }
        self.log.finish_place(&self.reserved);
        Ok(())
    }

    /// The memory is gone, and what was promised behind the place with it.
    fn fail(&mut self, error: &io::Error) -> Arc<LogFailure> {
        self.finished = true;
        tracing::debug!("a landing failed: {error}");
        let (file, at) = match &self.segment {
            Some(segment) => (
                file_name(segment.base()),
                self.reserved.position - segment.base().0,
            ),
            None => (
                "of the staging ring".into(),
                self.reserved.place.map_or(0, |place| place.at as u64),
            ),
        };
        let fault = MemoryFault;
        self.log.fail(LogFailure::Fault { file, at, fault })
    }
}

/// Sums the rest of `range` of `memory`, of whose front there is a sum.
fn sum_by_windows(sum: &mut Sum, memory: &Mapping, range: Range<usize>) -> Result<(), MemoryFault> {
    let mut window = [0; WINDOW_SIZE];
    let from = range.start + sum.size() as usize;
    for from in (from..range.end).step_by(WINDOW_SIZE) {
        let window = &mut window[..WINDOW_SIZE.min(range.end - from)];
        memory.copy_out(from, window)?;
        sum.update(window);
    }
    Ok(())
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.log.tail().landings.given_up += 1;
        let header = Header {
            kind: Kind::Filler,
            payload_size: self.payload_size(),
            ..self.log.blank(self.reserved.position)
        };
        let sealed = self.log.seed().seal(&header, &[]);
        if let Err(error) = self.finish(&sealed, &[]) {
            self.fail(&error);
        }
    }
}

impl Body<'_, '_> {
    /// The CRC-32C of `before` and the whole body behind it, whatever of it was read.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`], as an I/O error.
    pub fn crc_behind(&mut self, before: &[u8]) -> io::Result<u32> {
        self.landing.sum_up()?;
        Ok(self.landing.sum.behind(before))
    }

    /// What lies `distance` bytes further on, as much of it as is at hand; none of it only where the body ends. Nothing is consumed.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`], as an I/O error.
    #[inline]
    pub fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
        let wanted = self.at.saturating_add(distance).min(self.landing.filled);
        if !self.held.contains(&wanted) {
            self.look(wanted)?;
        }
        Ok(&self.window[wanted - self.held.start..self.held.len()])
    }

    /// Fills the window from byte `from` of the body on.
    fn look(&mut self, from: usize) -> io::Result<()> {
        let (size, before) = (self.held.len(), self.held.start);
        // Whoever went on no further than twice what was at hand reads on.
        let size = match from.checked_sub(before) {
            Some(step) if step <= 2 * size => (2 * size).clamp(GLANCE_SIZE, WINDOW_SIZE),
            _ => GLANCE_SIZE,
        };
        let size = size.min(self.landing.filled - from);
        self.held = from..from;
        let (memory, at) = self.landing.memory()?;
        let begin = at + HEADER_SIZE + self.landing.size.head;
        memory.copy_out(begin + from, &mut self.window[..size])?;
        self.held.end += size;
        Ok(())
    }
}

impl BufRead for Body<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.ahead(0)
    }

    fn consume(&mut self, size: usize) {
        self.at = self.at.saturating_add(size).min(self.landing.filled);
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let size = from.len().min(into.len());
        into[..size].copy_from_slice(&from[..size]);
        self.consume(size);
        Ok(size)
    }
}
