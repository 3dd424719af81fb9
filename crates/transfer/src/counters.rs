//! What went which way: the proof that payload is not copied, and the figures a bench divides by.

use std::ops::AddAssign;

/// Calls and bytes of one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathCount {
    /// Calls into the kernel, those that would have blocked included.
    pub calls: u64,
    /// Bytes that the socket took.
    pub bytes: u64,
}

impl AddAssign for PathCount {
    fn add_assign(&mut self, other: PathCount) {
        self.calls += other.calls;
        self.bytes += other.bytes;
    }
}

/// Calls and bytes of all paths of one [`Paths`](crate::Paths); sums of them add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// `pread` into a buffer, then `send`.
    pub reference: PathCount,
    /// One `sendmsg` of bytes in memory and ranges of mappings.
    pub gather: PathCount,
    /// `sendfile`.
    pub send_file: PathCount,
    /// Of all bytes sent, those that ropes owned: headers.
    pub owned_bytes: u64,
    /// Of all bytes sent, those of regions that passed through a buffer of this process: payload that was copied.
    pub copied_bytes: u64,
    /// How often a path was refused by the kernel and given up.
    pub refusals: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Counters) {
        self.reference += other.reference;
        self.gather += other.gather;
        self.send_file += other.send_file;
        self.owned_bytes += other.owned_bytes;
        self.copied_bytes += other.copied_bytes;
        self.refusals += other.refusals;
    }
}
