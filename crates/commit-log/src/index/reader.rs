//! One index file read on its own, without its log: for tools, and for whoever doubts what a file tells.

use std::sync::Arc;

use pagelog_record::{Offset, StreamId};
use pagelog_segment::{Position, Storage};

use super::item::Item;
use super::{IndexError, IndexFile};
use crate::read::Indexed;

/// An index file, open. Whatever its bytes are, reading it ends, with an answer or an error, and takes no more memory than a small part of it.
#[derive(Debug)]
pub struct IndexReader {
    file: Arc<IndexFile>,
}

impl IndexReader {
    /// Opens the file `name`, of the log with this id, and verifies its header and its table of checksums; the rest is verified as it is read.
    ///
    /// # Errors
    ///
    /// [`IndexError`].
    pub fn open(
        storage: &dyn Storage,
        name: &str,
        log_id: &[u8; 16],
    ) -> Result<IndexReader, IndexError> {
        let file = IndexFile::open(storage, name.to_owned(), log_id)?;
        Ok(IndexReader {
            file: Arc::new(file),
        })
    }

    /// The positions of the log whose entries it tells of: from the first, up to the second.
    #[must_use]
    pub fn positions(&self) -> (Position, Position) {
        let header = self.file.header();
        (header.from, header.to)
    }

    /// How many entries it tells of.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.file.header().item_count
    }

    /// Whether it tells of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first entry of `stream` that ends above `offset`: the one that holds it, or else the next one.
    ///
    /// # Errors
    ///
    /// [`IndexError`]: bytes are not as they were written.
    pub fn find(&self, stream: StreamId, offset: Offset) -> Result<Option<Indexed>, IndexError> {
        let found = self.file.seek(stream, offset.0)?;
        Ok(found.map(|(_, item)| indexed(&item)))
    }

    /// The first entry of `stream` from `offset` on whose time is `time_ms` or later.
    ///
    /// # Errors
    ///
    /// As [`IndexReader::find`].
    pub fn find_time(
        &self,
        stream: StreamId,
        offset: Offset,
        time_ms: i64,
    ) -> Result<Option<Indexed>, IndexError> {
        let until = self.file.header().to;
        let found = self.file.seek_time(stream, offset.0, time_ms, until)?;
        Ok(found.as_ref().map(indexed))
    }

    /// All entries with their streams, by stream and offset; ends with the first error.
    pub fn entries(&self) -> impl Iterator<Item = Result<(StreamId, Indexed), IndexError>> {
        let mut failed = false;
        self.file
            .keyed()
            .take_while(move |keyed| !std::mem::replace(&mut failed, keyed.is_err()))
            .map(|keyed| keyed.map(|keyed| (keyed.stream, indexed(&keyed.item))))
    }
}

fn indexed(item: &Item) -> Indexed {
    Indexed {
        position: Position(item.position),
        base_offset: Offset(item.base_offset),
        count: item.count,
        payload_size: item.payload_size,
        time_max_ms: item.time_max_ms,
    }
}
