//! The files a log lies in: segments of fixed size, one behind the other, each ready before it is
//! needed.
//!
//! A log is one long run of bytes; a [`Position`] is the address of one of them. [`Segments`] keeps
//! the run of files that hold these bytes, finds the one that holds a position, and has the next
//! ones made by a thread of its own, so that an appender never waits for a file. What the bytes
//! mean is not known here.
//!
//! Files are reached through [`Storage`], which has two real users: [`Directory`] here and the
//! faulty storage of the tests.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use pagelog_segment::{Directory, Position, Segments, SegmentsOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let place = tempfile::tempdir()?;
//! let directory = Arc::new(Directory::open(place.path().join("data"))?);
//! let segments = Segments::open(directory, SegmentsOptions::of_size(1 << 20))?;
//!
//! // The directory is new: the first segment begins at position 0.
//! segments.start_ahead(Position(0))?;
//! segments.wait_next(Duration::from_secs(60))?;
//! let first = segments.take_next()?;
//! assert_eq!((first.base(), first.end()), (Position(0), Position(1 << 20)));
//!
//! first.file().write_at(100, b"some bytes")?;
//! first.file().sync_data()?;
//! let found = segments.find(Position(100)).ok_or("not found")?;
//! let mut read = [0; 10];
//! found.view().mapping().copy_out(100, &mut read)?;
//! assert_eq!(&read, b"some bytes");
//! # Ok(())
//! # }
//! ```

mod ahead;
mod aside;
mod directory;
mod disk_file;
mod front;
mod name;
mod options;
mod position;
mod prewrite;
mod read_only;
mod run;
mod segment;
mod segments;
mod spares;
mod storage;
mod warm;

pub use ahead::NextError;
pub use directory::{Directory, DirectoryError, LOCK_NAME};
pub use name::{base_of, file_name, new_file_name, old_file_name};
pub use options::SegmentsOptions;
pub use pagelog_os::{MappedFile, Mapping};
pub use pagelog_page_cache::{Budget, PinAhead, Progress, State};
pub use position::Position;
pub use read_only::{Holder, ReadOnlyDirectory};
pub use run::{Broken, OpenError, Run, open_segment};
pub use segment::Segment;
pub use segments::{RemoveError, Segments};
pub use storage::{Storage, StorageFile};
pub use warm::WarmAhead;
