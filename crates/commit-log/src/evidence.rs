//! What beside its entries tells how far a log was durable: checkpoints and index files, which are written of what is.
//!
//! Where entries that were durable are missing at the end of a log, no entry behind them can prove it, and the end would look like that of any crash.

use std::sync::Arc;

use pagelog_segment::{Position, Segment, Storage};

use crate::checkpoint::Candidates;
use crate::index::{IndexFile, is_index};
use crate::recover::Known;

/// The files that may tell.
#[derive(Debug)]
pub(crate) struct Evidence {
    log_id: [u8; 16],
    pub(crate) checkpoints: Candidates,
    /// Where the segments of index files begin, and the files' names, the newest first.
    indexes: Vec<(Position, String)>,
}

impl Evidence {
    /// Lists the files and reads none.
    ///
    /// Whoever reads a log that is in use does this before he looks for its segments: a file that is found then tells of no other ones.
    pub(crate) fn find(
        storage: &dyn Storage,
        log_id: [u8; 16],
    ) -> Result<Evidence, pagelog_segment::OpenError> {
        let listed = storage.list();
        let names = listed.map_err(|error| pagelog_segment::OpenError::Io {
            action: "list",
            name: "the data directory".to_owned(),
            error,
        })?;
        let index = |name: &String| Some((is_index(name)?, name.clone()));
        let mut indexes: Vec<_> = names.iter().filter_map(index).collect();
        indexes.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Evidence {
            log_id,
            checkpoints: Candidates::of(names, log_id),
            indexes,
        })
    }

    /// The highest position below which everything was durable when one of the files was written; of the checkpoints, as far as they have been looked at.
    pub(crate) fn known(&self, storage: &dyn Storage, segments: &[Arc<Segment>]) -> Option<Known> {
        let mut indexes = self.indexes.iter();
        let index = indexes.find_map(|(base, name)| self.told(storage, segments, *base, name));
        let checkpoint = self.checkpoints.known().cloned();
        let known = [index, checkpoint].into_iter().flatten();
        known.max_by_key(|known| known.durable)
    }

    /// What an index tells, if it is whole and its segment is there, or is missing behind the last. That the segment does not hold any more what the index tells
    /// of makes it no less true.
    fn told(
        &self,
        storage: &dyn Storage,
        segments: &[Arc<Segment>],
        base: Position,
        name: &str,
    ) -> Option<Known> {
        let file = IndexFile::open(storage, name.to_owned(), &self.log_id).ok()?;
        let header = file.header();
        let fits = match segments.iter().find(|segment| segment.base() == base) {
            Some(segment) => header.to <= segment.end(),
            None => base >= end_of(segments),
        };
        (fits && header.base == base).then(|| Known {
            durable: header.to,
            file: name.to_owned(),
        })
    }
}

/// Where the last segment ends: what is told of places behind it is told of one that is missing.
pub(crate) fn end_of(segments: &[Arc<Segment>]) -> Position {
    segments.last().map_or(Position(0), |last| last.end())
}
