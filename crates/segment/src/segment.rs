//! One segment: a range of positions and the file that holds their bytes.

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use pagelog_os::{MappedFile, Mapping};
use pagelog_page_cache::Warmer;

use crate::front::Front;
use crate::prewrite::Prewriter;
use crate::{Position, StorageFile};

/// A file of fixed size that holds the bytes at `base..end` of the log. Byte `p` of the log is byte
/// `p - base` of the file.
#[derive(Debug)]
pub struct Segment {
    base: Position,
    size: u64,
    file: Arc<dyn StorageFile>,
    view: Arc<MappedFile>,
    append: OnceLock<Arc<Mapping>>,
    warmer: OnceLock<Warmer>,
    front: Arc<Front>,
    prewriter: OnceLock<Prewriter>,
    recycled: bool,
}

impl Segment {
    /// `base + file size` must be a position.
    pub(crate) fn new(base: Position, file: Arc<dyn StorageFile>) -> io::Result<Segment> {
        let view = file.view()?;
        let size = view.size();
        if size == 0 || base.checked_add(size).is_none() {
            let text = format!("a segment of {size} bytes at position {base}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Segment {
            base,
            size,
            file,
            view,
            append: OnceLock::new(),
            warmer: OnceLock::new(),
            front: Arc::default(),
            prewriter: OnceLock::new(),
            recycled: false,
        })
    }

    /// In a file that has been another segment before.
    pub(crate) fn recycled(base: Position, file: Arc<dyn StorageFile>) -> io::Result<Segment> {
        Ok(Segment {
            recycled: true,
            ..Segment::new(base, file)?
        })
    }

    /// Whether this process has made it of the file of a deleted segment: it holds that one's bytes until they are
    /// written over.
    #[must_use]
    pub fn is_recycled(&self) -> bool {
        self.recycled
    }

    /// The position of the first byte.
    #[must_use]
    pub fn base(&self) -> Position {
        self.base
    }

    /// The position behind the last byte: the base of the next segment.
    #[must_use]
    pub fn end(&self) -> Position {
        self.base + self.size
    }

    /// The positions it holds.
    #[must_use]
    pub fn positions(&self) -> Range<Position> {
        self.base..self.end()
    }

    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The byte of the file that holds `position`; the end is allowed.
    ///
    /// # Panics
    ///
    /// When the segment does not hold it.
    #[must_use]
    pub fn file_offset(&self, position: Position) -> u64 {
        let held = position >= self.base && position <= self.end();
        assert!(
            held,
            "position {position} of a segment at {}..{}",
            self.base,
            self.end()
        );
        position - self.base
    }

    /// The file, for writing, syncing and reading by the descriptor.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn StorageFile> {
        &self.file
    }

    /// The file for readers; a clone of it keeps the bytes when the segment is deleted.
    #[must_use]
    pub fn view(&self) -> &Arc<MappedFile> {
        &self.view
    }

    /// Whether whoever holds this reference is the only one to reach the segment, its file or its bytes.
    pub(crate) fn is_unreferenced(self: &Arc<Segment>) -> bool {
        // In this order: who gets hold of the file or the view does so by way of the segment.
        Arc::strong_count(self) == 1
            && Arc::strong_count(&self.view) == 1
            && Arc::strong_count(&self.file) == 1
    }

    pub(crate) fn warmer(&self) -> &OnceLock<Warmer> {
        &self.warmer
    }

    pub(crate) fn front(&self) -> &Arc<Front> {
        &self.front
    }

    pub(crate) fn prewriter(&self) -> &OnceLock<Prewriter> {
        &self.prewriter
    }

    /// The mapping for an appender, made when it is first asked for. Nothing is written ahead of an appender from then on ([`Segment::prewrite`]): of what he
    /// stores, nobody is told before.
    ///
    /// # Errors
    ///
    /// As [`StorageFile::map_for_append`]; the next call tries again.
    pub fn append_mapping(&self) -> io::Result<&Arc<Mapping>> {
        if let Some(mapping) = self.append.get() {
            return Ok(mapping);
        }
        let mapping = Arc::new(self.file.map_for_append()?);
        self.front.close();
        Ok(self.append.get_or_init(|| mapping))
    }
}
