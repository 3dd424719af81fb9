//! Writes entries that were found whole once more, and verifies each on its way: what is written is what was verified.
//!
//! Between the two readings the kernel may have let go of a page that it falsely believed clean. Then the bytes are those of the disk, which are older,
//! and what had been counted whole is not there any more: to go on would show a reader what the next power cut takes back.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_record::{Checksum, Epoch, HEADER_SIZE, Header, Seed};
use pagelog_segment::{Position, Segment, StorageFile, file_name};

use crate::error::OpenError;
use crate::recover::{Recovery, read_error};
use crate::whole;

/// How much is read and written at once, in bytes.
const CHUNK_SIZE: usize = 1 << 20;

/// Where each epoch begins, as replay has met it: an entry of another one is a left-over of an earlier life that lay in the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Epochs(Vec<(u64, Epoch)>);

impl Epochs {
    /// For a log that is read from `position` on, before which `epoch` wrote.
    pub(crate) fn behind(position: Position, epoch: Epoch) -> Epochs {
        Epochs(vec![(position.0, epoch)])
    }

    /// An opening begins at `position`.
    pub(crate) fn begun(&mut self, position: Position, epoch: Epoch) {
        self.0.push((position.0, epoch));
    }

    /// Takes the next entry of the log.
    pub(crate) fn met(&mut self, header: &Header) {
        if self.0.last().is_none_or(|(_, last)| *last != header.epoch) {
            self.0.push((header.position, header.epoch));
        }
    }

    pub(crate) fn at(&self, position: Position) -> Option<Epoch> {
        let behind = self.0.partition_point(|(begin, _)| *begin <= position.0);
        self.0[..behind].last().map(|(_, epoch)| *epoch)
    }
}

/// After a failed sync or a crash, pages may be valid in the cache and absent from the disk, and a later sync would not write them.
/// So what is not proven durable is written once more, which makes its pages dirty, and synced.
pub(crate) fn rewrite_tail(
    segments: &[Arc<Segment>],
    seed: Seed,
    epochs: &Epochs,
    recovery: &Recovery,
) -> Result<(), OpenError> {
    for segment in segments {
        let from = recovery.proven_durable.max(segment.base());
        let to = recovery.end.min(segment.end());
        if from < to {
            let copy = Copy {
                segment,
                seed,
                epochs,
                into: &**segment.file(),
            };
            match copy.run(from..to) {
                // No writer names a durable position within an entry; who finds one all the same begins where an entry does for certain.
                Err(OpenError::Changed { position, .. }) if position == from => {
                    copy.run(recovery.begin.max(segment.base())..to)?;
                }
                other => other?,
            }
            segment.file().sync_data().map_err(rewrite_error(segment))?;
        }
    }
    Ok(())
}

/// Copies entries from a segment to the same place of a file: of the same one, or of another.
pub(crate) struct Copy<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) seed: Seed,
    pub(crate) epochs: &'a Epochs,
    pub(crate) into: &'a dyn StorageFile,
}

impl Copy<'_> {
    /// Copies the entries in `range`, which begins and ends between two of them.
    pub(crate) fn run(&self, range: Range<Position>) -> Result<(), OpenError> {
        let (segment, base) = (self.segment, self.segment.base());
        let mut buffer = vec![0; CHUNK_SIZE.min((range.end - range.start) as usize)];
        let mut verifier = Verifier::new(self, range.start);
        let mut at = range.start;
        while at < range.end {
            let count = buffer.len().min((range.end - at) as usize);
            let chunk = &mut buffer[..count];
            let in_file = at - base;
            let read = whole::read(&**segment.file(), in_file, chunk);
            if read.map_err(read_error(segment, in_file))? < count {
                let ended = io::ErrorKind::UnexpectedEof.into();
                return Err(read_error(segment, in_file)(ended));
            }
            verifier.update(chunk).map_err(|at| self.changed(at))?;
            whole::write(self.into, in_file, chunk).map_err(rewrite_error(segment))?;
            at = at + count as u64;
        }
        verifier.finish().map_err(|at| self.changed(at))
    }

    fn changed(&self, position: Position) -> OpenError {
        let file = file_name(self.segment.base());
        OpenError::Changed { position, file }
    }
}

fn rewrite_error(segment: &Segment) -> impl FnOnce(io::Error) -> OpenError {
    let file = file_name(segment.base());
    move |source| OpenError::Rewrite { file, source }
}

