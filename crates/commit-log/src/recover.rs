//! Finds the end of a log again: replays every whole entry, and tells *the log ends here* from *the log is damaged here*.
//!
//! The first entry that is not whole is the end of the log, unless a later whole entry of no earlier epoch names a durable position above it: then it had been
//! synced, and what is missing is damage. Nothing is written here.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use pagelog_record::{ALIGNMENT, Epoch, HEADER_SIZE, Header, Kind, Seed, StreamId, entry_size};
use pagelog_segment::{Position, Segment, file_name};

use crate::control::Control;
use crate::error::OpenError;
use crate::options::{PAGE_SIZE, SEGMENT_HEAD_SIZE};
use crate::scan::{NotWhole, Scanner, Source};
use crate::stream::Stream;

/// The largest control entry that is read into memory whole, in bytes.
const CONTROL_SIZE_MAX: u32 = 16 << 20;

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

/// What an opening found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many segments were read.
    pub segments: usize,
    /// How many whole entries there are.
    pub entries: u64,
    /// Where the log ended.
    pub end: Position,
    /// Everything below was proven durable by the entries themselves; what lies above was written and synced again.
    pub proven_durable: Position,
    /// Whether the last opening closed the log, so that nothing can have been lost.
    pub clean: bool,
    /// What the end looked like, if something lies there.
    pub cut: Option<NotWhole>,
}

/// What replay knows by the time it ends.
pub(crate) struct Found {
    pub(crate) recovery: Recovery,
    pub(crate) epoch: Epoch,
    pub(crate) streams: HashMap<StreamId, Arc<Stream>>,
}

/// Replays the log from its oldest segment on.
pub(crate) fn replay(
    segments: &[Arc<Segment>],
    seed: Seed,
    apply: &mut Replay<'_>,
) -> Result<Found, OpenError> {
    let mut state = State::new(segments.first().map_or(Position(0), |first| first.base()));
    segments
        .iter()
        .try_for_each(|segment| check_size(segment))?;
    let source = |segment| Source::new(segment).map_err(read_error(segment, 0));
    let sources = segments.iter().map(|segment| source(segment));
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    for (index, source) in sources.iter().enumerate() {
        state.recovery.segments = index + 1;
        if let Some(why) = state.segment(source, seed, apply)? {
            state.check_damage(&sources[index..], seed, why)?;
            if state.recovery.entries == 0 {
                check_foreign(&sources, seed)?;
            }
            state.recovery.cut = (!is_blank(why)).then_some(why);
            break;
        }
    }
    Ok(Found {
        recovery: state.recovery,
        epoch: state.epoch,
        streams: state.streams,
    })
}

/// Nothing was ever written there.
fn is_blank(why: NotWhole) -> bool {
    matches!(why, NotWhole::Header(pagelog_record::HeaderError::Magic(magic)) if magic == [0; 4])
}

struct State {
    recovery: Recovery,
    epoch: Epoch,
    streams: HashMap<StreamId, Arc<Stream>>,
}

impl State {
    fn new(begin: Position) -> State {
        State {
            recovery: Recovery {
                segments: 0,
                entries: 0,
                end: begin,
                proven_durable: begin,
                clean: false,
                cut: None,
            },
            epoch: Epoch(0),
            streams: HashMap::new(),
        }
    }

    /// Replays one segment; answers why it ends before its end.
    fn segment(
        &mut self,
        source: &Source<'_>,
        seed: Seed,
        apply: &mut Replay<'_>,
    ) -> Result<Option<NotWhole>, OpenError> {
        let segment = source.segment;
        let mut scanner = Scanner::new(source, seed);
        let mut at = 0;
        while at + HEADER_SIZE as u64 <= segment.size() {
            let header = match scanner.entry(at).map_err(read_error(segment, at))? {
                Ok(header) if header.epoch < self.epoch => {
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
        if header.kind == Kind::Data {
            let stream = self.streams.entry(header.stream);
            stream
                .or_insert_with(|| Arc::new(Stream::new(header.stream)))
                .replay(header);
        }
        let entry = Entry { header, control };
        apply(&entry).map_err(|source| OpenError::Replay { position, source })?;
        self.epoch = header.epoch;
        self.recovery.entries += 1;
        self.recovery.end = Position(header.position + header.entry_size());
        self.recovery.proven_durable = self.recovery.proven_durable.max(Position(header.durable));
        self.recovery.clean = control.and_then(<[u8]>::first) == Some(&Control::STOPPED);
        Ok(())
    }

    /// The log ends at `recovery.end`, in the first of `rest`, unless something behind proves that more had been durable.
    fn check_damage(
        &self,
        rest: &[Source<'_>],
        seed: Seed,
        reason: NotWhole,
    ) -> Result<(), OpenError> {
        let end = self.recovery.end;
        let broken = rest[0].segment;
        let mut from = end.0 - broken.base().0;
        for source in rest {
            let proof = self.proof(source, seed, from);
            let proof = proof.map_err(read_error(source.segment, from))?;
            if let Some(proof) = proof {
                return Err(OpenError::Damaged {
                    position: end,
                    file: file_name(broken.base()),
                    at: end.0 - broken.base().0,
                    reason,
                    proof: Position(proof.position),
                    durable: Position(proof.durable),
                });
            }
            from = 0;
        }
        Ok(())
    }

    /// A whole entry from byte `from` of the segment on that was written when the end of the log had long been durable.
    fn proof(&self, source: &Source<'_>, seed: Seed, from: u64) -> io::Result<Option<Header>> {
        let mut scanner = Scanner::new(source, seed);
        let mut at = from;
        while let Some(found) = scanner.next_candidate(at)? {
            at = match scanner.entry(found)? {
                Ok(header)
                    if header.epoch >= self.epoch && header.durable > self.recovery.end.0 =>
                {
                    return Ok(Some(header));
                }
                // All its bytes are its own: no other entry begins within it.
                Ok(header) => found + header.entry_size(),
                Err(_) => found + ALIGNMENT as u64,
            };
        }
        Ok(None)
    }
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
fn check_size(segment: &Segment) -> Result<(), OpenError> {
    let (file, found) = (file_name(segment.base()), segment.size());
    if found == 0 || !found.is_multiple_of(PAGE_SIZE) {
        return Err(OpenError::SegmentUneven { file, found });
    }
    Ok(())
}

/// A log of which not one entry is whole has none, if it was never more than begun: its first two entries are synced before there is a third.
/// If more lies there, it was sealed with another secret.
fn check_foreign(sources: &[Source<'_>], seed: Seed) -> Result<(), OpenError> {
    let mut from = FIRST_ENTRIES_SIZE;
    for source in sources {
        let segment = source.segment;
        let mut scanner = Scanner::new(source, seed);
        let candidate = scanner.next_candidate(from);
        if let Some(at) = candidate.map_err(read_error(segment, from))? {
            let file = file_name(segment.base());
            return Err(OpenError::Foreign { file, at });
        }
        from = 0;
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

fn read_error(segment: &Segment, at: u64) -> impl FnOnce(io::Error) -> OpenError {
    let file = file_name(segment.base());
    move |source| OpenError::Read { file, at, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pagelog_record::{Offset, Producer};

    fn check(epoch: u32, base_offset: i64, count: u32) -> bool {
        let header = Header {
            kind: Kind::Data,
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
