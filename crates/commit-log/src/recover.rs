//! Finds the end of a log again: replays every whole entry, and tells *the log ends here* from *the log is damaged here*.
//!
//! The first entry that is not whole is the end of the log, unless a later whole entry of no earlier epoch names a durable position above it: then it had been
//! synced, and what is missing is damage. Nothing is written here.

use std::io;
use std::sync::Arc;

use pagelog_record::{ALIGNMENT, Epoch, HEADER_SIZE, Header, Kind, Seed, entry_size};
use pagelog_segment::{Position, Segment, file_name};

use crate::control::Control;
use crate::error::OpenError;
use crate::index::SEGMENT_SIZE_MAX;
use crate::options::{PAGE_SIZE, SEGMENT_HEAD_SIZE};
use crate::scan::{NotWhole, Progress, Scanner, Source};

/// The largest control entry that is read into memory whole, in bytes.
const CONTROL_SIZE_MAX: u32 = 16 << 20;

/// How much of each segment behind the one in which the log breaks off is searched for a proof of damage. Had such a segment been begun, an entry
/// of it would lie there. A file that was used before is full of what it held, and to read gigabytes of that at every start would prove no more.
const PROOF_REACH: u64 = 16 << 20;

/// The segment head and the entry of the opening, which begin a log.
const FIRST_ENTRIES_SIZE: u64 = SEGMENT_HEAD_SIZE + entry_size(Control::plain(0).len() as u32);

/// An entry as replay meets it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its header.
    pub header: &'a Header,
    /// The payload of a control entry; of a data entry nothing is read.
    pub control: Option<&'a [u8]>,
}

/// Takes every entry of the log in order, the log's own included. An error of it ends the opening.
pub type Replay<'a> =
    dyn FnMut(&Entry<'_>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Where reading began: at the first entry of the log, or at the position of a checkpoint.
    pub begin: Position,
    /// Whether that was a checkpoint: what lies before was not read.
    pub from_checkpoint: bool,
    /// How many segments were read.
    pub segments: usize,
    /// How many whole entries were read.
    pub entries: u64,
    /// Where the log ended.
    pub end: Position,
    /// The epoch of the last entry; 0 if there is none.
    pub epoch: Epoch,
    /// Everything below was proven durable by the entries themselves, or by a checkpoint; what lies above, an opening writes and syncs again.
    pub proven_durable: Position,
    /// Whether the last opening closed the log, so that nothing can have been lost.
    pub clean: bool,
    /// What the end looked like, if something lies there.
    pub cut: Option<NotWhole>,
}

/// How far a log had come before its entries are read.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Everything below was durable …
    pub(crate) durable: Position,
    /// … as the file of this name says.
    pub(crate) file: String,
}

/// Where reading begins, if not with the first entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behind {
    /// An entry begins here, or the log ends.
    pub(crate) position: Position,
    /// The epoch of the last entry before.
    pub(crate) epoch: Epoch,
}

/// What is known of a log before its entries are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told<'a> {
    pub(crate) known: Option<&'a Known>,
    pub(crate) behind: Option<Behind>,
}

/// Replays `segments`, which follow one another, from the first on, or from where a checkpoint says.
pub(crate) fn replay(
    segments: &[Arc<Segment>],
    seed: Seed,
    told: Told<'_>,
    progress: &Progress,
    apply: &mut Replay<'_>,
) -> Result<Recovery, OpenError> {
    segments
        .iter()
        .try_for_each(|segment| check_size(segment))?;
    let begin = segments.first().map_or(Position(0), |first| first.base());
    let mut state = State::new(begin, seed, progress);
    state.known = told.known;
    if let Some(behind) = told.behind {
        state.begin_behind(behind);
    }
    let begin = state.recovery.begin;
    let read = segments.iter().filter(|segment| segment.end() > begin);
    let sources = read.map(|segment| source(segment));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    for index in 0..sources.len() {
        state.recovery.segments = index + 1;
        if let Some(why) = state.segment(&sources[index..], apply)? {
            if state.recovery.entries == 0 && !state.recovery.from_checkpoint {
                state.check_foreign(&sources)?;
            }
            // Behind a clean stop nothing was lost, whatever a file that was used before may hold there.
            let torn = !state.recovery.clean && !is_blank(why);
            state.recovery.cut = torn.then_some(why);
            return Ok(state.recovery);
        }
    }
    state.check_last()?;
    Ok(state.recovery)
}

pub(crate) fn source(segment: &Segment) -> Result<Source<'_>, OpenError> {
    Source::new(segment).map_err(read_error(segment, 0))
}

/// Nothing was ever written there.
fn is_blank(why: NotWhole) -> bool {
    matches!(why, NotWhole::Header(pagelog_record::HeaderError::Magic(magic)) if magic == [0; 4])
}

struct State<'a> {
    recovery: Recovery,
    seed: Seed,
    known: Option<&'a Known>,
    progress: &'a Progress,
}

