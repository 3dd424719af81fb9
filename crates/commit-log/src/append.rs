//! An entry's way to its place: reserve under the lock, fill without it, finish.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pagelog_os::{Mapping, MemoryFault};
use pagelog_record::{
    ALIGNMENT, Epoch, HEADER_SIZE, Header, Kind, Offset, Producer, Sealing, StreamId, entry_size,
};
use pagelog_segment::{NextError, Position, Segment, file_name};

use crate::control::Control;
use crate::error::{AppendError, Busy, LogFailure};
use crate::index::Item;
use crate::log::Log;
use crate::options::SEGMENT_HEAD_SIZE;
use crate::stream::Stream;
use crate::tail::{Reserved, Tail};

/// The longest [`NewEntry::head`], in bytes.
pub const HEAD_SIZE_MAX: usize = 128;

/// How much of a payload is summed and copied at a time: while the memory takes in one block the next one is summed.
const BLOCK_SIZE: usize = 2048;

/// From so many bytes on a part of a payload goes into a mapped file past the caches: it is not read again here, but sent by the kernel. As much as
/// that is worth the wait at the end of it, which is the same for few bytes.
const PAST_CACHES_SIZE_MIN: usize = 12 << 10;

/// How much of it is summed and copied at a time: each time the end is waited for.
const PAST_CACHES_BLOCK_SIZE: usize = 32 << 10;

/// An entry to be appended.
#[derive(Clone, Copy)]
pub struct NewEntry<'a> {
    /// How many offsets it takes.
    pub count: u32,
    /// The caller's clock, in milliseconds since 1970.
    pub append_time_ms: i64,
    /// The highest time of a record in it, in milliseconds since 1970; −1 for none.
    pub record_time_max_ms: i64,
    /// Who wrote it.
    pub producer: Producer,
    /// The payload's first bytes, at most [`HEAD_SIZE_MAX`] of them: they are copied and given to `patch` before they are stored.
    pub head: &'a [u8],
    /// The rest of the payload, stored as it is.
    pub body: &'a [u8],
    /// Fills in what only the log knows.
    pub patch: fn(Assigned, &mut [u8]),
}

impl<'a> NewEntry<'a> {
    /// One record without a time, of nobody in particular, stored as it is.
    ///
    /// ```
    /// # use pagelog_commit_log::NewEntry;
    /// let entry = NewEntry {
    ///     append_time_ms: 1_700_000_000_000,
    ///     ..NewEntry::record(b"of a time")
    /// };
    /// assert_eq!(entry.count, 1);
    /// ```
    pub const fn record(body: &'a [u8]) -> NewEntry<'a> {
        NewEntry {
            count: 1,
            append_time_ms: 0,
            record_time_max_ms: -1,
            producer: Producer::NONE,
            head: &[],
            body,
            patch: |_, _| {},
        }
    }
}

/// What the log gives to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The opening of the log that takes it.
    pub epoch: Epoch,
}

/// A place that was given to an entry.
pub(crate) struct Given {
    pub(crate) reserved: Reserved,
    /// Where it lies, on the mapped route.
    pub(crate) segment: Option<Arc<Segment>>,
}

/// An entry that has its place. It is readable, written and durable when the log's marks have reached `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where the entry lies.
    pub position: Position,
    /// Where it ends: what to wait for.
    pub end: Position,
    /// The offset of its first record.
    pub base_offset: Offset,
}

