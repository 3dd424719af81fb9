//! What the file system of a directory allows, tried on two files without a name.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::OFlags;

use super::{Bytes, Support};
use crate::{Alignment, Mapping, cache, direct, file, page_size};

/// What is written at once to see in what folios it comes to lie.
const SAMPLE_SIZE: usize = 4 << 20;

/// What overwriting a byte of a file does to the disk's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// The block is written where it lies.
    InPlace,
    /// To a new place, but files can be marked to be written where they lie (Btrfs, NOCOW).
    InPlaceOnRequest,
    /// To a new place: every overwrite needs room on the disk, so a full disk can meet a store into a
    /// mapping. Write by the descriptor.
    Elsewhere,
    /// A file system that is not known here.
    Unknown,
}

/// The file system that a directory lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSystem {
    /// Its name, or its number in hexadecimal.
    pub name: String,
    /// What overwriting does.
    pub overwrite: Overwrite,
    /// `fallocate` of whole files.
    pub allocate: Support,
    /// [`cache::count_pages`], Linux 6.5.
    pub count_pages: Support,
    /// How many bytes one store through a mapping makes dirty in a file that was written at once: a page,
    /// or a large folio, unless the mapping is advised before its first touch. `None`: not known.
    pub store_dirties: Option<u64>,
    /// `O_DIRECT`, with what it asks for.
    pub direct: Result<Alignment, Support>,
    /// `copy_file_range` within the directory.
    pub copy_range: Support,
    /// Sharing blocks between files (`FICLONE`).
    pub reflink: Support,
    /// Whether the device wants pages unchanged while they are written, so that a store waits for a whole
    /// write: `queue/stable_writes`. `None`: the device is not found in `/sys`.
    pub stable_writes: Option<bool>,
}

impl FileSystem {
    /// Tries each once, on files of a few megabytes in `directory`, which are gone after.
    ///
    /// # Errors
    ///
    /// When no file can be made or written there.
    pub fn probe(directory: &Path) -> io::Result<FileSystem> {
        let number = rustix::fs::statfs(directory)?.f_type;
        let (sample, other) = (nameless(directory)?, nameless(directory)?);
        let allocate = Support::of(&file::allocate(&sample, SAMPLE_SIZE as u64));
        let count_pages = count_pages(&sample);
        let store_dirties = store_dirties(&sample)?;
        Ok(FileSystem {
            name: name(number as u64),
            overwrite: Overwrite::of(directory)?,
            allocate,
            count_pages,
            store_dirties,
            direct: direct(directory)?,
            copy_range: Support::of(&copy_range(&sample, &other)),
            reflink: Support::of(
                &rustix::fs::ioctl_ficlone(&other, &sample).map_err(io::Error::from),
            ),
            stable_writes: stable_writes(fs::metadata(directory)?.dev()),
        })
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "file system            {}", self.name)?;
        writeln!(formatter, "overwrites             {}", self.overwrite)?;
        writeln!(formatter, "allocates              {}", self.allocate)?;
        writeln!(formatter, "counts pages           {}", self.count_pages)?;
        let dirties = Bytes(self.store_dirties, "unknown");
        writeln!(formatter, "a store dirties        {dirties}")?;
        match &self.direct {
            Ok(Alignment { offset, memory }) => {
                writeln!(
                    formatter,
                    "direct I/O             aligned to {offset} bytes, memory to {memory}"
                )?;
            }
            Err(support) => writeln!(formatter, "direct I/O             {support}")?,
        }
        writeln!(formatter, "copies ranges          {}", self.copy_range)?;
        writeln!(formatter, "shares blocks          {}", self.reflink)?;
        let stable = match self.stable_writes {
            Some(true) => "yes: a store can wait for a write",
            Some(false) => "no",
            None => "unknown",
        };
        write!(formatter, "stable pages           {stable}")
    }
}

impl Overwrite {
    /// What it does to the files of `directory`; where the file system's name does not say it, tried on one without a name.
    ///
    /// # Errors
    ///
    /// When the directory cannot be looked at, or on Btrfs no file can be made there.
    pub fn of(directory: &Path) -> io::Result<Overwrite> {
        let number = rustix::fs::statfs(directory)?.f_type as u64;
        // A full disk may have no room for one more file.
        if number != BTRFS {
            return Ok(by_name(number));
        }
        // The mark is taken by empty files only.
        Ok(match file::overwrite_in_place(&nameless(directory)?) {
            true => Overwrite::InPlaceOnRequest,
            false => by_name(number),
        })
    }
}