/// Verifies entries whose bytes come in pieces. An error is the position of the entry that is not whole.
struct Verifier<'a> {
    seed: Seed,
    epochs: &'a Epochs,
    segment_end: Position,
    /// Where the entry begins that the next bytes belong to.
    position: Position,
    /// So much of its header as has come.
    header: [u8; HEADER_SIZE],
    header_filled: usize,
    body: Option<Body>,
}

/// What is to come behind a header.
struct Body {
    checksum: Checksum,
    covered: u64,
    /// Padding, or what a filler covers.
    uncovered: u64,
    end: Position,
}

impl<'a> Verifier<'a> {
    fn new(copy: &Copy<'a>, from: Position) -> Verifier<'a> {
        Verifier {
            seed: copy.seed,
            epochs: copy.epochs,
            segment_end: copy.segment.end(),
            position: from,
            header: [0; HEADER_SIZE],
            header_filled: 0,
            body: None,
        }
    }

    fn update(&mut self, mut bytes: &[u8]) -> Result<(), Position> {
        while !bytes.is_empty() && !self.is_behind_the_last() {
            let taken = match &mut self.body {
                None => self.take_header(bytes)?,
                Some(body) => body.take(bytes),
            };
            bytes = &bytes[taken..];
            self.end_entry()?;
        }
        Ok(())
    }

    /// Whether the pieces ended where an entry did.
    fn finish(&self) -> Result<(), Position> {
        match self.body.is_none() && self.header_filled == 0 {
            true => Ok(()),
            false => Err(self.position),
        }
    }

    /// What remains of a segment behind its last entry, if no header fits there, means nothing.
    fn is_behind_the_last(&self) -> bool {
        self.segment_end - self.position < HEADER_SIZE as u64
    }

    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, Position> {
        let count = bytes.len().min(HEADER_SIZE - self.header_filled);
        let place = &mut self.header[self.header_filled..][..count];
        place.copy_from_slice(&bytes[..count]);
        self.header_filled += count;
        if self.header_filled == HEADER_SIZE {
            self.header_filled = 0;
            self.body = Some(self.begin_body().ok_or(self.position)?);
        }
        Ok(count)
    }

    fn begin_body(&self) -> Option<Body> {
        let header = Header::decode(&self.header).ok()?;
        let end = self.position.checked_add(header.entry_size())?;
        let is_here = header.position == self.position.0 && end <= self.segment_end;
        let is_then = self.epochs.at(self.position) == Some(header.epoch);
        let covered = u64::from(header.covered_size());
        (is_here && is_then).then(|| Body {
            checksum: self.seed.begin(&self.header),
            covered,
            uncovered: header.entry_size() - HEADER_SIZE as u64 - covered,
            end,
        })
    }

    fn end_entry(&mut self) -> Result<(), Position> {
        let Some(body) = self
            .body
            .take_if(|body| body.covered == 0 && body.uncovered == 0)
        else {
            return Ok(());
        };
        body.checksum.verify().map_err(|_| self.position)?;
        self.position = body.end;
        Ok(())
    }
}

impl Body {
    fn take(&mut self, bytes: &[u8]) -> usize {
        let covered = self.covered.min(bytes.len() as u64) as usize;
        self.checksum.update(&bytes[..covered]);
        self.covered -= covered as u64;
        let uncovered = self.uncovered.min((bytes.len() - covered) as u64) as usize;
        self.uncovered -= uncovered as u64;
        covered + uncovered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_record::{Kind, Offset, Producer, StreamId};

    #[test]
    fn an_epoch_lasts_until_the_next_one_begins() {
        let mut epochs = Epochs::default();
        for (position, epoch) in [(96, 1), (200, 1), (304, 3), (400, 3)] {
            epochs.met(&Header {
                kind: Kind::Data,
                moved: false,
                payload_size: 0,
                position,
                durable: 0,
                base_offset: Offset(0),
                append_time_ms: 0,
                record_time_max_ms: 0,
                stream: StreamId(1),
                count: 1,
                epoch: Epoch(epoch),
                producer: Producer::NONE,
            });
        }
        let at = |position| epochs.at(Position(position)).map(|epoch| epoch.0);
        let found = [0, 96, 303, 304, 9000].map(at);
        assert_eq!(found, [None, Some(1), Some(1), Some(3), Some(3)]);
    }
}
