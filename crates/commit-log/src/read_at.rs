//! Reading by position: the entry that lies at a place of the log, whichever stream it belongs to.

use std::io;
use std::sync::Arc;

use pagelog_record::{HEADER_SIZE, Header};
use pagelog_segment::{Position, Segment};

use crate::log::Log;
use crate::read::Payload;
use crate::whole;

/// How much of a payload is read at a time to sum it.
const BUFFER_SIZE: usize = 64 << 10;

impl Log {
    /// The whole entry that begins at `position` and ends at or below `until`, one of the log's marks: its header, and where its payload lies.
    /// `None` if none does: the position lies within an entry, the segment that held it has left the log, or what lies there is damaged.
    ///
    /// Header and payload are read and their checksum is verified, so the position may come from anywhere: a payload cannot imitate an entry.
    /// Who has the position from an append, and remembers what it held, is told whether it is still that by the header's stream and offset.
    ///
    /// # Errors
    ///
    /// What the storage says.
    pub fn entry_at(
        &self,
        position: Position,
        until: Position,
    ) -> io::Result<Option<(Header, Payload)>> {
        let Some(segment) = self.segments().find(position) else {
            return Ok(None);
        };
        let at = position - segment.base();
        let mut bytes = [0; HEADER_SIZE];
        if whole::read(&**segment.file(), at, &mut bytes)? < HEADER_SIZE {
            return Ok(None);
        }
        let Ok(header) = Header::decode(&bytes) else {
            return Ok(None);
        };
        // What a header says is not believed before its checksum is; so much keeps the reading within the segment.
        let left = until.min(segment.end()).0.checked_sub(position.0);
        let fits = left.is_some_and(|left| header.entry_size() <= left);
        if header.position != position.0 || !fits {
            return Ok(None);
        }
        let is_whole = self.verify(&segment, at, &bytes, &header)?;
        Ok(is_whole.then(|| (header, Payload::of(&header, &segment))))
    }

    /// Whether the entry with this header is as it was written.
    fn verify(
        &self,
        segment: &Arc<Segment>,
        at: u64,
        bytes: &[u8; HEADER_SIZE],
        header: &Header,
    ) -> io::Result<bool> {
        let mut checksum = self.seed().begin(bytes);
        let (mut from, mut left) = (at + HEADER_SIZE as u64, header.covered_size() as usize);
        let mut buffer = vec![0; left.min(BUFFER_SIZE)];
        while left > 0 {
            let part = &mut buffer[..left.min(BUFFER_SIZE)];
            if whole::read(&**segment.file(), from, part)? < part.len() {
                return Ok(false);
            }
            checksum.update(part);
            (from, left) = (from + part.len() as u64, left - part.len());
        }
        Ok(checksum.verify().is_ok())
    }
}

impl Payload {
    /// Of an entry that lies in `segment`.
    fn of(header: &Header, segment: &Arc<Segment>) -> Payload {
        let position = Position(header.position);
        Payload {
            file: Arc::clone(segment.view()),
            at: position - segment.base() + HEADER_SIZE as u64,
            size: header.payload_size,
            base_offset: header.base_offset,
            count: header.count,
            record_time_max_ms: header.record_time_max_ms,
            position,
            end: position + header.entry_size(),
        }
    }
}
