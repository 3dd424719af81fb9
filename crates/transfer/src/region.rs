//! A range of a file that an answer names instead of copying it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::MappedFile;

/// `size` bytes of a file from `at` on. Holding it keeps the file open and mapped, even after it was deleted, and whatever else the file
/// was given to keep ([`MappedFile::keeping`]).
///
/// What the file got after it was mapped can be named as well: it goes by the descriptor, and nobody looks whether it is in memory.
///
/// The bytes must not change any more: what was sent may still lie in the socket as a reference to these very pages.
#[derive(Clone)]
pub struct Region {
    file: Arc<MappedFile>,
    at: u64,
    size: u64,
}

impl Region {
    /// Names `size` bytes of `file` from its byte `at` on.
    ///
    /// Nothing is read or checked here; a range that the file does not have is
    /// [`SendError::FileShort`](crate::SendError::FileShort) when it is sent.
    pub fn new(file: Arc<MappedFile>, at: u64, size: u64) -> Region {
        Region { file, at, size }
    }

    /// The file that the bytes lie in.
    pub fn file(&self) -> &Arc<MappedFile> {
        &self.file
    }

    /// The first byte's address in the file.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The part of this region that `range`, counted from its own first byte, names.
    pub(crate) fn part(&self, range: Range<u64>) -> Region {
        debug_assert!(range.start <= range.end && range.end <= self.size);
        Region {
            file: Arc::clone(&self.file),
            at: self.at + range.start,
            size: range.end - range.start,
        }
    }

    /// Whether `next` begins in the same file where this one ends.
    pub(crate) fn continues_with(&self, next: &Region) -> bool {
        Arc::ptr_eq(&self.file, &next.file) && self.at.checked_add(self.size) == Some(next.at)
    }

    /// Takes in a region for which [`Region::continues_with`] holds.
    pub(crate) fn extend(&mut self, next: &Region) {
        debug_assert!(self.continues_with(next));
        self.size += next.size;
    }

    /// Drops the first `count` bytes.
    pub(crate) fn advance(&mut self, count: u64) {
        debug_assert!(count <= self.size);
        self.at += count;
        self.size -= count;
    }

    /// Whether the file has all of these bytes now, as far as can be told: it may have grown since it was mapped.
    pub(crate) fn is_in_file(&self) -> bool {
        let end = self.at.checked_add(self.size);
        let size = || self.file.file().metadata().map_or(0, |data| data.len());
        self.is_mapped() || end.is_some_and(|end| end <= size())
    }

    /// Whether the file had all of these bytes when it was mapped.
    pub(crate) fn is_mapped(&self) -> bool {
        self.at
            .checked_add(self.size)
            .is_some_and(|end| end <= self.file.size())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("at", &self.at)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