impl fmt::Display for Overwrite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Overwrite::InPlace => "in place",
            Overwrite::InPlaceOnRequest => "in place where a file is marked NOCOW",
            Overwrite::Elsewhere => "elsewhere: write by the descriptor, not by a mapping",
            Overwrite::Unknown => "unknown",
        })
    }
}

/// `linux/magic.h`.
const NAMES: &[(u64, &str)] = &[
    (EXT4, "ext4"),
    (XFS, "xfs"),
    (BTRFS, "btrfs"),
    (TMPFS, "tmpfs"),
    (F2FS, "f2fs"),
    (ZFS, "zfs"),
    (BCACHEFS, "bcachefs"),
    (0x794c_7630, "overlay"),
    (0x6969, "nfs"),
    (0x6573_5546, "fuse"),
];
const EXT4: u64 = 0xef53;
const XFS: u64 = 0x5846_5342;
const BTRFS: u64 = 0x9123_683e;
const TMPFS: u64 = 0x0102_1994;
const F2FS: u64 = 0xf2f5_2010;
const ZFS: u64 = 0x2fc1_2fc1;
const BCACHEFS: u64 = 0xca45_1a4e;

fn name(number: u64) -> String {
    let known = NAMES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("{number:#x}"), |(_, name)| (*name).to_owned())
}

/// What it does to files without a mark.
fn by_name(number: u64) -> Overwrite {
    match number {
        // On XFS a block that a reflink shares is written elsewhere.
        EXT4 | XFS | TMPFS => Overwrite::InPlace,
        BTRFS | F2FS | ZFS | BCACHEFS => Overwrite::Elsewhere,
        _ => Overwrite::Unknown,
    }
}

fn count_pages(file: &File) -> Support {
    match cache::count_pages(file, 0..1) {
        Ok(_) => Support::Works,
        Err(cache::CountError::Unsupported) => Support::Refused(libc::ENOSYS),
        Err(cache::CountError::Refused(error) | cache::CountError::Io(error)) => {
            Support::of::<()>(&Err(error))
        }
    }
}

/// Writes the file at once, makes it clean, stores one byte, and counts what is dirty.
fn store_dirties(file: &File) -> io::Result<Option<u64>> {
    let written = file::write_at(file, 0, &vec![1; SAMPLE_SIZE])?;
    file::sync_data(file)?;
    let range = 0..SAMPLE_SIZE as u64;
    let clean = cache::count_pages(file, range.clone());
    if written < SAMPLE_SIZE || !clean.is_ok_and(|counts| counts.dirty == 0) {
        return Ok(None);
    }
    Mapping::shared(file, SAMPLE_SIZE)?.copy_in(SAMPLE_SIZE / 2, &[2])?;
    let counts = cache::count_pages(file, range).ok();
    // A file system without a disk marks nothing dirty.
    let dirty = counts.map(|counts| counts.dirty).filter(|pages| *pages > 0);
    Ok(dirty.map(|pages| pages * page_size() as u64))
}

fn copy_range(from: &File, to: &File) -> io::Result<usize> {
    let (mut at, mut into) = (0, 0);
    let size = page_size();
    Ok(rustix::fs::copy_file_range(
        from,
        Some(&mut at),
        to,
        Some(&mut into),
        size,
    )?)
}

fn direct(directory: &Path) -> io::Result<Result<Alignment, Support>> {
    let flags = OFlags::DIRECT.bits().cast_signed();
    match create(directory, flags) {
        Ok(file) => Ok(direct::alignment(&file).map_err(|_| Support::Refused(libc::EINVAL))),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            Ok(Err(Support::Refused(libc::EINVAL)))
        }
        Err(error) => Err(error),
    }
}

/// `/sys/dev/block/MAJOR:MINOR`, of the whole disk where that is a part of one.
fn stable_writes(device: u64) -> Option<bool> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let device = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    let places = ["queue/stable_writes", "../queue/stable_writes"];
    let text = places
        .iter()
        .find_map(|place| fs::read_to_string(device.join(place)).ok())?;
    Some(text.trim() == "1")
}

fn nameless(directory: &Path) -> io::Result<File> {
    create(directory, 0)
}

/// A file whose name is gone before anything else happens.
fn create(directory: &Path, flags: i32) -> io::Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path = directory.join(format!(".pagelog-probe-{process}-{count}"));
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .custom_flags(flags)
        .open(&path);
    // A file system may make the name before it refuses the flag.
    match &opened {
        Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return opened,
        _ => {
            let removed = fs::remove_file(&path);
            if opened.is_ok() {
                removed?;
            }
        }
    }
    opened
}
