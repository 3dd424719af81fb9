//! The staging ring: pinned memory in which entries wait for the next gathered write.
//!
//! ```text
//!            tail (first byte not yet in the file)     head (next free byte)
//!             ▼                                         ▼
//!   ├─ free ──┤ entry │ entry │ entry │ entry │ entry   ├─ free ─┤
//! ```
//!
//! Both only grow; a place is a count modulo the size. An entry is never split: if it does not fit before the ring's end, the rest is skipped.

use std::io;
use std::ops::Range;

use pagelog_os::{Mapping, Populate};

use crate::options::PAGE_SIZE;

/// The memory. Who may write where is the business of [`Cursor`], which lives under the log's lock.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The ring, and a page of zeros behind it.
    pub(crate) memory: Mapping,
    size: usize,
}

/// What is taken of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    size: u64,
    head: u64,
    tail: u64,
}

/// A reserved place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Where in the memory.
    pub(crate) at: usize,
    /// The count at which the ring is free up to and with this place.
    pub(crate) end: u64,
}

impl Ring {
    /// Takes the memory and pins it; where the limit refuses that, it is touched once and may be swapped.
    pub(crate) fn new(size: usize) -> io::Result<Ring> {
        let memory = Mapping::anonymous(size + PAGE_SIZE as usize)?;
        if let Err(refused) = memory.lock(0..size) {
            tracing::info!("the staging ring of {size} bytes is not pinned: {refused}");
            if let Err(error) = memory.populate(0..size, Populate::Write) {
                tracing::debug!("the staging ring is not touched ahead: {error}");
            }
        }
        Ok(Ring { memory, size })
    }

    /// So many zeros, at most a page less a byte.
    pub(crate) fn zeros(&self, count: usize) -> Range<usize> {
        debug_assert!(count < PAGE_SIZE as usize);
        self.size..self.size + count
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            size: self.size as u64,
            head: 0,
            tail: 0,
        }
    }
}

impl Cursor {
    /// Takes `size` bytes, or nothing if they are not free.
    pub(crate) fn take(&mut self, size: u64) -> Option<Place> {
        let at = self.head % self.size;
        let skipped = if at + size > self.size {
            self.size - at
        } else {
            0
        };
        let end = self.head.checked_add(skipped)?.checked_add(size)?;
        if end - self.tail > self.size {
            return None;
        }
        self.head = end;
        Some(Place {
            at: ((end - size) % self.size) as usize,
            end,
        })
    }

    /// Everything up to `end` is in the file.
    pub(crate) fn release(&mut self, end: u64) {
        debug_assert!(self.tail <= end && end <= self.head);
        self.tail = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(size: u64) -> Cursor {
        Cursor {
            size,
            head: 0,
            tail: 0,
        }
    }

    #[test]
    fn a_place_is_never_split_and_never_taken_twice() {
        let mut cursor = cursor(100);
        assert_eq!(cursor.take(60), Some(Place { at: 0, end: 60 }));
        // 40 are left before the end, and 50 do not fit there or at the beginning.
        assert_eq!(cursor.take(50), None);
        cursor.release(60);
        assert_eq!(cursor.take(50), Some(Place { at: 0, end: 150 }));
        // The 40 that were skipped are free again with the entry behind them.
        assert_eq!(cursor.take(50), None);
        cursor.release(150);
        assert_eq!(cursor.take(50), Some(Place { at: 50, end: 200 }));
        assert_eq!(cursor.take(50), Some(Place { at: 0, end: 250 }));
        assert_eq!(cursor.take(8), None);
    }

    #[test]
    fn a_full_ring_refuses() {
        let mut cursor = cursor(16);
        assert!(cursor.take(16).is_some());
        assert_eq!(cursor.take(8), None);
        assert_eq!(cursor.take(24), None);
    }
}
