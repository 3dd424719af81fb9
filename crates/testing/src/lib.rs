//! Faulty storage, crash images and seeded randomness for Pagelog's tests (a dev-dependency, never part of the broker).
//!
//! [`MemoryStorage`] stands where [`pagelog_segment::Directory`] stands in the broker. Its files are real files in memory
//! (`memfd_create(2)`), so mappings, views, `sendfile` and `pread` see one and the same content. Beside each file lies its
//! *durable image*: what the platter would hold. A sync moves bytes from the first to the second, and nothing else does for
//! certain; [`MemoryStorage::crash`] mixes the two the way a power cut may.
//!
//! ```
//! use pagelog_segment::Storage;
//! use pagelog_testing::MemoryStorage;
//!
//! let storage = MemoryStorage::new(1);
//! let file = storage.create("a", 4096)?;
//! storage.sync_directory()?;
//! file.write_at(0, b"kept")?;
//! file.sync_data()?;
//! file.write_at(0, b"lost")?;
//!
//! let mut bytes = [0; 4];
//! storage.freeze().power_cut_losing_all().open("a")?.read_at(0, &mut bytes)?;
//! assert_eq!(&bytes, b"kept");
//! # Ok::<(), std::io::Error>(())
//! ```

mod arriving;
mod counting;
mod disk;
mod failing_disk;
mod faults;
mod freeze;
mod image;
mod memory;
mod names;
mod random;

pub use arriving::Arriving;
pub use counting::{Counting, Counts};
pub use disk::{PAGE_SIZE, SECTOR_SIZE};
pub use failing_disk::FailingDisk;
pub use faults::{Fault, Operation};
pub use freeze::{Frozen, Marks};
pub use image::Image;
pub use memory::MemoryStorage;
pub use random::{Random, seed};
pub use rustix::io::Errno;
