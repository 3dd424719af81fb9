//! Memory that others may change: mapped files and anonymous regions.
//!
//! A [`Mapping`] never lends its bytes; they are copied in and out (see `words`), and a fault in a
//! file mapping becomes an error (see `guard`).
//!
//! # Safety
//!
//! The memory stays mapped for the life of the value, and is reached only as a slice of
//! `AtomicU64`, which allows any number of threads, and the kernel, to change it at any time.
#![allow(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64, fence};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use crate::guard::{self, Watch};
use crate::words::{self, WORD};

/// A region of memory, mapped from a file or anonymous, that lends no slice of itself.
///
/// All methods take `&self`: two threads may copy at once, also to the same bytes. Which of two
/// copies of the same bytes wins is then open for each aligned word of eight bytes by itself;
/// whoever wants more orders them by other means. Copies order nothing: publish by a release store
/// of your own, after [`Mapping::copy_in`].
///
/// Invariant: once a copy has met a fault, every later use of this mapping's bytes is refused with
/// [`MemoryFault`], because the page that faulted is no longer the file's.
pub struct Mapping {
    memory: MmapRaw,
    kind: Kind,
    faulted: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anonymous,
    Shared,
    SharedReadOnly,
}

/// The kernel could not provide a page of a file mapping: the file is shorter than the mapping, or
/// its storage could not be read. What was copied in is lost, what was copied out is not the
/// file's, and the mapping is of no more use; a read through the descriptor tells the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a mapped page could not be provided (SIGBUS): the file was cut short under the mapping, or its \
     storage failed; read it through its descriptor to learn which"
)]
pub struct MemoryFault;

impl From<MemoryFault> for io::Error {
    /// As an I/O error of kind `Other` that carries the fault.
    fn from(fault: MemoryFault) -> io::Error {
        io::Error::other(fault)
    }
}

impl Mapping {
    /// `mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)`: memory of
    /// this process alone, all zeros.
    ///
    /// `size` in bytes; zero is allowed and gives an empty mapping.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the address space or the kernel's overcommit limit does not allow it.
    /// man 2 mmap.
    pub fn anonymous(size: usize) -> io::Result<Mapping> {
        let memory = MmapMut::map_anon(size)?;
        Ok(Mapping::new(memory.into(), Kind::Anonymous))
    }

    /// `mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)`: the first `size` bytes of
    /// `file`, which is open for reading and writing; what is copied in is the file's at once.
    ///
    /// Differs from the call in that a file shorter than `size` is refused, and that the process
    /// gets a handler for `SIGBUS`, which answers a fault in a copy by [`MemoryFault`] and passes
    /// any other on. A file that is truncated later is met that way. A store may still need a block
    /// that the disk does not have: allocate the file in full before mapping it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the file is shorter than `size`; what `mmap`, `fstat` and `sigaction`
    /// give. man 2 mmap.
    pub fn shared(file: &File, size: usize) -> io::Result<Mapping> {
        check_size(file, size)?;
        guard::install()?;
        let memory = MmapOptions::new().len(size).map_raw(file)?;
        Ok(Mapping::new(memory, Kind::Shared))
    }

    /// `mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0)`: as [`Mapping::shared`] for a file that is
    /// open for reading; nothing can be copied in.
    ///
    /// # Errors
    ///
    /// As [`Mapping::shared`].
    pub fn shared_read_only(file: &File, size: usize) -> io::Result<Mapping> {
        check_size(file, size)?;
        guard::install()?;
        let memory = MmapOptions::new().len(size).map_raw_read_only(file)?;
        Ok(Mapping::new(memory, Kind::SharedReadOnly))
    }

    fn new(memory: MmapRaw, kind: Kind) -> Mapping {
        Mapping {
            memory,
            kind,
            faulted: AtomicBool::new(false),
        }
    }

    /// The size in bytes, as it was asked for.
    #[must_use]
    pub fn size(&self) -> usize {
        self.memory.len()
    }

