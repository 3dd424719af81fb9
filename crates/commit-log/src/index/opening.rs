//! The index at an opening: files that can be used are, and the rest is found out while the log is replayed.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_record::{Header, Kind, StreamId};
use pagelog_segment::{Position, Segment};

use super::sealing::failed;
use super::{IndexError, IndexFile, Indexes, SealError, index_name, is_index, is_leftover, remove};
use crate::checkpoint::StreamMark;
use crate::evidence::end_of;
use crate::stream::Stream;

/// Takes the entries of the log in their order, and keeps where those lie that no file tells of.
pub(crate) struct Indexing<'a> {
    indexes: &'a Indexes,
    segments: Vec<Arc<Segment>>,
    /// What the files tell of, one range for each.
    indexed: Vec<Range<Position>>,
    /// The stream of the entry before: most often that of the next one too.
    stream: Option<Arc<Stream>>,
    /// Runs could not be written: memory holds what it has to, and the opening goes on.
    refused: bool,
}

impl<'a> Indexing<'a> {
    /// Opens the indexes of `segments` and removes what is of no use.
    pub(crate) fn begin(
        indexes: &'a Indexes,
        segments: Vec<Arc<Segment>>,
    ) -> Result<Indexing<'a>, SealError> {
        let found =
            tidy(indexes, &segments).map_err(|error| failed("the data directory")(error.into()))?;
        let begin = segments.first().map_or(Position(0), |first| first.base());
        for segment in &segments {
            if found.contains(&segment.base()) {
                open_index(indexes, segment)?;
            }
        }
        indexes.begin(begin, &segments);
        let files = indexes.files.snapshot();
        let indexed = files
            .iter()
            .map(|file| file.header().from..file.header().to);
        Ok(Indexing {
            indexes,
            segments,
            indexed: indexed.collect(),
            stream: None,
            refused: false,
        })
    }

    /// Takes what a checkpoint tells of the streams.
    pub(crate) fn recall(&self, marks: &[StreamMark]) {
        for mark in marks {
            self.indexes.streams.get(mark.id).recall(mark);
        }
    }

    /// Takes the next entry.
    pub(crate) fn take_up(&mut self, header: &Header) {
        if header.kind != Kind::Data {
            return;
        }
        let position = Position(header.position);
        let pool = self.indexes.pool();
        let stream = self.stream(header.stream);
        if self.is_indexed(position) {
            stream.replay(header, None);
            return;
        }
        stream.replay(header, Some(pool));
        if pool.is_above_limit() && !self.refused {
            self.refused = match self.spill(position) {
                Ok(()) => false,
                Err(error) => {
                    tracing::warn!("{error}; what would be in it stays in memory");
                    true
                }
            };
        }
    }

    fn stream(&mut self, id: StreamId) -> Arc<Stream> {
        match &self.stream {
            Some(stream) if stream.id() == id => Arc::clone(stream),
            _ => {
                let stream = self.indexes.streams.get(id);
                self.stream = Some(Arc::clone(&stream));
                stream
            }
        }
    }

    fn is_indexed(&self, position: Position) -> bool {
        let behind = self
            .indexed
            .partition_point(|range| range.start <= position);
        let last = behind.checked_sub(1).map(|last| &self.indexed[last]);
        last.is_some_and(|range| range.contains(&position))
    }

    /// Writes what memory holds of the entries before `to` into runs, segment by segment.
    fn spill(&self, to: Position) -> Result<(), SealError> {
        for segment in &self.segments {
            let known = |range: &Range<Position>| segment.positions().contains(&range.start);
            let whole = self
                .indexed
                .iter()
                .any(|range| known(range) && range.end == segment.end());
            let filed = self.indexes.reached().filed;
            if segment.base() < to && segment.end() > filed {
                match whole {
                    true => self.indexes.skip(segment),
                    false => self.indexes.spill(segment, to.min(segment.end()))?,
                }
            }
        }
        Ok(())
    }
}

/// Removes what no opening needs, and says which segments seem to have an index.
fn tidy(indexes: &Indexes, segments: &[Arc<Segment>]) -> io::Result<Vec<Position>> {
    let storage = indexes.storage();
    let mut found = Vec::new();
    for name in storage.list()? {
        match is_index(&name) {
            Some(base) if segments.iter().any(|segment| segment.base() == base) => found.push(base),
            // Whole, it tells that a segment is missing: the log is not opened without it.
            Some(base) if base >= end_of(segments) && may_tell(indexes, &name) => {}
            Some(_) => remove(storage, &name)?,
            None if is_leftover(&name) => remove(storage, &name)?,
            None => {}
        }
    }
    Ok(found)
}

/// Whether an index is whole, as far as it can be read today.
fn may_tell(indexes: &Indexes, name: &str) -> bool {
    let opened = IndexFile::open(indexes.storage(), name.to_owned(), indexes.log_id());
    matches!(opened, Ok(_) | Err(IndexError::Io(_)))
}

/// Takes the index of a segment, or removes it if it is of no use at all.
fn open_index(indexes: &Indexes, segment: &Segment) -> Result<(), SealError> {
    let name = index_name(segment.base());
    let opened = IndexFile::open(indexes.storage(), name.clone(), indexes.log_id());
    let checked = opened.and_then(|file| {
        file.check_segment(segment)?;
        let (from, to) = (file.header().from, file.header().to);
        match from == segment.base() {
            true => Ok(file),
            false => Err(IndexError::OtherPlace { from, to }),
        }
    });
    match checked {
        Ok(file) => drop(indexes.files.replace(file)),
        // If the log breaks off before what it tells of, that is why it is refused, at every opening.
        Err(error @ IndexError::Stale(_)) => {
            tracing::warn!(file = name, %error, "an index cannot be used: it is made again of the log");
        }
        Err(error) => {
            tracing::warn!(file = name, %error, "an index cannot be used: it is made again of the log");
            remove(indexes.storage(), &name).map_err(|error| failed(&name)(error.into()))?;
        }
    }
    Ok(())
}
