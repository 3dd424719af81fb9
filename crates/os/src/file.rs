//! Files: allocate, read and write at a place, gather, sync, find data, lock, advise.
//!
//! Each function is one call. What may transfer less than asked says so and returns the count; only
//! [`read_exact_at`] loops.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, FlockOperation, IFlags, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::{Mapping, gather};

/// Gathered writes of a ring have one piece, or two where it begins again.
const PIECES_FEW: usize = 8;

/// The file is locked by someone else, or could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another open file, of this process or another, holds the lock.
    #[error("the file is locked by another opener")]
    Held,
    /// The file system does not lock, or the call failed.
    #[error("the file cannot be locked: {0}")]
    Io(#[source] io::Error),
}

/// How a file's bytes will be read, for [`advise`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAdvice {
    /// `POSIX_FADV_NORMAL`: the kernel reads ahead as it sees fit.
    Normal,
    /// `POSIX_FADV_SEQUENTIAL`: read ahead twice as far. Holds for the whole open file.
    Sequential,
    /// `POSIX_FADV_RANDOM`: no read-ahead. Holds for the whole open file.
    Random,
    /// `POSIX_FADV_WILLNEED`: start reading the range into the page cache now, without waiting.
    WillNeed,
    /// `POSIX_FADV_DONTNEED`: drop the range's clean, unmapped whole pages from the page cache.
    DontNeed,
}

/// `int fallocate(int fd, 0, 0, off_t size)`: gives the file blocks for its first `size` bytes, and
/// at least that size; new blocks read as zeros.
///
/// A later write or store below `size` then needs no block on file systems that overwrite in
/// place. Durable only after a sync.
///
/// Differs from the call in that blocks are given from the beginning of the file on, and a signal does not end it.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `ENOSPC` when the disk cannot hold it (some blocks may have been given all the same);
/// `EOPNOTSUPP` when the file system cannot. man 2 fallocate.
pub fn allocate(file: &File, size: u64) -> io::Result<()> {
    retry(|| rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size))
}

/// `int ioctl(int fd, FS_IOC_SETFLAGS, int *)` with `FS_NOCOW_FL` instead of `FS_COMPR_FL` beside the other flags that it has: has a
/// file that is still empty overwritten where it lies, on file systems that would write each change to a new place (Btrfs). Whether it
/// will be by this mark.
///
/// `false` where the file system knows no such mark, which on most means that nothing else is done anyway, or takes it no more since
/// the file holds something. A marked file has no checksums of the file system's, and is not compressed. man 2 `ioctl_iflags`.
///
/// Differs from the call in that it asks for the flags before and after, and that a refusal is an answer and no error.
///
/// Safe, since no memory is handed over but a number.
pub fn overwrite_in_place(empty: &File) -> bool {
    let marked = mark(empty).and_then(|()| rustix::fs::ioctl_getflags(empty));
    // A file that holds something may keep the mark and go on as before.
    let is_empty = empty.metadata().is_ok_and(|status| status.len() == 0);
    is_empty && marked.is_ok_and(|flags| flags.contains(IFlags::NOCOW))
}

fn mark(empty: &File) -> rustix::io::Result<()> {
    let mut flags = rustix::fs::ioctl_getflags(empty)?;
    if flags.contains(IFlags::COMPRESSED) {
        // Of the directory; one mark excludes the other, so this one has to go first.
        flags -= IFlags::COMPRESSED;
        rustix::fs::ioctl_setflags(empty, flags)?;
    }
    rustix::fs::ioctl_setflags(empty, flags | IFlags::NOCOW)
}

/// `ssize_t pread(int fd, void *into, size_t size, off_t at)`: reads at byte `at`; the count may
/// be less than asked, and is 0 at the end of the file only.
///
/// Differs from the call in that it begins again when a signal interrupted it.
///
/// Safe, since the kernel fills a slice that is borrowed alone.
///
/// # Errors
///
/// `EIO` for a bad sector, and what else the call gives. man 2 pread.
pub fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    retry(|| rustix::io::pread(file, &mut *into, at))
}

/// As [`read_at`], repeated until `into` is full.
///
/// # Errors
///
/// `UnexpectedEof` when the file ends before; what the call gives.
pub fn read_exact_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(into, at)
}

