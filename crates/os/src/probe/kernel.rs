//! What the kernel and the limits of this process allow.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use super::{Bytes, Support};
use crate::{Mapping, Populate, PopulateError, limits, page_size};

/// The size of `struct io_uring_params` in 64-bit words; all of it zeros asks for nothing special.
const URING_PARAMETERS_WORDS: usize = 15;

/// The kernel, and what this process may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// As `uname -r` says it.
    pub release: String,
    /// The size of a page in bytes.
    pub page_size: usize,
    /// [`limits::memory_lock`], in bytes.
    pub memory_lock_limit: Option<u64>,
    /// [`limits::cgroup_memory`], in bytes.
    pub cgroup_memory_limit: Option<u64>,
    /// [`Mapping::populate`], Linux 5.14.
    pub populate: Support,
    /// [`Mapping::lock_on_fault`] of one page, Linux 4.4.
    pub lock_on_fault: Support,
    /// `io_uring_setup`: refused where a filter or `kernel.io_uring_disabled` says no.
    pub io_uring: Support,
}

impl Kernel {
    /// Tries each once. Nothing stays behind.
    #[must_use]
    pub fn probe() -> Kernel {
        Kernel {
            release: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            page_size: page_size(),
            memory_lock_limit: limits::memory_lock(),
            cgroup_memory_limit: limits::cgroup_memory().ok().flatten(),
            populate: populate_a_page(),
            lock_on_fault: Support::of(&lock_a_page()),
            io_uring: Support::of(&set_up_a_ring()),
        }
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "kernel                 {}", self.release)?;
        writeln!(formatter, "page                   {} bytes", self.page_size)?;
        let lock = Bytes(self.memory_lock_limit, "no limit");
        writeln!(formatter, "may be locked          {lock}")?;
        let memory = Bytes(self.cgroup_memory_limit, "no limit");
        writeln!(formatter, "memory of the cgroup   {memory}")?;
        writeln!(formatter, "populate               {}", self.populate)?;
        writeln!(formatter, "lock on fault          {}", self.lock_on_fault)?;
        write!(formatter, "io_uring               {}", self.io_uring)
    }
}

fn populate_a_page() -> Support {
    let Ok(memory) = Mapping::anonymous(page_size()) else {
        return Support::Unknown;
    };
    match memory.populate(0..page_size(), Populate::Write) {
        Ok(()) => Support::Works,
        Err(PopulateError::Unsupported) => Support::Refused(libc::ENOSYS),
        Err(PopulateError::Io(error)) => Support::of::<()>(&Err(error)),
    }
}

fn lock_a_page() -> io::Result<()> {
    let memory = Mapping::anonymous(page_size())?;
    memory
        .lock_on_fault(0..page_size())
        .map_err(|refused| refused.error)
}

/// `int io_uring_setup(unsigned int entries, struct io_uring_params *)`: a ring of one entry, closed at once.
fn set_up_a_ring() -> io::Result<()> {
    let mut parameters = [0_u64; URING_PARAMETERS_WORDS];
    // SAFETY: the place is as large as the structure that the call reads and fills.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, parameters.as_mut_ptr()) };
    match RawFd::try_from(result) {
        Ok(descriptor) if descriptor >= 0 => {
            // SAFETY: the call has just made this descriptor, and nobody else knows it.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
            Ok(())
        }
        _ => Err(io::Error::last_os_error()),
    }
}
