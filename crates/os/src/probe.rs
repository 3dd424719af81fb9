//! What this kernel, these limits and a directory's file system allow: tried, not guessed.
//!
//! [`Kernel::probe`] and [`FileSystem::probe`] are asked once, at the start; whoever holds the answer decides
//! by it. Shown, each is a list of lines for a person.
//!
//! ```
//! use pagelog_os::probe::{FileSystem, Kernel};
//!
//! # fn main() -> std::io::Result<()> {
//! let directory = tempfile::tempdir()?;
//! println!("{}\n{}", Kernel::probe(), FileSystem::probe(directory.path())?);
//! # Ok(())
//! # }
//! ```

mod file_system;
mod interface;
mod kernel;

use std::fmt;
use std::io;

pub use file_system::{FileSystem, Overwrite};
pub use interface::Interface;
pub use kernel::Kernel;

/// Whether something works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Support {
    /// It was tried, and did.
    Works,
    /// It was tried, and was refused with this number of an error (`errno`).
    Refused(i32),
    /// It could not be tried.
    Unknown,
}

impl Support {
    /// Whether it works for sure.
    #[must_use]
    pub fn works(&self) -> bool {
        *self == Support::Works
    }

    fn of<T>(result: &io::Result<T>) -> Support {
        match result {
            Ok(_) => Support::Works,
            Err(error) => error
                .raw_os_error()
                .map_or(Support::Unknown, Support::Refused),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Support::Works => write!(formatter, "works"),
            Support::Refused(code) => {
                write!(
                    formatter,
                    "refused: {}",
                    io::Error::from_raw_os_error(*code)
                )
            }
            Support::Unknown => write!(formatter, "unknown"),
        }
    }
}

/// A number of bytes, or the word for none.
struct Bytes(Option<u64>, &'static str);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => write!(formatter, "{bytes} bytes"),
            None => write!(formatter, "{}", self.1),
        }
    }
}