/// `ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)`: writes at byte `at`; the
/// count may be less than asked. In the page cache after, not on the disk.
///
/// Differs from the call in that it begins again when a signal interrupted it.
///
/// Safe, since the kernel reads a slice that is borrowed.
///
/// # Errors
///
/// `ENOSPC`, `EDQUOT`, `EFBIG`, `EIO`. man 2 pwrite.
pub fn write_at(file: &File, at: u64, bytes: &[u8]) -> io::Result<usize> {
    retry(|| rustix::io::pwrite(file, bytes, at))
}

/// `ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at)`: writes `ranges` of
/// `memory`, one behind the other, at byte `at`. The count may be less than their sum.
///
/// Differs from the call in that only the first 1024 ranges are written, the most the kernel takes.
///
/// Safe, since the ranges lie in a mapping that is borrowed; what changes meanwhile is written as it was or as it is.
///
/// # Errors
///
/// As [`write_at`]; `EFAULT` when memory could not be read; [`crate::MemoryFault`] when the mapping
/// has faulted. man 2 pwritev.
///
/// # Panics
///
/// When a range lies outside the mapping.
pub fn write_gather_at(
    file: &File,
    at: u64,
    memory: &Mapping,
    ranges: &[Range<usize>],
) -> io::Result<usize> {
    let place = libc::off_t::try_from(at).map_err(|_| Errno::INVAL)?;
    // A list as long as most are takes nothing from the heap.
    let mut few = [gather::of_bytes(&[]); PIECES_FEW];
    let many: Vec<libc::iovec>;
    let pieces: &[libc::iovec] = match few.get_mut(..ranges.len()) {
        Some(few) => {
            for (piece, range) in few.iter_mut().zip(ranges) {
                *piece = gather::of_mapping(memory, range)?;
            }
            few
        }
        None => {
            let ranges = ranges.iter().take(gather::PIECES_MAX);
            let pieces = ranges.map(|range| gather::of_mapping(memory, range));
            many = pieces.collect::<Result<_, _>>()?;
            &many
        }
    };
    let count = pieces.len() as libc::c_int;
    retry_count(|| {
        // SAFETY: each piece lies in `memory`, which outlives the call; the kernel only reads it.
        unsafe { libc::pwritev(file.as_raw_fd(), pieces.as_ptr(), count, place) }
    })
}

/// `int fdatasync(int fd)`: returns when what was written is on the disk, with the size and the
/// blocks needed to read it back.
///
/// Differs from the call in that it begins again when a signal interrupted it.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `EIO`, `ENOSPC`, `EDQUOT`: some write did not reach the disk, and which is not known. The next
/// call may succeed without having written it: a failed sync is final. man 2 fdatasync.
pub fn sync_data(file: &File) -> io::Result<()> {
    retry(|| rustix::fs::fdatasync(file))
}

/// `int open("/proc/self/fd/N", flags & O_ACCMODE)`, the flags by `int fcntl(int fd, F_GETFL)`: the same file, open once more, to read, write or both as before.
///
/// Differs from the call in that it is given a file that is open, whatever its name is by now. Other than a descriptor made by `dup`, it has a place
/// and flags of its own; and an error of writing back what was written is told once to each open file ([`sync_data`], `msync`): neither hides it
/// from the other.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// `ENOENT` without `/proc`, `EACCES` where the file may not be opened so any more, `EMFILE`. man 2 open, man 5 proc_pid_fd.
pub fn open_again(file: &File) -> io::Result<File> {
    let access = rustix::fs::fcntl_getfl(file)? & OFlags::RWMODE;
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    let again = retry(|| rustix::fs::open(&name, access | OFlags::CLOEXEC, Mode::empty()))?;
    Ok(File::from(again))
}

/// `int open(const char *path, O_DIRECTORY)` and `int fsync(int fd)`: returns when the names in the directory are on the disk.
///
/// Differs from the call in that it is given a name.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// What the calls give. man 2 fsync.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = File::open(path)?;
    retry(|| rustix::fs::fsync(&directory))
}

/// `off_t lseek(int fd, off_t at, SEEK_DATA)` and `SEEK_HOLE` by turns: the end of the last byte that does not lie in a hole; 0 when all is
/// hole. Allocated blocks that were never written count as a hole on ext4 and XFS, but for those whose pages are in the page cache, so ask before
/// reading: a read brings pages in. Where the file system knows no holes it is the file's size.
///
/// It moves the file's own place, which no function here uses.
///
/// Differs from the call in that it goes on to the last hole, and that a file without data is no error.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// What the calls give. man 2 lseek.
pub fn data_end(file: &File) -> io::Result<u64> {
    let mut end = 0;
    loop {
        let data = match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return Ok(end),
            Err(error) => return Err(error.into()),
        };
        end = rustix::fs::seek(file, SeekFrom::Hole(data))?;
    }
}

