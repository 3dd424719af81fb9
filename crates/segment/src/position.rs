//! The address of a byte in the log.

use std::fmt;
use std::ops::{Add, Sub};

/// The address of a byte in the whole log, whatever file it lies in. Positions only grow in the
/// life of a log; they are never used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The position `size` bytes on; `None` past the last address there is.
    #[must_use]
    pub fn checked_add(self, size: u64) -> Option<Position> {
        self.0.checked_add(size).map(Position)
    }
}

impl Add<u64> for Position {
    type Output = Position;

    /// The position `size` bytes on. For sizes from a disk use [`Position::checked_add`].
    fn add(self, size: u64) -> Position {
        Position(self.0 + size)
    }
}

impl Sub for Position {
    type Output = u64;

    /// The bytes from `earlier` up to here.
    fn sub(self, earlier: Position) -> u64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
