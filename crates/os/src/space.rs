//! How much room a file system has.

use std::io;
use std::path::Path;

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// How much is taken.
    pub used: u64,
    /// How much a process without privileges may still take.
    pub available: u64,
}

impl Space {
    /// `int statvfs(const char *path, struct statvfs *buffer)`: the room of the file system that holds `path`.
    ///
    /// Differs from the call in that it counts bytes, and as `df` does: what is kept for the superuser is neither used nor available. The
    /// answer is old the moment it is given.
    ///
    /// Safe, since the kernel fills a place of the structure's size.
    ///
    /// # Errors
    ///
    /// What the call gives. man 3 statvfs.
    pub fn of(path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        let used = found.f_blocks.saturating_sub(found.f_bfree);
        Ok(Space {
            used: used.saturating_mul(found.f_frsize),
            available: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    /// How many hundredths of what can be used are used, rounded down; 100 where nothing can be.
    #[must_use]
    pub fn used_percent(&self) -> u8 {
        let all = u128::from(self.used) + u128::from(self.available);
        let percent = (u128::from(self.used) * 100).checked_div(all);
        percent.map_or(100, |percent| percent.min(100) as u8)
    }
}
