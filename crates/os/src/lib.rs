//! Operating-system primitives of Pagelog: mappings, files, sends; the only crate with unsafe code.
//!
//! One small safe function per call: borrowed descriptors and slices in, values out. The crate
//! knows no policy: it never retries beyond `EINTR`, never loops over short transfers unless the
//! name says so, starts no thread and logs nothing. Each function's text names the C call, how it
//! differs from it, why it is safe, its errors and the manual page.
//!
//! The heart is [`Mapping`]. It never lends a slice of its memory, because a kernel, another
//! thread or another process may change that memory while the slice lives. Bytes are copied in and
//! out by relaxed atomic words instead, so that no use of it is a data race, and under a guard that
//! turns `SIGBUS` (the file was cut short, a sector is bad) into a [`MemoryFault`].
//!
//! ```
//! use pagelog_os::{Advice, Mapping, file};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let storage = tempfile::tempfile()?;
//! file::allocate(&storage, 1 << 20)?;
//! let memory = Mapping::shared(&storage, 1 << 20)?;
//! memory.advise(0..memory.size(), Advice::Random)?;
//! memory.copy_in(4_096, b"kept in the page cache")?;
//! file::sync_data(&storage)?;
//!
//! let mut read = [0; 22];
//! file::read_exact_at(&storage, 4_096, &mut read)?;
//! assert_eq!(&read, b"kept in the page cache");
//! # Ok(())
//! # }
//! ```

mod advice;
mod allocations;
mod buffer_pool;
pub mod cache;
mod direct;
mod fetch_ring;
pub mod file;
pub mod filter;
mod fold;
mod force;
pub mod futex;
mod gather;
mod growing;
mod guard;
pub mod limits;
mod lock;
mod mapped_file;
mod mapping;
mod pipe;
pub mod probe;
pub mod process;
pub mod receive;
mod residency;
pub mod send;
mod space;
mod touch;
pub mod uring;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod wide;
mod words;
pub mod zero_copy;

pub use advice::{Advice, Populate, PopulateError};
pub use allocations::{Allocations, CountingAllocator};
pub use buffer_pool::{Buffer, BufferPool, PoolExhausted};
pub use direct::{Alignment, DirectAccess, DirectError, DirectFile};
pub use fetch_ring::{FetchRing, Fetched};
pub use fold::{FOLD_SIZE, can_fold};
pub use force::Force;
pub use growing::{GrowError, Grower, Growing};
pub use lock::LockRefused;
pub use mapped_file::MappedFile;
pub use mapping::{Mapping, MemoryFault};
pub use pipe::Pipe;
pub use space::Space;
pub use touch::Touch;

/// `long sysconf(_SC_PAGESIZE)`: the size of a page of memory in bytes, as the kernel counts it; a power of two.
///
/// Differs from the call in that it is made once, and cannot fail.
///
/// Safe, since no memory is handed over. man 3 sysconf.
#[must_use]
pub fn page_size() -> usize {
    rustix::param::page_size()
}
