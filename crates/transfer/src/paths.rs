//! The chooser: which way the front of a rope goes, by run length and by what the kernel has not refused.

use std::collections::VecDeque;
use std::io;

use rustix::io::Errno;

use crate::cold::Window;
use crate::counters::Counters;
use crate::region::Region;
use crate::rope::Piece;

/// The shortest run that goes by `sendfile`; shorter ones are gathered from the mapping.
///
/// Measured by `cargo run --release -p pagelog-transfer --example break_even` on a virtual machine of
/// two cores (kernel 6.18, AMD EPYC): answers of 16 headers of 100 bytes, each before one run, over
/// loopback, to a receiver that discards and to one that copies. Processor time of the sending thread
/// per KiB, gathered and by `sendfile`: runs of 16 KiB 170–190 and 250 ns, of 32 KiB 180 and 190 ns,
/// of 64 KiB 150–200 and 135–160 ns. A network card that takes the pages themselves moves it down.
pub const SEND_FILE_SIZE_MIN: u64 = 32 * 1024;

/// A way for the bytes of a region to reach a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `pread` into a buffer, then `send`: the plain way that the others are compared with.
    Reference,
    /// One `sendmsg` of bytes in memory and ranges of mappings: few calls for many small runs.
    Gather,
    /// `sendfile`: the socket refers to the pages of the page cache.
    SendFile,
}

/// The paths that are open for one kind of descriptor, what each has moved, and what was refused.
///
/// One per thread that sends: whoever owns it remembers refusals and counts.
#[derive(Debug)]
pub struct Paths {
    /// `u64::MAX` when the path is closed.
    send_file_size_min: u64,
    gather: bool,
    pub(crate) counters: Counters,
    /// The buffer of the reference path; empty until that path is taken.
    pub(crate) buffer: Vec<u8>,
    /// With it, nothing is sent before it is known to be in memory.
    window: Option<Window>,
}

impl Default for Paths {
    fn default() -> Paths {
        Paths::new()
    }
}

impl Paths {
    /// All paths, chosen by run length.
    pub fn new() -> Paths {
        Paths {
            send_file_size_min: SEND_FILE_SIZE_MIN,
            gather: true,
            counters: Counters::default(),
            buffer: Vec::new(),
            window: None,
        }
    }

    /// Has senders ask the kernel whether the next bytes are in memory, and say [`Progress::Cold`](crate::Progress::Cold) when they
    /// are not: for threads that must not wait for the disk.
    pub fn look_first(mut self) -> Paths {
        self.window = Some(Window::default());
        self
    }

    /// Where to look first, if that is asked for.
    pub(crate) fn window(&mut self) -> Option<&mut Window> {
        self.window.as_mut()
    }

    /// One path for every region, whatever its size. For comparisons; the ladder below it stays.
    pub fn only(path: Path) -> Paths {
        let mut paths = Paths::new();
        match path {
            Path::Reference => (paths.send_file_size_min, paths.gather) = (u64::MAX, false),
            Path::Gather => paths.send_file_size_min = u64::MAX,
            Path::SendFile => paths.send_file_size_min = 0,
        }
        paths
    }

    /// What has been sent so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The path that a region of `size` bytes takes.
    pub(crate) fn of_region(&self, size: u64) -> Path {
        if size >= self.send_file_size_min {
            Path::SendFile
        } else if self.gather {
            Path::Gather
        } else {
            Path::Reference
        }
    }

    /// What to do with the front of `pieces`, which is not empty.
    pub(crate) fn choose<'a>(&self, pieces: &'a VecDeque<Piece>) -> Step<'a> {
        for (count, piece) in pieces.iter().take(GATHER_COUNT_MAX).enumerate() {
            let Piece::Region(region) = piece else {
                continue;
            };
            match (self.of_region(region.size()), count) {
                (Path::Gather, _) => {}
                (Path::SendFile, 0) => return Step::SendFile(region),
                (Path::Reference, 0) => return Step::Reference(region),
                // What is gathered before a long run is its header, and belongs into the same packet.
                (path, _) => {
                    return Step::Gather {
                        count,
                        more: path == Path::SendFile,
                    };
                }
            }
        }
        Step::Gather {
            count: pieces.len().min(GATHER_COUNT_MAX),
            more: false,
        }
    }

    /// Gives `path` up after the kernel has refused it. Whether `error` is such a refusal.
    pub(crate) fn refuse(&mut self, path: Path, error: &io::Error) -> bool {
        if !is_refusal(error) {
            return false;
        }
        match path {
            Path::SendFile => self.send_file_size_min = u64::MAX,
            Path::Gather => self.gather = false,
            Path::Reference => return false,
        }
        self.counters.refusals += 1;
        true
    }
}

/// What one `sendmsg` takes at most: IOV_MAX of Linux, see `readv(2)`.
const GATHER_COUNT_MAX: usize = 1024;

/// The next call.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    /// The first `count` pieces in one `sendmsg`; `more` follows at once.
    Gather { count: usize, more: bool },
    /// The first piece, by `sendfile`.
    SendFile(&'a Region),
    /// The first piece, by `pread` and `send`.
    Reference(&'a Region),
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
    )
}