impl Log {
    /// Appends an entry to a stream. Never waits: not for the disk, not for a file.
    ///
    /// # Errors
    ///
    /// [`AppendError::Busy`] when there is no room yet, [`AppendError::NoSpace`] when the disk is full, and when the log is closed or has failed.
    pub fn append(&self, stream: &Stream, new: &NewEntry<'_>) -> Result<Appended, AppendError> {
        let payload_size = self.checked_size(new.head.len(), new.body.len())?;
        let (given, base_offset) = {
            let mut tail = self.tail();
            let given = self.reserve_place(&mut tail, entry_size(payload_size))?;
            tail.landings.copied_bytes += u64::from(payload_size);
            let item = Item {
                base_offset: 0,
                position: given.reserved.position,
                time_max_ms: new.record_time_max_ms,
                payload_size,
                count: new.count,
            };
            let base_offset = stream.take(item, self.indexes().pool());
            (given, base_offset)
        };
        if self.indexes().pool().has_crossed() {
            self.indexes().ring();
        }
        let reserved = given.reserved;
        let filling = Filling { log: self, given };
        let header = Header {
            kind: Kind::Data,
            payload_size,
            base_offset,
            append_time_ms: new.append_time_ms,
            record_time_max_ms: new.record_time_max_ms,
            stream: stream.id(),
            count: new.count,
            producer: new.producer,
            ..self.blank(reserved.position)
        };
        let mut head = [0; HEAD_SIZE_MAX];
        let head = &mut head[..new.head.len()];
        head.copy_from_slice(new.head);
        let assigned = Assigned {
            base_offset,
            epoch: self.epoch(),
        };
        (new.patch)(assigned, head);
        self.fill(&filling, &header, &[head, new.body])?;
        Ok(Appended {
            position: Position(reserved.position),
            end: Position(reserved.end),
            base_offset,
        })
    }

    /// Appends an entry of `stream` once more, since the segment that holds it is to go: payload and offsets as they were, marked as moved.
    ///
    /// `original` is its header where it lies now. Readers find the copy when it is visible, and the original until then.
    ///
    /// # Errors
    ///
    /// As [`Log::append`]; too large is an entry for which segments or ring have become too small.
    ///
    /// # Panics
    ///
    /// When the entry is not one of the stream's, or has another payload size.
    pub(crate) fn append_moved(
        &self,
        stream: &Stream,
        original: &Header,
        payload: &[u8],
    ) -> Result<Appended, AppendError> {
        assert_eq!(
            (original.stream, original.payload_size as usize),
            (stream.id(), payload.len()),
            "an entry of another stream, or another entry's payload"
        );
        let (size, max) = (original.payload_size, self.options().payload_room());
        if size > max {
            let size = u64::from(size);
            return Err(AppendError::TooLarge { size, max });
        }
        let (given, header) = {
            let mut tail = self.tail();
            let given = self.reserve_place(&mut tail, original.entry_size())?;
            let place = self.blank(given.reserved.position);
            let header = Header {
                moved: true,
                position: place.position,
                durable: place.durable,
                epoch: place.epoch,
                ..*original
            };
            stream.take_moved(Item::of(&header));
            (given, header)
        };
        let reserved = given.reserved;
        let filling = Filling { log: self, given };
        self.fill(&filling, &header, &[payload])?;
        Ok(Appended {
            position: Position(reserved.position),
            end: Position(reserved.end),
            base_offset: header.base_offset,
        })
    }

    /// Appends an entry of the store's own to the log. Its first byte is its type, 16 or more.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    ///
    /// # Panics
    ///
    /// When the type is one of the log's, or there is none.
    pub fn append_control(&self, payload: &[u8], time_ms: i64) -> Result<Appended, AppendError> {
        self.append_stores_own(payload, time_ms, false)
    }

    /// Appends an entry of the store's own that says what an earlier one did, which lies in a segment that is to go: as
    /// [`Log::append_control`], but marked as moved.
    ///
    /// # Errors
    ///
    /// As [`Log::append`].
    ///
    /// # Panics
    ///
    /// As [`Log::append_control`].
    pub fn append_control_moved(
        &self,
        payload: &[u8],
        time_ms: i64,
    ) -> Result<Appended, AppendError> {
        self.append_stores_own(payload, time_ms, true)
    }

