//! What lies before and behind the place of a cut, as far as it can be read.

use std::collections::BTreeMap;
use std::sync::Arc;

use pagelog_record::{Epoch, HEADER_SIZE, Header, Kind, Offset, Seed};
use pagelog_segment::{Position, Run, Segment, Storage, open_segment};

use super::{CutError, Loss, StreamLoss};
use crate::error::OpenError;
use crate::evidence::Evidence;
use crate::meta::Meta;
use crate::recover::{Entry, check_size, next_whole, source};
use crate::replayer::Replayer;
use crate::rewrite::Epochs;
use crate::scan::Scanner;

/// A log that may be damaged, with the place of a cut in it.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) seed: Seed,
    /// The unbroken run of segments from the first on; of those behind it nothing is kept.
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) loss: Loss,
    /// The highest durable position that any entry names.
    pub(super) durable: Position,
    /// The highest epoch of any entry.
    pub(super) epoch: Epoch,
    pub(super) epochs: Epochs,
    to: Position,
    begin: Position,
    /// The nearest borders: up to `to`, and from there on.
    before: Position,
    after: Option<Position>,
}

impl Survey {
    /// Reads the whole log, and gives the entries that can be read in order to `each`.
    pub(super) fn new(
        storage: &dyn Storage,
        to: Position,
        each: &mut dyn FnMut(&Entry<'_>),
    ) -> Result<Survey, CutError> {
        let meta = Meta::open(storage).map_err(OpenError::from)?;
        let meta = meta.ok_or(OpenError::NoLog)?;
        let mut evidence = Evidence::find(storage, meta.id).map_err(OpenError::from)?;
        evidence.checkpoints.look(storage);
        let Sound {
            segments,
            behind,
            refusal,
        } = Sound::find(storage)?;
        let known = evidence.known(storage, &segments);
        let replayer = Replayer::over(&meta, segments.clone(), known);
        let mut survey = Survey::blank(&meta, segments, &behind, to);
        let replayed = replayer.replay(&mut |entry| {
            survey.replayed(entry.header);
            each(entry);
            Ok(())
        });
        survey.loss.refusal = match replayed {
            // By the identity of another log, all of this one would be cut.
            Err(error @ OpenError::Foreign { .. }) => return Err(error.into()),
            // What was to come next is there and cannot be used: that says more.
            Err(OpenError::Ended { .. }) if refusal.is_some() => refusal,
            Err(error) => Some(error),
            Ok(_) => refusal,
        };
        survey.end_segment();
        survey.look_behind(storage, &behind);
        survey.check()?;
        Ok(survey)
    }

    fn blank(
        meta: &Meta,
        segments: Vec<Arc<Segment>>,
        behind: &[Position],
        to: Position,
    ) -> Survey {
        let first = segments.first().map(|segment| segment.base());
        let begin = first.or(behind.first().copied()).unwrap_or(Position(0));
        Survey {
            seed: Seed::from_secret(&meta.secret),
            segments,
            loss: Loss {
                end: begin,
                refusal: None,
                kept: 0,
                entries: 0,
                control: 0,
                unread: false,
                streams: BTreeMap::new(),
                files: Vec::new(),
            },
            durable: begin,
            epoch: Epoch(0),
            epochs: Epochs::default(),
            to,
            begin,
            before: begin,
            after: (begin >= to).then_some(begin),
        }
    }

    /// Takes the next entry of the log.
    fn replayed(&mut self, header: &Header) {
        let (begin, end) = (header.position, header.position + header.entry_size());
        self.border(Position(begin));
        self.border(Position(end));
        self.loss.end = Position(end);
        self.epochs.met(header);
        self.seen(header);
        if begin < self.to.0 {
            self.loss.kept += 1;
        } else {
            self.loss.add(header);
        }
    }

    fn border(&mut self, border: Position) {
        if border <= self.to {
            self.before = border;
        }
        if border >= self.to && self.after.is_none() {
            self.after = Some(border);
        }
    }

    /// Where not even a header fits behind the last entry, the log goes on, or would, with the next segment.
    fn end_segment(&mut self) {
        let end = self.loss.end;
        let holds = |segment: &&Arc<Segment>| segment.base() < end && segment.end() >= end;
        let holder = self.segments.iter().find(holds);
        if let Some(next) = holder.map(|segment| segment.end())
            && next - end < HEADER_SIZE as u64
        {
            self.border(next);
            self.loss.end = next;
        }
    }

    fn seen(&mut self, header: &Header) {
        self.epoch = self.epoch.max(header.epoch);
        let durable = Position(header.durable.min(header.position));
        self.durable = self.durable.max(durable);
    }

    /// Looks at everything that replay did not come to, in no order that could be trusted: entries behind damage are lost with it,
    /// left-overs behind the end were never part of the log, and both tell which epochs there were.
    fn look_behind(&mut self, storage: &dyn Storage, behind: &[Position]) {
        let end = self.loss.end;
        let least_epoch = match &self.loss.refusal {
            Some(_) => self.epoch,
            None => Epoch(u32::MAX),
        };
        let opened = behind.iter().map(|base| open_segment(storage, *base));
        let opened = opened.map(|opened| opened.map_err(OpenError::from));
        let run = self.segments.clone().into_iter().map(Ok);
        for segment in run.chain(opened) {
            let looked = segment.and_then(|segment| {
                let at = end.clamp(segment.base(), segment.end()) - segment.base();
                self.look_through(&segment, at, least_epoch)
            });
            self.loss.unread |= looked.is_err();
        }
    }

    fn look_through(
        &mut self,
        segment: &Segment,
        mut at: u64,
        least_epoch: Epoch,
    ) -> Result<(), OpenError> {
        let mut scanner = Scanner::new(&source(segment)?, self.seed, &|_| {});
        while let Some(header) = next_whole(&mut scanner, segment, at)? {
            self.seen(&header);
            if header.epoch >= least_epoch {
                self.loss.add(&header);
            }
            at = header.position - segment.base().0 + header.entry_size();
        }
        Ok(())
    }

    /// Whether the log can be cut there.
    fn check(&self) -> Result<(), CutError> {
        let (position, begin, end) = (self.to, self.begin, self.loss.end);
        if position < begin || position > end {
            return Err(CutError::Outside {
                position,
                begin,
                end,
            });
        }
        match self.after {
            Some(after) if after != position => Err(CutError::NoBorder {
                position,
                before: self.before,
                after,
            }),
            _ if self.loss.refusal.is_none() && self.loss.entries == 0 => {
                Err(CutError::Nothing { position })
            }
            _ => Ok(()),
        }
    }
}

impl Loss {
    fn add(&mut self, header: &Header) {
        self.entries += 1;
        if header.kind != Kind::Data {
            self.control += u64::from(header.kind == Kind::Control);
            return;
        }
        let first = header.base_offset;
        let next = Offset(first.0.saturating_add(i64::from(header.count)));
        let stream = self.streams.entry(header.stream).or_insert(StreamLoss {
            entries: 0,
            records: 0,
            first,
            next,
        });
        stream.entries += 1;
        stream.records += u64::from(header.count);
        stream.first = stream.first.min(first);
        stream.next = stream.next.max(next);
    }
}

/// The segments that can be replayed, and the files behind them.
struct Sound {
    segments: Vec<Arc<Segment>>,
    behind: Vec<Position>,
    /// Why the first of those behind is no part of the run.
    refusal: Option<OpenError>,
}

impl Sound {
    fn find(storage: &dyn Storage) -> Result<Sound, OpenError> {
        let Run {
            mut segments,
            broken,
        } = Run::find(storage)?;
        let (mut refusal, mut behind) = match broken {
            None => (None, Vec::new()),
            Some(broken) => (Some(broken.error.into()), broken.behind),
        };
        let uneven = |segment: &Arc<Segment>| check_size(segment).is_err();
        if let Some(index) = segments.iter().position(uneven) {
            refusal = check_size(&segments[index]).err();
            let rest = segments.split_off(index);
            behind.splice(0..0, rest.iter().map(|segment| segment.base()));
        }
        Ok(Sound {
            segments,
            behind,
            refusal,
        })
    }
}
