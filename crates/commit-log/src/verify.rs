//! Looks at what is derived from the entries of a log: compares its index files with them, and opens its checkpoints; for tools that only look.

use pagelog_record::{HEADER_SIZE, Kind};
use pagelog_segment::{Position, Segment, Storage};

use crate::checkpoint::{CheckpointError, is_checkpoint, read_checkpoint};
use crate::index::{IndexError, IndexFile, Keyed, index_name};
use crate::replayer::Replayer;
use crate::scan::{Scanner, Source};

/// An index file, and whether it can be used.
#[derive(Debug)]
pub struct IndexReport {
    /// Its name.
    pub file: String,
    /// Where the segment begins that it is about.
    pub base: Position,
    /// Up to where it tells of entries, how many it tells of, and its size in bytes; `None` if it cannot be opened.
    pub holds: Option<(Position, u32, u64)>,
    /// What is wrong with it. Nothing is lost by that: the next opening makes it again.
    pub wrong: Option<IndexError>,
}

/// A checkpoint, and whether it is what was written.
#[derive(Debug)]
pub struct CheckpointReport {
    /// Its name.
    pub file: String,
    /// From where on an opening with it reads entries, by its name.
    pub position: Position,
    /// What it holds; `None` if it cannot be read.
    pub holds: Option<CheckpointContents>,
    /// What is wrong with it. Nothing is lost by that: an opening reads more.
    pub wrong: Option<CheckpointError>,
}

/// What a checkpoint holds.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointContents {
    /// How far the log was durable when it was written.
    pub durable: Position,
    /// How many streams it tells of.
    pub streams: usize,
    /// The size of what the log's owner wanted to be told, in bytes.
    pub told_size: usize,
}

impl Replayer {
    /// Reads every checkpoint, the newest first. What it says of the entries is not compared with them.
    ///
    /// # Errors
    ///
    /// What the storage says when it is asked for its files.
    pub fn check_checkpoints(
        &self,
        storage: &dyn Storage,
    ) -> std::io::Result<Vec<CheckpointReport>> {
        let named = storage.list()?.into_iter();
        let named = named.filter_map(|file| Some((is_checkpoint(&file)?, file)));
        let mut named: Vec<_> = named.collect();
        named.sort_unstable_by(|one, other| other.cmp(one));
        let report = |(position, file): (Position, String)| {
            let read = read_checkpoint(storage, &file, &self.id());
            let holds = read.as_ref().ok().map(|found| CheckpointContents {
                durable: found.durable,
                streams: found.streams.len(),
                told_size: found.told.len(),
            });
            CheckpointReport {
                file,
                position,
                holds,
                wrong: read.err(),
            }
        };
        Ok(named.into_iter().map(report).collect())
    }

    /// Opens the index of each segment that has one; with `thorough`, reads the segment's entries and looks each of them up.
    ///
    /// # Errors
    ///
    /// What the storage says when it is asked for its files.
    pub fn check_indexes(
        &self,
        storage: &dyn Storage,
        thorough: bool,
    ) -> std::io::Result<Vec<IndexReport>> {
        let names = storage.list()?;
        let mut reports = Vec::new();
        for segment in self.segments() {
            let file = index_name(segment.base());
            if names.contains(&file) {
                reports.push(self.check_index(storage, segment, file, thorough));
            }
        }
        Ok(reports)
    }

    fn check_index(
        &self,
        storage: &dyn Storage,
        segment: &Segment,
        name: String,
        thorough: bool,
    ) -> IndexReport {
        let mut report = IndexReport {
            file: name.clone(),
            base: segment.base(),
            holds: None,
            wrong: None,
        };
        let opened = IndexFile::open(storage, name, &self.id());
        let checked = opened.and_then(|index| {
            let header = index.header();
            report.holds = Some((header.to, header.item_count, header.file_size()));
            index.check_segment(segment)?;
            match thorough {
                true => self.compare(segment, &index),
                false => Ok(()),
            }
        });
        report.wrong = checked.err();
        report
    }

    /// Every entry is found where it lies, and there are no more items than entries.
    fn compare(&self, segment: &Segment, index: &IndexFile) -> Result<(), IndexError> {
        let source = Source::new(segment)?;
        let mut scanner = Scanner::new(&source, self.seed(), &|_| {});
        let (mut position, to) = (index.header().from, index.header().to);
        let mut found = 0;
        while position < to && segment.end() - position >= HEADER_SIZE as u64 {
            let entry = scanner.entry(position - segment.base())?;
            let header = entry.map_err(|_| IndexError::Stale(position))?;
            if header.kind == Kind::Data {
                found += u32::from(is_told(index, &Keyed::of(&header))?);
            }
            position = Position(header.position + header.entry_size());
        }
        match found == index.header().item_count {
            true => Ok(()),
            false => Err(IndexError::Fields { at: 48 }),
        }
    }
}

/// Whether the index tells of this very entry; if it does not, it tells of a later copy.
fn is_told(index: &IndexFile, entry: &Keyed) -> Result<bool, IndexError> {
    let found = index.seek(entry.stream, entry.item.base_offset)?;
    match found.map(|(_, item)| item) {
        Some(item) if item == entry.item => Ok(true),
        Some(item)
            if item.base_offset == entry.item.base_offset
                && item.position > entry.item.position =>
        {
            Ok(false)
        }
        _ => Err(IndexError::Untold(Position(entry.item.position))),
    }
}