    fn append_stores_own(
        &self,
        payload: &[u8],
        time_ms: i64,
        moved: bool,
    ) -> Result<Appended, AppendError> {
        let kind = payload.first();
        assert!(
            kind.is_some_and(|kind| *kind >= Control::STORE_MIN),
            "a control entry of the store begins with a type of its own, not with {kind:?}"
        );
        let max = match moved {
            false => self.options().payload_size_max,
            true => self.options().payload_room(),
        };
        let too_large = AppendError::TooLarge {
            size: payload.len() as u64,
            max,
        };
        let payload_size = u32::try_from(payload.len()).map_err(|_| too_large.clone())?;
        if payload_size > max {
            return Err(too_large);
        }
        self.append_own_marked(payload, time_ms, moved)
    }

    /// Blocks until what an appender was refused for may be there, or for `timeout`. Not for threads that serve sockets.
    pub fn wait_room(&self, busy: Busy, timeout: Duration) {
        match busy {
            Busy::Ring => {
                let tail = self.tail();
                if self.failure().is_none() {
                    let woken = self.room().wait_timeout(tail, timeout);
                    drop(woken.unwrap_or_else(PoisonError::into_inner));
                }
            }
            // Whether it came or failed, the next attempt says so.
            Busy::Segment => drop(self.segments().wait_next(timeout)),
        }
    }

    /// Appends a control entry of any type.
    pub(crate) fn append_own(&self, payload: &[u8], time_ms: i64) -> Result<Appended, AppendError> {
        self.append_own_marked(payload, time_ms, false)
    }

    fn append_own_marked(
        &self,
        payload: &[u8],
        time_ms: i64,
        moved: bool,
    ) -> Result<Appended, AppendError> {
        let payload_size = payload.len() as u32;
        let given = self.reserve_place(&mut self.tail(), entry_size(payload_size))?;
        let reserved = given.reserved;
        let filling = Filling { log: self, given };
        let header = Header {
            moved,
            payload_size,
            append_time_ms: time_ms,
            ..self.blank(reserved.position)
        };
        self.fill(&filling, &header, &[payload])?;
        Ok(Appended {
            position: Position(reserved.position),
            end: Position(reserved.end),
            base_offset: Offset(0),
        })
    }

    /// The size of a payload of so many bytes, if the log takes it.
    pub(crate) fn checked_size(&self, head: usize, body: usize) -> Result<u32, AppendError> {
        assert!(
            head <= HEAD_SIZE_MAX,
            "the head of a payload has at most {HEAD_SIZE_MAX} bytes, not {head}"
        );
        let max = self.options().payload_size_max;
        let size = head as u64 + body as u64;
        match u32::try_from(size) {
            Ok(size) if size <= max => Ok(size),
            _ => Err(AppendError::TooLarge { size, max }),
        }
    }

    /// A header of this opening with nothing in it yet.
    pub(crate) fn blank(&self, position: u64) -> Header {
        Header {
            kind: Kind::Control,
            moved: false,
            payload_size: 0,
            position,
            durable: self.durable().get().0,
            base_offset: Offset(0),
            append_time_ms: 0,
            record_time_max_ms: -1,
            stream: StreamId::CONTROL,
            count: 0,
            epoch: self.epoch(),
            producer: Producer::NONE,
        }
    }

    /// Gives an entry of `size` bytes its place, in the next segment if it does not fit into this one.
    pub(crate) fn reserve_place(&self, tail: &mut Tail, size: u64) -> Result<Given, AppendError> {
        if let Some(failure) = self.failure() {
            return Err(AppendError::Failed(failure));
        }
        if tail.closed {
            return Err(AppendError::Closed);
        }
        // A segment of an earlier opening may be too small for what is taken now, then it is passed over.
        while !tail.fits(size) {
            self.roll(tail, size)?;
        }
        let end = tail.position + size;
        let reserved = tail.reserve(size, end).ok_or_else(|| self.ring_is_full())?;
        let segment = match reserved.place {
            Some(_) => None,
            None => Some(Arc::clone(&tail.segment)),
        };
        Ok(Given { reserved, segment })
    }

