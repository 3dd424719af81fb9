//! Files around the page cache: `O_DIRECT`.
//!
//! The disk reads into and writes from the caller's memory itself, so place, size and memory must be
//! aligned as the file asks; [`BufferPool`](crate::BufferPool) has such memory. What is read this way evicts
//! nothing, and is never found in the page cache the next time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{AtFlags, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::file;

/// What is assumed where the kernel does not tell (before Linux 6.1): enough for every disk of today.
const ALIGNMENT_UNTOLD: u32 = 4096;

/// What a [`DirectFile`] is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectAccess {
    /// Reading alone.
    Read,
    /// Reading and writing; the file is created when there is none.
    ReadWrite,
}

/// What places, sizes and memory must be multiples of, in bytes; powers of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alignment {
    /// Of places in the file and of sizes.
    pub offset: u32,
    /// Of addresses of memory.
    pub memory: u32,
}

/// Why direct input or output was not done.
#[derive(Debug, thiserror::Error)]
pub enum DirectError {
    /// The file system does not have it.
    #[error("the file system has no direct input and output: read through the page cache")]
    Unsupported,
    /// A place, a size or an address is not aligned.
    #[error(
        "the {what} {value} is not a multiple of {alignment}, which direct input and output asks for"
    )]
    Misaligned {
        /// `place`, `size` or `address`.
        what: &'static str,
        /// Its value.
        value: u64,
        /// What it must be a multiple of.
        alignment: u32,
    },
    /// The call failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file that is open with `O_DIRECT`.
///
/// The kernel keeps direct and cached access to one file in step as well as it can; with stores through a
/// mapping it cannot. Neither is a direct write durable: sync as ever.
#[derive(Debug)]
pub struct DirectFile {
    file: File,
    alignment: Alignment,
}

impl DirectFile {
    /// `int open(const char *path, O_DIRECT | …)`, and `statx(…, STATX_DIOALIGN, …)` for the alignment.
    ///
    /// Differs from the call in that a file system without direct I/O is a case of its own, and that what the kernel does not tell
    /// of alignment (before Linux 6.1) is taken for 4096 bytes.
    ///
    /// Safe, since no memory is handed over.
    ///
    /// # Errors
    ///
    /// [`DirectError::Unsupported`] (`EINVAL`, or the kernel says so); what the calls give. man 2 open,
    /// man 2 statx.
    pub fn open(path: &Path, access: DirectAccess) -> Result<DirectFile, DirectError> {
        let write = access == DirectAccess::ReadWrite;
        let flags = OFlags::DIRECT.bits().cast_signed();
        let opened = OpenOptions::new()
            .read(true)
            .write(write)
            .create(write)
            .custom_flags(flags)
            .open(path);
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                return Err(DirectError::Unsupported);
            }
            result => result?,
        };
        let alignment = alignment(&file)?;
        Ok(DirectFile { file, alignment })
    }

    /// What to align to.
    #[must_use]
    pub fn alignment(&self) -> Alignment {
        self.alignment
    }

    /// The open file, for syncs and sizes.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// `ssize_t pread(int fd, void *into, size_t size, off_t at)` around the page cache. The count may be less than asked; it is
    /// not aligned only at the file's end, and 0 there.
    ///
    /// Differs from the call in that what is not aligned is refused before it, by name.
    ///
    /// Safe, since the kernel fills a slice that is borrowed alone until it is done.
    ///
    /// # Errors
    ///
    /// [`DirectError`]; alignment is checked before the call. man 2 open, O_DIRECT.
    pub fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize, DirectError> {
        self.check(at, into)?;
        Ok(file::read_at(&self.file, at, into)?)
    }

    /// `ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)` around the page cache. The count may be less than asked.
    ///
    /// Differs from the call in that what is not aligned is refused before it, by name.
    ///
    /// Safe, since the kernel reads a slice that is borrowed until it is done.
    ///
    /// # Errors
    ///
    /// [`DirectError`]; alignment is checked before the call. man 2 open, O_DIRECT.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> Result<usize, DirectError> {
        self.check(at, bytes)?;
        Ok(file::write_at(&self.file, at, bytes)?)
    }

    fn check(&self, at: u64, memory: &[u8]) -> Result<(), DirectError> {
        let Alignment {
            offset,
            memory: of_memory,
        } = self.alignment;
        check_multiple("place", at, offset)?;
        check_multiple("size", memory.len() as u64, offset)?;
        check_multiple("address", memory.as_ptr().addr() as u64, of_memory)
    }
}

fn check_multiple(what: &'static str, value: u64, alignment: u32) -> Result<(), DirectError> {
    if value.is_multiple_of(u64::from(alignment)) {
        return Ok(());
    }
    Err(DirectError::Misaligned {
        what,
        value,
        alignment,
    })
}

pub(crate) fn alignment(file: &File) -> Result<Alignment, DirectError> {
    let untold = Alignment {
        offset: ALIGNMENT_UNTOLD,
        memory: ALIGNMENT_UNTOLD,
    };
    let status = match rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) {
        Err(Errno::NOSYS) => return Ok(untold),
        result => result.map_err(io::Error::from)?,
    };
    if status.stx_mask & StatxFlags::DIOALIGN.bits() == 0 {
        return Ok(untold);
    }
    match (status.stx_dio_offset_align, status.stx_dio_mem_align) {
        (0, _) | (_, 0) => Err(DirectError::Unsupported),
        (offset, memory) => Ok(Alignment { offset, memory }),
    }
}