    /// Copies `bytes` to byte `at`: relaxed stores, see [`Mapping`] for their order.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] when a page of a file mapping could not be provided, now or earlier; then
    /// nothing is known of what reached the file.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping, or the mapping is read-only.
    #[inline]
    pub fn copy_in(&self, at: usize, bytes: &[u8]) -> Result<(), MemoryFault> {
        self.check(at, bytes.len());
        assert!(
            self.kind != Kind::SharedReadOnly,
            "a copy into a read-only mapping"
        );
        self.guarded(|| words::copy_in(self.words(), at, bytes))
    }

    /// Fills `into` from byte `at`: relaxed loads, see [`Mapping`] for their order.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] when a page of a file mapping could not be provided, now or earlier; then
    /// nothing is known of what `into` holds.
    ///
    /// # Panics
    ///
    /// When the range lies outside the mapping.
    #[inline]
    pub fn copy_out(&self, at: usize, into: &mut [u8]) -> Result<(), MemoryFault> {
        self.check(at, into.len());
        self.guarded(|| words::copy_out(self.words(), at, into))
    }

    /// Whether a copy has met a fault; it never becomes false again.
    ///
    /// # Errors
    ///
    /// [`MemoryFault`] when one has.
    #[inline]
    pub fn check_fault(&self) -> Result<(), MemoryFault> {
        // After the copy's loads, and ordered behind them: a page that was put in the place of a
        // bad one is seen only after its mark.
        fence(Acquire);
        if self.faulted.load(Relaxed) {
            Err(MemoryFault)
        } else {
            Ok(())
        }
    }

    /// Runs a copy, watched when the memory is a file's.
    #[inline]
    fn guarded(&self, copy: impl FnOnce()) -> Result<(), MemoryFault> {
        if self.kind == Kind::Anonymous {
            copy();
            return Ok(());
        }
        let begin = self.memory.as_ptr().addr();
        let watch = Watch::begin(&(begin..begin + self.size()), &self.faulted);
        copy();
        drop(watch);
        self.check_fault()
    }

    /// The memory as words. The last one may reach past the size, but not past the last page, which
    /// is mapped as a whole.
    #[inline]
    fn words(&self) -> &[AtomicU64] {
        let count = self.size().div_ceil(WORD);
        let begin = self.memory.as_ptr().cast::<AtomicU64>();
        // SAFETY: the mapping begins on a page boundary, is initialised by the kernel, reaches to
        // the end of its last page and lives as long as `self`. Atomics may change behind a shared
        // reference. Read-only memory is only ever loaded from, by relaxed loads of a word, which
        // `std::sync::atomic` allows there.
        unsafe { slice::from_raw_parts(begin, count) }
    }

    /// The address of the first byte, for calls that take one.
    pub(crate) fn address(&self) -> *mut u8 {
        self.memory.as_mut_ptr()
    }

    pub(crate) fn memory(&self) -> &MmapRaw {
        &self.memory
    }

    #[inline]
    fn check(&self, at: usize, size: usize) {
        let fits = self.size().checked_sub(at).is_some_and(|rest| size <= rest);
        assert!(fits, "{size} bytes at {at} of a mapping of {}", self.size());
    }

    /// Panics when `range` is reversed or lies outside the mapping.
    pub(crate) fn check_range(&self, range: &Range<usize>) {
        assert!(range.start <= range.end, "the range {range:?} is reversed");
        self.check(range.start, range.end - range.start);
    }

    /// The whole pages that `range` touches, within the mapping.
    pub(crate) fn pages(&self, range: &Range<usize>) -> Range<usize> {
        self.check_range(range);
        let page_size = crate::page_size();
        let start = range.start / page_size * page_size;
        start..range.end.next_multiple_of(page_size).max(start)
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Mapping")
            .field("kind", &self.kind)
            .field("size", &self.size())
            .field("faulted", &self.faulted)
            .finish()
    }
}

fn check_size(file: &File, size: usize) -> io::Result<()> {
    let file_size = file.metadata()?.len();
    if u64::try_from(size).is_ok_and(|size| size <= file_size) {
        return Ok(());
    }
    let text = format!("a mapping of {size} bytes of a file that has {file_size}");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}
