//! Pages that stay: `mlock` and `munlock`, with a refusal that names its limit.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::Range;

use rustix::io::Errno;
use rustix::mm::MlockFlags;
use rustix::process::{Resource, getrlimit};

use crate::Mapping;

/// `mlock` was refused: the pages may be evicted as before. Not fatal; the message says the remedy.
#[derive(Debug, thiserror::Error)]
pub struct LockRefused {
    /// The bytes that were to be locked by this call.
    pub size: usize,
    /// What this process may lock in all, in bytes (the soft `RLIMIT_MEMLOCK`); `None`: no limit.
    pub limit: Option<u64>,
    /// What the kernel said.
    #[source]
    pub error: io::Error,
}

impl fmt::Display for LockRefused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockRefused { size, limit, error } = self;
        write!(
            formatter,
            "locking {size} bytes of memory was refused ({error}); "
        )?;
        match limit {
            _ if error.raw_os_error() == Some(Errno::NOSYS.raw_os_error()) => write!(
                formatter,
                "this kernel does not have the call: lock without waiting for the first use"
            ),
            Some(limit) => write!(
                formatter,
                "the limit of this process is {limit} bytes in all (RLIMIT_MEMLOCK): raise it by \
                 `ulimit -l`, systemd's LimitMEMLOCK= or Docker's --ulimit memlock=-1"
            ),
            None => write!(
                formatter,
                "no limit is set (RLIMIT_MEMLOCK): memory is short"
            ),
        }
    }
}

fn refused(size: usize, error: Errno) -> LockRefused {
    LockRefused {
        size,
        limit: getrlimit(Resource::Memlock).current,
        error: error.into(),
    }
}

impl Mapping {
    /// `int mlock(const void *address, size_t size)`: reads in every page that `range` touches and
    /// keeps it in memory.
    ///
    /// Differs from the call in that a refusal carries the limit that was in force. A cgroup's
    /// memory limit refuses nothing, it kills: stay well below it.
    ///
    /// Safe, since locking changes no byte.
    ///
    /// # Errors
    ///
    /// [`LockRefused`]: `ENOMEM` or `EPERM` past `RLIMIT_MEMLOCK`, `EAGAIN` when some page could not
    /// be had. man 2 mlock.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn lock(&self, range: Range<usize>) -> Result<(), LockRefused> {
        let pages = self.pages(&range);
        let address = self.address().wrapping_add(pages.start).cast();
        // SAFETY: the pages lie in this mapping; locking changes no byte of them.
        let result = unsafe { rustix::mm::mlock(address, pages.len()) };
        result.map_err(|error| refused(pages.len(), error))
    }

    /// `int mlock2(const void *address, size_t size, MLOCK_ONFAULT)`: keeps every page that `range`
    /// touches in memory from its first use on, and reads none in now.
    ///
    /// Differs from the call as [`Mapping::lock`] does. The whole range counts against the limit at
    /// once, used or not.
    ///
    /// Safe, since locking changes no byte.
    ///
    /// # Errors
    ///
    /// As [`Mapping::lock`]; `ENOSYS` on kernels before 4.4. man 2 mlock2.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn lock_on_fault(&self, range: Range<usize>) -> Result<(), LockRefused> {
        let pages = self.pages(&range);
        let address = self.address().wrapping_add(pages.start).cast();
        // SAFETY: the pages lie in this mapping; locking changes no byte of them.
        let result = unsafe { rustix::mm::mlock_with(address, pages.len(), MlockFlags::ONFAULT) };
        result.map_err(|error| refused(pages.len(), error))
    }

    /// `int munlock(const void *address, size_t size)`: lets the pages that `range` touches be
    /// evicted again. A page is locked once however often it was locked.
    ///
    /// Differs from the call in that the range need not begin on a page.
    ///
    /// Safe, since unlocking changes no byte.
    ///
    /// # Errors
    ///
    /// What the call gives. man 2 mlock.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    pub fn unlock(&self, range: Range<usize>) -> io::Result<()> {
        let pages = self.pages(&range);
        let address = self.address().wrapping_add(pages.start).cast();
        // SAFETY: the pages lie in this mapping; unlocking changes no byte of them.
        let result = unsafe { rustix::mm::munlock(address, pages.len()) };
        result.map_err(io::Error::from)
    }
}