    /// Whoever empties the ring may be waiting for more to come.
    fn ring_is_full(&self) -> AppendError {
        self.ring_bell();
        AppendError::Busy(Busy::Ring)
    }

    /// Fills the rest of the segment and goes on in the next, which has been made ahead.
    fn roll(&self, tail: &mut Tail, size: u64) -> Result<(), AppendError> {
        if !tail.has_room_for_roll(size) {
            return Err(self.ring_is_full());
        }
        let next = self.next_segment()?;
        let left = tail.segment.end().0 - tail.position;
        if left >= HEADER_SIZE as u64 {
            let header = Header {
                kind: Kind::Filler,
                payload_size: (left - HEADER_SIZE as u64) as u32,
                ..self.blank(tail.position)
            };
            let end = tail.segment.end().0;
            self.append_locked(tail, &header, HEADER_SIZE as u64, end, &[])?;
        } else if left > 0 && tail.ring.is_none() {
            // Too little for a filler: nothing is to be filled there.
            self.finish_mapped(tail.position, tail.segment.end().0);
        }
        tail.segment = next;
        tail.position = tail.segment.base().0;
        self.indexes().ring();
        self.begin_segment(tail)
    }

    /// Writes the first entry of the tail's segment, which names its size.
    pub(crate) fn begin_segment(&self, tail: &mut Tail) -> Result<(), AppendError> {
        let payload = Control::segment_head(tail.segment.size());
        let header = Header {
            payload_size: payload.len() as u32,
            ..self.blank(tail.position)
        };
        let end = tail.position + SEGMENT_HEAD_SIZE;
        self.append_locked(tail, &header, SEGMENT_HEAD_SIZE, end, &payload)
    }

    fn next_segment(&self) -> Result<Arc<Segment>, AppendError> {
        self.segments().take_next().map_err(|error| match error {
            NextError::NotReady => AppendError::Busy(Busy::Segment),
            NextError::Failed(source) => AppendError::NoSpace(source),
        })
    }

    /// A small entry, filled while the lock is held: the room for it was looked at before.
    fn append_locked(
        &self,
        tail: &mut Tail,
        header: &Header,
        size: u64,
        end: u64,
        payload: &[u8],
    ) -> Result<(), AppendError> {
        let reserved = tail.reserve(size, end);
        let reserved = reserved.ok_or(AppendError::Busy(Busy::Ring))?;
        let parts: &[&[u8]] = if payload.is_empty() { &[] } else { &[payload] };
        self.store(&tail.segment, &reserved, header, parts)
            .map_err(|failure| AppendError::Failed(self.fail(failure)))?;
        self.finish_locked(tail, &reserved);
        Ok(())
    }

    fn fill(
        &self,
        filling: &Filling<'_>,
        header: &Header,
        payload: &[&[u8]],
    ) -> Result<(), AppendError> {
        let Given {
            reserved, segment, ..
        } = &filling.given;
        let stored = match segment {
            Some(segment) => self.store(segment, reserved, header, payload),
            None => self.stage(reserved, header, payload),
        };
        match stored {
            Ok(()) => {
                filling.finish();
                Ok(())
            }
            Err(failure) => Err(AppendError::Failed(self.fail(failure))),
        }
    }

    /// Puts the entry into its place: of the ring if it has one there, else of the mapped segment.
    fn store(
        &self,
        segment: &Segment,
        reserved: &Reserved,
        header: &Header,
        payload: &[&[u8]],
    ) -> Result<(), LogFailure> {
        if reserved.place.is_some() {
            return self.stage(reserved, header, payload);
        }
        let at = reserved.position - segment.base().0;
        let file = || file_name(segment.base());
        let memory = segment.append_mapping().map_err(|source| LogFailure::Map {
            file: file(),
            source,
        })?;
        let mut sealing = self.seed().sealing(header);
        copy(memory, at as usize, &mut sealing, payload, Way::ToFile).map_err(|fault| {
            LogFailure::Fault {
                file: file(),
                at,
                fault,
            }
        })?;
        // Behind the rest of a segment that a filler covers, nothing comes any more.
        segment.writer_at(at + reserved.end - reserved.position);
        Ok(())
    }

