//! The segment that takes the place of the one that is cut: what is kept of it, and the cut itself.

use std::sync::Arc;

use pagelog_record::{Epoch, HEADER_SIZE, Header, Kind, Offset, Producer, Seed, StreamId};
use pagelog_segment::{Position, Segment, Storage, StorageFile, new_file_name};

use super::survey::Survey;
use super::{CutError, failed, remove_leftover};
use crate::control::Control;
use crate::options::{PAGE_SIZE, SEGMENT_HEAD_SIZE};
use crate::rewrite::{Copy, Epochs};
use crate::whole;

/// How far the epoch is raised. More than by one: what cannot be read any more may hold openings that nobody can count, and an epoch
/// means one opening in the life of a log.
const EPOCHS: u32 = 1000;

/// The size of the entry of a cut: it has a payload like a segment's head.
const CUT_SIZE: u64 = SEGMENT_HEAD_SIZE;

/// A segment that ends where the log is cut.
#[derive(Debug)]
pub(super) struct Replacement {
    pub(super) base: Position,
    size: u64,
    seed: Seed,
    /// The segment that holds the place, if something of it is kept.
    kept: Option<Arc<Segment>>,
    /// Those before it that hold what is not proven durable.
    unproven: Vec<Arc<Segment>>,
    durable: Position,
    /// Of what is kept.
    epochs: Epochs,
    epoch: Epoch,
    to: Position,
    /// Where the log ended.
    end: Position,
}

impl Replacement {
    pub(super) fn new(survey: &Survey, to: Position) -> Result<Replacement, CutError> {
        let epoch = survey.epoch.0.checked_add(EPOCHS);
        // The next opening raises it once more.
        let epoch = epoch.filter(|epoch| *epoch < u32::MAX);
        let epoch = Epoch(epoch.ok_or(CutError::Epochs(survey.epoch.0))?);
        let segments = &survey.segments;
        // Where not even a header fits behind the place, the next segment is the first that is cut.
        let is_within = |segment: &&Arc<Segment>| {
            segment.base() < to && segment.end() >= to && segment.end() - to >= HEADER_SIZE as u64
        };
        let kept = segments.iter().find(is_within).cloned();
        let before = |segment: &&Arc<Segment>| segment.base() < to;
        let base = match &kept {
            Some(kept) => kept.base(),
            None => segments.iter().rfind(before).map_or(to, |last| last.end()),
        };
        let at_base = segments.iter().find(|segment| segment.base() == base);
        let sized = at_base.or(segments.last());
        let is_unproven =
            |segment: &&Arc<Segment>| segment.base() < base && segment.end() > survey.durable;
        Ok(Replacement {
            base,
            size: sized.map_or(PAGE_SIZE, |segment| segment.size()),
            seed: survey.seed,
            unproven: segments.iter().filter(is_unproven).cloned().collect(),
            durable: survey.durable,
            epochs: survey.epochs.clone(),
            kept,
            epoch,
            to,
            end: survey.loss.end,
        })
    }

    /// Writes it under its temporary name and syncs it, and all that it says is durable.
    pub(super) fn write(&self, storage: &dyn Storage) -> Result<(), CutError> {
        for segment in &self.unproven {
            let from = self.durable.max(segment.base());
            self.copy(segment, &**segment.file(), from, self.to.min(segment.end()))?;
            let synced = segment.file().sync_data();
            synced.map_err(failed("sync", &pagelog_segment::file_name(segment.base())))?;
        }
        let name = new_file_name(self.base);
        remove_leftover(storage, &name)?;
        let file = storage
            .create(&name, self.size)
            .map_err(failed("create", &name))?;
        match &self.kept {
            Some(kept) => self.copy(kept, &*file, self.base, self.to)?,
            None => self.write_head(&*file).map_err(failed("write", &name))?,
        }
        self.write_cut(&*file).map_err(failed("write", &name))?;
        file.sync_data().map_err(failed("sync", &name))
    }

    fn copy(
        &self,
        segment: &Segment,
        into: &dyn StorageFile,
        from: Position,
        to: Position,
    ) -> Result<(), CutError> {
        let copy = Copy {
            segment,
            seed: self.seed,
            epochs: &self.epochs,
            into,
        };
        Ok(copy.run(from..to)?)
    }

    fn write_head(&self, file: &dyn StorageFile) -> std::io::Result<()> {
        let payload = Control::segment_head(self.size);
        self.write_entry(file, self.base, Kind::Control, &payload)
    }

    /// The entry of the cut, or, where that does not fit any more, a filler of its epoch.
    fn write_cut(&self, file: &dyn StorageFile) -> std::io::Result<()> {
        let at = match &self.kept {
            Some(_) => self.to,
            None => self.base + SEGMENT_HEAD_SIZE,
        };
        let room = self.base + self.size - at;
        if room >= CUT_SIZE {
            return self.write_entry(file, at, Kind::Control, &Control::cut(self.end.0));
        }
        let covered = vec![0; (room - HEADER_SIZE as u64) as usize];
        self.write_entry(file, at, Kind::Filler, &covered)
    }

    fn write_entry(
        &self,
        file: &dyn StorageFile,
        at: Position,
        kind: Kind,
        payload: &[u8],
    ) -> std::io::Result<()> {
        let header = Header {
            kind,
            moved: false,
            payload_size: payload.len() as u32,
            position: at.0,
            durable: self.to.min(at).0,
            base_offset: Offset(0),
            append_time_ms: 0,
            record_time_max_ms: -1,
            stream: StreamId::CONTROL,
            count: 0,
            epoch: self.epoch,
            producer: Producer::NONE,
        };
        let covered = &payload[..header.covered_size() as usize];
        let sealed = self.seed.seal(&header, &[covered]);
        let in_file = at - self.base;
        whole::write(file, in_file, &sealed)?;
        whole::write(file, in_file + HEADER_SIZE as u64, payload)
    }
}