/// `int flock(int fd, LOCK_EX | LOCK_NB)`: takes the file's lock, or says at once that it is held.
///
/// The lock is the open file's, not the process's: a second open of the same process is refused
/// too. It ends with the last descriptor of this open file, whatever ends the process.
///
/// Differs from the call in that a lock that is held is a case of its own.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// [`LockError`]. man 2 flock.
pub fn lock_exclusive(file: &File) -> Result<(), LockError> {
    match retry(|| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LockError::Held),
        Err(error) => Err(LockError::Io(error)),
    }
}

/// `int posix_fadvise(int fd, off_t at, off_t size, int advice)`: says how `range` of the file will
/// be read. An empty range says nothing.
///
/// Differs from the call in that an empty range is none, and not all up to the end.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// What the call gives. man 2 posix_fadvise.
pub fn advise(file: &File, range: Range<u64>, advice: FileAdvice) -> io::Result<()> {
    let Some(size) = range.end.checked_sub(range.start).and_then(NonZeroU64::new) else {
        return Ok(());
    };
    let advice = match advice {
        FileAdvice::Normal => rustix::fs::Advice::Normal,
        FileAdvice::Sequential => rustix::fs::Advice::Sequential,
        FileAdvice::Random => rustix::fs::Advice::Random,
        FileAdvice::WillNeed => rustix::fs::Advice::WillNeed,
        FileAdvice::DontNeed => rustix::fs::Advice::DontNeed,
    };
    retry(|| rustix::fs::fadvise(file, range.start, Some(size), advice))
}

/// A process that holds a `flock` lock on a file, as the kernel lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOwner {
    /// Its process id.
    pub process: u32,
    /// Whether the list names the device of the file's status, too. On Btrfs and on overlays it may
    /// not although it is the same file: then only the inode's number speaks for it.
    pub same_device: bool,
}

/// `/proc/locks`: who holds a `flock` lock on an inode of this number. It is read, and no lock is taken. Processes of a namespace
/// that is hidden from this one are not listed.
///
/// Differs from the file in that those who wait are left out, and so is every other kind of lock.
///
/// Safe, since no memory is handed over.
///
/// # Errors
///
/// When `/proc` is not mounted. man 5 proc_locks.
pub fn lock_owners(file: &File) -> io::Result<Vec<LockOwner>> {
    let status = rustix::fs::fstat(file)?;
    let device = (
        rustix::fs::major(status.st_dev),
        rustix::fs::minor(status.st_dev),
    );
    let locks = std::fs::read_to_string("/proc/locks")?;
    Ok(owners_in(&locks, device, status.st_ino))
}

/// The owners in lines like `1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF`; a line with `->` is one who waits.
fn owners_in(locks: &str, device: (u32, u32), inode: u64) -> Vec<LockOwner> {
    let owner = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        if words.next() != Some("FLOCK") {
            return None;
        }
        let process = words.nth(2)?.parse().ok()?;
        let mut place = words.next()?.split(':');
        let major = u32::from_str_radix(place.next()?, 16).ok()?;
        let minor = u32::from_str_radix(place.next()?, 16).ok()?;
        let found: u64 = place.next()?.parse().ok()?;
        (found == inode).then_some(LockOwner {
            process,
            same_device: (major, minor) == device,
        })
    };
    locks.lines().filter_map(owner).collect()
}

/// Repeats a call that a signal interrupted before it did anything.
fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    rustix::io::retry_on_intr(call).map_err(io::Error::from)
}

/// As [`retry`], for calls of the C library that return a count or -1.
fn retry_count(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(count) = usize::try_from(call()) {
            return Ok(count);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_found_by_inode_and_those_who_wait_are_none() {
        let locks = "\
1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 22 fe:0a:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 33 fe:0a:77 0 EOF
3: FLOCK  ADVISORY  WRITE 44 00:2b:77 0 EOF
4: FLOCK  ADVISORY  WRITE 55 fe:0a:78 0 EOF
not a line of that kind
";
        let owner = |process, same_device| LockOwner {
            process,
            same_device,
        };
        let found = owners_in(locks, (0xfe, 0x0a), 77);
        assert_eq!(found, [owner(22, true), owner(44, false)]);
    }
}
