//! How much room a file system has.

use std::io;
use std::path::Path;

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// How much it holds in all.
    pub total: u64,
    /// How much of it a process without privileges may still take.
    pub available: u64,
}

impl Space {
    /// `int statvfs(const char *path, struct statvfs *buffer)`: the room of the file system that holds `path`.
    ///
    /// Differs from the call in that it counts bytes. Of what is kept for the superuser it says that it is taken, as it is for all others. The
    /// answer is old the moment it is given.
    ///
    /// # Errors
    ///
    /// What the call gives. man 3 statvfs.
    pub fn of(path: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Space {
            total: found.f_blocks.saturating_mul(found.f_frsize),
            available: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }

    /// How many hundredths are taken, rounded down; 100 of an empty one.
    #[must_use]
    pub fn used_percent(&self) -> u8 {
        let used = self.total.saturating_sub(self.available);
        let percent = u128::from(used) * 100 / u128::from(self.total.max(1));
        match self.total {
            0 => 100,
            _ => u8::try_from(percent).unwrap_or(100),
        }
    }
}
