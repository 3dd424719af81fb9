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
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::slice;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicU64, fence};

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use rustix::fs::MemfdFlags;

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
    AnonymousShared,
    Private,
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
    /// Differs from the call in that a size of zero is allowed.
    ///
    /// Safe, since nobody else knows the memory, and it goes with the value.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the address space or the kernel's overcommit limit does not allow it.
    /// man 2 mmap.
    pub fn anonymous(size: usize) -> io::Result<Mapping> {
        let memory = MmapMut::map_anon(size)?;
        Ok(Mapping::new(memory.into(), Kind::Anonymous))
    }

    /// `memfd_create(name, MFD_CLOEXEC)`, `ftruncate` and `mmap(…, MAP_SHARED, fd, 0)`: memory without a
    /// file's name, all zeros, that a child process made by `fork` shares.
    ///
    /// Differs from `MAP_SHARED | MAP_ANONYMOUS` in nothing but the two calls it takes: the kernel
    /// backs both by a nameless file of its own. `size` in bytes; zero is allowed.
    ///
    /// Safe, since the memory is reached by atomics alone, whoever else has it, and its file is nobody else's to cut.
    ///
    /// # Errors
    ///
    /// `ENOSYS` on kernels before 3.17, `ENOMEM`, `EMFILE`. man 2 memfd_create.
    pub fn anonymous_shared(size: usize) -> io::Result<Mapping> {
        let file = File::from(rustix::fs::memfd_create("pagelog", MemfdFlags::CLOEXEC)?);
        file.set_len(size as u64)?;
        guard::install()?;
        let memory = MmapOptions::new().len(size).map_raw(&file)?;
        Ok(Mapping::new(memory, Kind::AnonymousShared))
    }

    /// `mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0)`: the first `size` bytes of
    /// `file`, which is open for reading; what is copied in stays in this process and never reaches
    /// the file.
    ///
    /// Differs from the call as [`Mapping::shared`] does. Whether a page that was not copied into
    /// shows later writes to the file is not said by POSIX; on Linux it does.
    ///
    /// Safe, since the memory is reached by atomics alone, and a page that is not there is an error.
    ///
    /// # Errors
    ///
    /// As [`Mapping::shared`]. man 2 mmap.
    pub fn private(file: &File, size: usize) -> io::Result<Mapping> {
        check_size(file, size)?;
        guard::install()?;
        let mut options = MmapOptions::new();
        // SAFETY: the memory is never lent as a slice; it becomes raw at once, and whoever changes the
        // file changes words that are read as atomics only.
        let memory = unsafe { options.len(size).map_copy(file) }?;
        Ok(Mapping::new(memory.into(), Kind::Private))
    }

    /// `mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)`: the first `size` bytes of
    /// `file`, which is open for reading and writing; what is copied in is the file's at once.
    ///
    /// Differs from the call in that a file shorter than `size` is refused, and that the process
    /// gets a handler for `SIGBUS`, which answers a fault in a copy by [`MemoryFault`] and passes
    /// any other on. A file that is truncated later is met that way. A store may still need a block
    /// that the disk does not have: allocate the file in full before mapping it.
    ///
    /// Safe, since the memory is reached by atomics alone, whoever else writes the file, and a page that is not there is an error.
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
    /// Differs from the call as [`Mapping::shared`] does.
    ///
    /// Safe, as that is: nothing is ever stored.
    ///
    /// # Errors
    ///
    /// As [`Mapping::shared`]. man 2 mmap.
    pub fn shared_read_only(file: &File, size: usize) -> io::Result<Mapping> {
        check_size(file, size)?;
        guard::install()?;
        let memory = MmapOptions::new().len(size).map_raw_read_only(file)?;
        Ok(Mapping::new(memory, Kind::SharedReadOnly))
    }

    /// As [`Mapping::shared`], also past the end of the file: who copies there has made the file long
    /// enough before, or meets [`MemoryFault`].
    pub(crate) fn shared_ahead(file: &File, size: usize) -> io::Result<Mapping> {
        guard::install()?;
        let memory = MmapOptions::new().len(size).map_raw(file)?;
        Ok(Mapping::new(memory, Kind::Shared))
    }

    /// As [`Mapping::anonymous`], with `MAP_NORESERVE`: address space that costs memory only where it
    /// is copied into, and is not counted against the overcommit limit.
    pub(crate) fn anonymous_ahead(size: usize) -> io::Result<Mapping> {
        let memory = MmapOptions::new().len(size).no_reserve_swap().map_anon()?;
        Ok(Mapping::new(memory.into(), Kind::Anonymous))
    }

    /// `int munmap(void *address, size_t size)`: gives the memory back now, and says how it went.
    ///
    /// Dropping does the same and cannot say. Pages of a file that were changed stay in the page
    /// cache and reach the disk as ever.
    ///
    /// Differs from the call in that it is the whole of the mapping that goes.
    ///
    /// Safe, since the value ends with it, and nothing borrows from it.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when the kernel's count of mappings is at its limit and this one had to be cut out of
    /// a larger one; then it stays mapped, for good. man 2 munmap.
    pub fn unmap(self) -> io::Result<()> {
        // Not dropped: that would unmap what someone else may have mapped there in the meantime.
        let memory = ManuallyDrop::new(self.memory);
        // An empty mapping takes a page all the same.
        let size = memory.len().max(1);
        // SAFETY: this is the whole of a mapping that `self` owned, nothing borrows it, and its owner
        // is not dropped.
        let result = unsafe { rustix::mm::munmap(memory.as_mut_ptr().cast(), size) };
        result.map_err(io::Error::from)
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
        self.check_writable();
        self.guarded(|| words::copy_in(self.words(), at, bytes))
    }

    /// As [`Mapping::copy_in`], and leaves the processor's caches as they are, where it can: for bytes that this process
    /// does not read again soon.
    ///
    /// Whole lines go straight to the memory (`vmovntdq` on x86-64 with AVX) and need not be read from there before. What is copied is in
    /// order with all that is stored later, as with `copy_in`: a fence (`sfence`) at the end waits until the last line has been taken in,
    /// about as long as a copy of 1 KiB takes. So it pays for many KiB.
    ///
    /// # Errors
    ///
    /// As [`Mapping::copy_in`].
    ///
    /// # Panics
    ///
    /// As [`Mapping::copy_in`].
    #[inline]
    pub fn copy_in_past_caches(&self, at: usize, bytes: &[u8]) -> Result<(), MemoryFault> {
        self.check(at, bytes.len());
        self.check_writable();
        self.guarded(|| words::copy_in_past_caches(self.words(), at, bytes))
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
    pub(crate) fn guarded(&self, copy: impl FnOnce()) -> Result<(), MemoryFault> {
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
    pub(crate) fn words(&self) -> &[AtomicU64] {
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

    /// Panics when nothing can be copied in.
    #[inline]
    pub(crate) fn check_writable(&self) {
        let writable = self.kind != Kind::SharedReadOnly;
        assert!(writable, "a copy into a read-only mapping");
    }

    /// Panics when `range` is reversed or lies outside the mapping.
    pub(crate) fn check_range(&self, range: &Range<usize>) {
        assert!(range.start <= range.end, "the range {range:?} is reversed");
        self.check(range.start, range.end - range.start);
    }

    /// The whole pages that `range` touches; none when it is empty.
    pub(crate) fn pages(&self, range: &Range<usize>) -> Range<usize> {
        self.check_range(range);
        let page_size = crate::page_size();
        let start = range.start / page_size * page_size;
        if range.is_empty() {
            return start..start;
        }
        start..range.end.next_multiple_of(page_size)
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