impl<'a> State<'a> {
    fn new(begin: Position, seed: Seed, progress: &'a Progress) -> State<'a> {
        State {
            recovery: Recovery {
                begin,
                from_checkpoint: false,
                segments: 0,
                entries: 0,
                end: begin,
                epoch: Epoch(0),
                proven_durable: begin,
                clean: false,
                cut: None,
            },
            seed,
            known: None,
            progress,
        }
    }

    fn begin_behind(&mut self, behind: Behind) {
        let Behind { position, epoch } = behind;
        self.recovery = Recovery {
            begin: position,
            from_checkpoint: true,
            end: position,
            epoch,
            proven_durable: position,
            ..self.recovery
        };
    }

    /// Every segment is full to its end: if the log is known to have gone on, the next one is missing.
    fn check_last(&self) -> Result<(), OpenError> {
        let end = self.recovery.end;
        match self.known {
            Some(known) if known.durable > end => Err(OpenError::Ended {
                end,
                proof: known.file.clone(),
                durable: known.durable,
            }),
            _ => Ok(()),
        }
    }

    /// Replays one segment, the first of `rest`, from where the log has been read to; answers why the log ends before its end, if it does.
    ///
    /// What looks damaged is read a second time: whoever reads a log in use may have met an entry while it was being filled.
    fn segment(
        &mut self,
        rest: &[Source<'_>],
        apply: &mut Replay<'_>,
    ) -> Result<Option<NotWhole>, OpenError> {
        let segment = rest[0].segment;
        let at = self.recovery.end.max(segment.base()) - segment.base();
        let mut refused = self.entries(&rest[0], at, apply)?;
        let mut refused_at = None;
        while let Some(why) = refused {
            let end = self.recovery.end;
            let known = self.known.filter(|known| end < known.durable);
            let proof = self.proof(rest)?;
            if known.is_none() && proof.is_none() {
                return Ok(Some(why));
            }
            if refused_at == Some(end) {
                return Err(match (proof, known) {
                    (Some(proof), _) => self.damaged(segment, why, &proof),
                    (None, known) => self.lost(segment, why, known),
                });
            }
            refused_at = Some(end);
            refused = self.entries(&source(segment)?, end - segment.base(), apply)?;
        }
        Ok(None)
    }

    /// Replays the entries from byte `at` of the segment on; answers why they end before its end.
    fn entries(
        &mut self,
        source: &Source<'_>,
        mut at: u64,
        apply: &mut Replay<'_>,
    ) -> Result<Option<NotWhole>, OpenError> {
        let segment = source.segment;
        let mut scanner = Scanner::new(source, self.seed, self.progress);
        while at + HEADER_SIZE as u64 <= segment.size() {
            let header = match scanner.entry(at).map_err(read_error(segment, at))? {
                Ok(header) if header.epoch < self.recovery.epoch => {
                    return Ok(Some(NotWhole::Epoch(header.epoch)));
                }
                Ok(header) => header,
                Err(why) => return Ok(Some(why)),
            };
            let control = self.control(&mut scanner, segment, at, &header)?;
            if at == 0 && !is_head(segment, control.as_deref())? {
                return Ok(Some(NotWhole::Head));
            }
            self.apply(&header, control.as_deref(), apply)?;
            at += header.entry_size();
        }
        self.recovery.end = segment.end();
        Ok(None)
    }

    fn control(
        &mut self,
        scanner: &mut Scanner<'_>,
        segment: &Segment,
        at: u64,
        header: &Header,
    ) -> Result<Option<Vec<u8>>, OpenError> {
        if header.kind != Kind::Control || header.payload_size > CONTROL_SIZE_MAX {
            return Ok(None);
        }
        scanner.payload(at, header).map_err(read_error(segment, at))
    }

    fn apply(
        &mut self,
        header: &Header,
        control: Option<&[u8]>,
        apply: &mut Replay<'_>,
    ) -> Result<(), OpenError> {
        let position = Position(header.position);
        check_fields(header)?;
        let entry = Entry { header, control };
        apply(&entry).map_err(|source| OpenError::Replay { position, source })?;
        self.recovery.epoch = header.epoch;
        self.recovery.entries += 1;
        self.recovery.end = Position(header.position + header.entry_size());
        let durable = Position(header.durable.min(header.position));
        self.recovery.proven_durable = self.recovery.proven_durable.max(durable);
        self.recovery.clean = control.and_then(<[u8]>::first) == Some(&Control::STOPPED);
        Ok(())
    }

    /// What the log is refused with where it breaks off in `segment`.
    fn damaged(&self, segment: &Segment, reason: NotWhole, proof: &Header) -> OpenError {
        let position = self.recovery.end;
        OpenError::Damaged {
            position,
            file: file_name(segment.base()),
            at: position - segment.base(),
            reason,
            proof: Position(proof.position),
            durable: Position(proof.durable),
        }
    }

    /// As [`State::damaged`], when no entry but a file proves that there had been more.
    fn lost(&self, segment: &Segment, reason: NotWhole, known: Option<&Known>) -> OpenError {
        let position = self.recovery.end;
        OpenError::Lost {
            position,
            file: file_name(segment.base()),
            at: position - segment.base(),
            reason,
            proof: known.map(|known| known.file.clone()).unwrap_or_default(),
            durable: known.map_or(position, |known| known.durable),
        }
    }

    /// A whole entry behind the end, which lies in the first of `rest`, that was written when the end had long been durable.
    ///
    /// Not every whole entry there is one. What a file held when it was another segment names its own place, which is not this one, and lies below
    /// everything that can be asked for. What an earlier life wrote in this place and a crash cut off is of a lower epoch, or, if this life's first entry
    /// was lost with it, names no durable position above the end: else that life's cut would have been refused.
    fn proof(&self, rest: &[Source<'_>]) -> Result<Option<Header>, OpenError> {
        let end = self.recovery.end;
        for (index, source) in rest.iter().enumerate() {
            let segment = source.segment;
            let mut at = end.max(segment.base()) - segment.base();
            let reach = if index == 0 { u64::MAX } else { PROOF_REACH };
            let mut scanner = Scanner::new(&source.first(reach), self.seed, self.progress);
            while let Some(header) = next_whole(&mut scanner, segment, at)? {
                if header.epoch >= self.recovery.epoch && header.durable > end.0 {
                    return Ok(Some(header));
                }
                // All its bytes are its own: no other entry begins within it.
                at = header.position - segment.base().0 + header.entry_size();
            }
        }
        Ok(None)
    }

    /// A log of which not one entry is whole has none, if it was never more than begun: its first two entries are synced before there is a third.
    /// If more lies there, it was sealed with another secret.
    fn check_foreign(&self, sources: &[Source<'_>]) -> Result<(), OpenError> {
        let mut from = FIRST_ENTRIES_SIZE;
        for source in sources {
            let segment = source.segment;
            let mut scanner = Scanner::new(source, self.seed, self.progress);
            let candidate = scanner.next_candidate(from);
            if let Some(at) = candidate.map_err(read_error(segment, from))? {
                let file = file_name(segment.base());
                return Err(OpenError::Foreign { file, at });
            }
            from = 0;
        }
        Ok(())
    }
}

/// The first whole entry of the segment from byte `at` on, wherever its log ends.
pub(crate) fn next_whole(
    scanner: &mut Scanner<'_>,
    segment: &Segment,
    mut at: u64,
) -> Result<Option<Header>, OpenError> {
    while let Some(found) = scanner
        .next_candidate(at)
        .map_err(read_error(segment, at))?
    {
        if let Ok(header) = scanner.entry(found).map_err(read_error(segment, found))? {
            return Ok(Some(header));
        }
        at = found + ALIGNMENT as u64;
    }
    Ok(None)
}

/// An entry may be whole and still say what no writer of this log writes; to go on from there would overflow.
fn check_fields(header: &Header) -> Result<(), OpenError> {
    let first = header.base_offset.0;
    let refused = if header.epoch == Epoch(u32::MAX) {
        "no epoch can follow its own"
    } else if first < 0 || first.checked_add(i64::from(header.count)).is_none() {
        "its offsets are none of a stream's"
    } else {
        return Ok(());
    };
    Err(OpenError::Replay {
        position: Position(header.position),
        source: refused.into(),
    })
}

/// A file that was cut so short that it no longer holds its head cannot say how long it was made: but not as long as that.
pub(crate) fn check_size(segment: &Segment) -> Result<(), OpenError> {
    let (file, found) = (file_name(segment.base()), segment.size());
    if found == 0 || !found.is_multiple_of(PAGE_SIZE) || found > SEGMENT_SIZE_MAX {
        return Err(OpenError::SegmentUneven { file, found });
    }
    Ok(())
}

/// Whether a segment's first entry is its head; a head of another size is an error of its own.
fn is_head(segment: &Segment, control: Option<&[u8]>) -> Result<bool, OpenError> {
    match control.and_then(Control::segment_size) {
        None => Ok(false),
        Some(made) if made == segment.size() => Ok(true),
        Some(made) => Err(OpenError::SegmentSize {
            file: file_name(segment.base()),
            found: segment.size(),
            made,
        }),
    }
}

pub(crate) fn read_error(segment: &Segment, at: u64) -> impl FnOnce(io::Error) -> OpenError {
    let file = file_name(segment.base());
    move |source| OpenError::Read { file, at, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_record::{Offset, Producer, StreamId};

    fn check(epoch: u32, base_offset: i64, count: u32) -> bool {
        let header = Header {
            kind: Kind::Data,
            moved: false,
            payload_size: 0,
            position: 0,
            durable: 0,
            base_offset: Offset(base_offset),
            append_time_ms: 0,
            record_time_max_ms: 0,
            stream: StreamId(1),
            count,
            epoch: Epoch(epoch),
            producer: Producer::NONE,
        };
        check_fields(&header).is_ok()
    }

    #[test]
    fn fields_after_which_nothing_can_come_are_refused() {
        assert!(check(1, 0, 1));
        assert!(check(u32::MAX - 1, i64::MAX - 1, 1));
        assert!(!check(u32::MAX, 0, 1));
        assert!(!check(1, i64::MAX, 1));
        assert!(!check(1, -1, 1));
    }
}
