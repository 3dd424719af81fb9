//! What went which way and why: the proof that payload is not copied, and the figures a bench divides by.

use std::ops::{AddAssign, Index};

use crate::choices::Why;
use crate::path::Path;

/// Calls and bytes of one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathCount {
    /// Calls into the kernel, those that would have blocked included; of io_uring, one for each batch.
    pub calls: u64,
    /// Bytes that the socket took.
    pub bytes: u64,
    /// How often it was taken because it was forced.
    pub forced: u64,
    /// … because a measurement said so.
    pub measured: u64,
    /// … by the length of the run alone.
    pub by_default: u64,
    /// … because the one above it on the ladder was refused.
    pub taken_over: u64,
}

impl AddAssign for PathCount {
    fn add_assign(&mut self, other: PathCount) {
        self.calls += other.calls;
        self.bytes += other.bytes;
        self.forced += other.forced;
        self.measured += other.measured;
        self.by_default += other.by_default;
        self.taken_over += other.taken_over;
    }
}

/// Calls and bytes of all paths of one [`Paths`](crate::Paths), by [`Path`]; sums of them add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    paths: [PathCount; Path::ALL.len()],
    /// Of all bytes sent, those that ropes owned: headers.
    pub owned_bytes: u64,
    /// Of all bytes sent, those of regions that passed through a buffer of this process: payload that was copied.
    pub copied_bytes: u64,
    /// How often a path was refused by the kernel and given up.
    pub refusals: u64,
    /// How often a path was left for one step, for want of memory, descriptors or places.
    pub shortages: u64,
    /// Sends without copying that the kernel is done with.
    pub completions: u64,
    /// Of these, those that it had to copy after all.
    pub completions_copied: u64,
}

impl Counters {
    pub(crate) fn of(&mut self, path: Path) -> &mut PathCount {
        &mut self.paths[path.index()]
    }

    /// Takes note of why a path was taken.
    pub(crate) fn chosen(&mut self, path: Path, why: Why) {
        let count = self.of(path);
        *match why {
            Why::Forced => &mut count.forced,
            Why::Measured => &mut count.measured,
            Why::Default => &mut count.by_default,
            Why::TakenOver => &mut count.taken_over,
        } += 1;
    }

    /// Bytes of all paths.
    pub fn bytes(&self) -> u64 {
        self.paths.iter().map(|count| count.bytes).sum()
    }
}

impl Index<Path> for Counters {
    type Output = PathCount;

    fn index(&self, path: Path) -> &PathCount {
        &self.paths[path.index()]
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Counters) {
        for (sum, count) in self.paths.iter_mut().zip(other.paths) {
            *sum += count;
        }
        self.owned_bytes += other.owned_bytes;
        self.copied_bytes += other.copied_bytes;
        self.refusals += other.refusals;
        self.shortages += other.shortages;
        self.completions += other.completions;
        self.completions_copied += other.completions_copied;
    }
}