    fn stage(
        &self,
        reserved: &Reserved,
        header: &Header,
        payload: &[&[u8]],
    ) -> Result<(), LogFailure> {
        let (Some(place), Some(ring)) = (reserved.place, self.ring()) else {
            return Err(LogFailure::Abandoned {
                position: Position(reserved.position),
            });
        };
        let mut sealing = self.seed().sealing(header);
        copy(&ring.memory, place.at, &mut sealing, payload, Way::ToRing).map_err(|fault| {
            LogFailure::Fault {
                file: "of the staging ring".into(),
                at: place.at as u64,
                fault,
            }
        })
    }

    /// This place is filled: it counts once all before it are.
    pub(crate) fn finish_place(&self, reserved: &Reserved) {
        match reserved.place {
            Some(_) => self.finish_locked(&mut self.tail(), reserved),
            None => self.finish_mapped(reserved.position, reserved.end),
        }
        self.ring_for_appended();
    }

    fn finish_locked(&self, tail: &mut Tail, reserved: &Reserved) {
        if reserved.place.is_none() {
            self.finish_mapped(reserved.position, reserved.end);
        } else if let Some(appended) = tail.finish(reserved) {
            self.publish_appended(appended);
        }
    }

    /// A store into the mapping is in the file at once.
    fn finish_mapped(&self, position: u64, end: u64) {
        self.run().finish(self.written(), position, end);
    }
}

/// A reserved place that is being filled. If its thread dies before it is, the log ends: nobody could append behind it.
struct Filling<'a> {
    log: &'a Log,
    given: Given,
}

impl Filling<'_> {
    fn finish(&self) {
        self.log.finish_place(&self.given.reserved);
    }
}

impl Drop for Filling<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.fail(LogFailure::Abandoned {
                position: Position(self.given.reserved.position),
            });
        }
    }
}

/// Where a payload is copied to.
#[derive(Clone, Copy)]
enum Way {
    /// Where the gathered write reads it soon.
    ToRing,
    ToFile,
}

type CopyIn = fn(&Mapping, usize, &[u8]) -> Result<(), MemoryFault>;

impl Way {
    /// How many bytes are summed and copied at a time, and by what, of a part of `size` bytes.
    fn of(self, size: usize) -> (usize, CopyIn) {
        match self {
            Way::ToFile if size >= PAST_CACHES_SIZE_MIN => {
                (PAST_CACHES_BLOCK_SIZE, Mapping::copy_in_past_caches)
            }
            Way::ToFile | Way::ToRing => (BLOCK_SIZE, Mapping::copy_in),
        }
    }
}

/// Header, payload and padding. The header last, when the checksum of what is behind it is known.
fn copy(
    memory: &Mapping,
    begin: usize,
    sealing: &mut Sealing,
    payload: &[&[u8]],
    way: Way,
) -> Result<(), MemoryFault> {
    let mut at = begin + HEADER_SIZE;
    for part in payload.iter().filter(|part| !part.is_empty()) {
        let (size, copy_in) = way.of(part.len());
        sealing.update_by(part, size, |block| {
            copy_in(memory, at, block)?;
            at += block.len();
            Ok(())
        })?;
    }
    let padding = at.next_multiple_of(ALIGNMENT) - at;
    if padding > 0 {
        memory.copy_in(at, &[0; ALIGNMENT][..padding])?;
    }
    memory.copy_in(begin, &sealing.finish())
}
