//! Reads entries from a segment, one after the other, through the descriptor: a bad sector is an error here and not a signal.
//!
//! The reader holds one buffer, whatever an entry claims its size to be; a payload's checksum is taken as it streams through.

use std::fmt;
use std::io;

use pagelog_record::{
    ALIGNMENT, Checksum, ChecksumError, Epoch, HEADER_SIZE, Header, HeaderError, MAGIC, Seed,
};
use pagelog_segment::{Position, Segment};

use crate::whole;

/// How much is read at once, in bytes.
const BUFFER_SIZE: usize = 1 << 20;

/// Why no whole entry lies at a place. For the last entries of a crashed log this is how the log ends; elsewhere it is damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWhole {
    /// There is no header.
    Header(HeaderError),
    /// The header is that of another place: these bytes are of an earlier life of the file.
    Position(Position),
    /// The entry would reach past the end of its segment or file.
    Size(u32),
    /// Header or payload are not as they were written.
    Checksum(ChecksumError),
    /// The entry is of an earlier opening than those before it.
    Epoch(Epoch),
    /// The segment's first entry is none that begins a segment.
    Head,
}

impl fmt::Display for NotWhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotWhole::Header(error) => error.fmt(f),
            NotWhole::Position(position) => {
                write!(f, "the entry here belongs at position {position}")
            }
            NotWhole::Size(size) => {
                write!(
                    f,
                    "a payload of {size} bytes would reach past the segment's end"
                )
            }
            NotWhole::Checksum(error) => error.fmt(f),
            NotWhole::Epoch(epoch) => {
                write!(f, "the entry here is of the earlier epoch {epoch}")
            }
            NotWhole::Head => write!(f, "the segment does not begin with its head"),
        }
    }
}

/// A segment, and how far anything was ever written into its file.
///
/// That is asked before the first byte is read: what is read is in the page cache then, and counts as written. So the gigabyte of a segment that
/// has just been begun is not read to find that it holds nothing.
pub(crate) struct Source<'a> {
    pub(crate) segment: &'a Segment,
    data_end: u64,
}

impl<'a> Source<'a> {
    pub(crate) fn new(segment: &'a Segment) -> io::Result<Source<'a>> {
        let data_end = segment.file().data_end()?.min(segment.size());
        Ok(Source { segment, data_end })
    }

    /// The first `size` bytes of it alone: behind them it counts as never written.
    pub(crate) fn first(&self, size: u64) -> Source<'a> {
        Source {
            segment: self.segment,
            data_end: self.data_end.min(size),
        }
    }
}

/// Told how far the log has been read.
pub(crate) type Progress = dyn Fn(Position) + Send;

/// A window over one segment's file.
pub(crate) struct Scanner<'a> {
    segment: &'a Segment,
    data_end: u64,
    seed: Seed,
    buffer: Box<[u8]>,
    /// Where in the file the buffer begins, and how much of it is filled.
    window: (u64, usize),
    progress: &'a Progress,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(source: &Source<'a>, seed: Seed, progress: &'a Progress) -> Scanner<'a> {
        Scanner {
            segment: source.segment,
            data_end: source.data_end,
            seed,
            buffer: vec![0; BUFFER_SIZE].into_boxed_slice(),
            window: (0, 0),
            progress,
        }
    }

    /// The whole entry at byte `at` of the file, or why there is none.
    pub(crate) fn entry(&mut self, at: u64) -> io::Result<Result<Header, NotWhole>> {
        let Some(bytes) = self.header_bytes(at)? else {
            return Ok(Err(NotWhole::Size(0)));
        };
        let header = match Header::decode(&bytes) {
            Ok(header) => header,
            Err(error) => return Ok(Err(NotWhole::Header(error))),
        };
        if header.position != self.segment.base().0 + at {
            return Ok(Err(NotWhole::Position(Position(header.position))));
        }
        if header.entry_size() > self.segment.size() - at {
            return Ok(Err(NotWhole::Size(header.payload_size)));
        }
        let mut checksum = self.seed.begin(&bytes);
        let covered = u64::from(header.covered_size());
        if !self.feed(&mut checksum, at + HEADER_SIZE as u64, covered)? {
            return Ok(Err(NotWhole::Size(header.payload_size)));
        }
        Ok(match checksum.verify() {
            Ok(()) => Ok(header),
            Err(error) => Err(NotWhole::Checksum(error)),
        })
    }

    /// Reads the payload of an entry that was found whole. `None` if the file has become shorter meanwhile.
    pub(crate) fn payload(&mut self, at: u64, header: &Header) -> io::Result<Option<Vec<u8>>> {
        let mut payload = vec![0; header.payload_size as usize];
        let from = at + HEADER_SIZE as u64;
        let read = whole::read(&**self.segment.file(), from, &mut payload)?;
        Ok((read == payload.len()).then_some(payload))
    }

    /// The first place at or after `at` where an entry might begin: where its first bytes and its position say so.
    pub(crate) fn next_candidate(&mut self, at: u64) -> io::Result<Option<u64>> {
        let mut at = at.next_multiple_of(ALIGNMENT as u64);
        while at < self.data_end {
            at = self.skip_to_magic(at)?;
            let Some(bytes) = self.header_bytes(at)? else {
                return Ok(None);
            };
            if self.is_candidate(&bytes, at) {
                return Ok(Some(at));
            }
            at += ALIGNMENT as u64;
        }
        Ok(None)
    }

    /// The next multiple of 8 from `at` on where an entry's first bytes lie, or else where the window ends.
    fn skip_to_magic(&mut self, at: u64) -> io::Result<u64> {
        if !self.holds(at, ALIGNMENT) {
            self.load(at)?;
        }
        let (start, filled) = self.window;
        let rest = &self.buffer[(at - start) as usize..filled];
        let mut places = rest.chunks_exact(ALIGNMENT);
        let count = places.position(|place| place[..4] == MAGIC);
        let count = count.unwrap_or(rest.len() / ALIGNMENT);
        Ok(at + (count * ALIGNMENT) as u64)
    }

    fn is_candidate(&self, bytes: &[u8; HEADER_SIZE], at: u64) -> bool {
        bytes[..4] == MAGIC && bytes[16..24] == (self.segment.base().0 + at).to_le_bytes()
    }

    fn header_bytes(&mut self, at: u64) -> io::Result<Option<[u8; HEADER_SIZE]>> {
        if !self.holds(at, HEADER_SIZE) {
            self.load(at)?;
        }
        if !self.holds(at, HEADER_SIZE) {
            return Ok(None);
        }
        let from = (at - self.window.0) as usize;
        let mut bytes = [0; HEADER_SIZE];
        bytes.copy_from_slice(&self.buffer[from..from + HEADER_SIZE]);
        Ok(Some(bytes))
    }

    /// Feeds `size` bytes from `at` on to the checksum; `false` if the file ends before.
    fn feed(&mut self, checksum: &mut Checksum, mut at: u64, size: u64) -> io::Result<bool> {
        let end = at + size;
        while at < end {
            if !self.holds(at, 1) {
                self.load(at)?;
            }
            if !self.holds(at, 1) {
                return Ok(false);
            }
            let from = (at - self.window.0) as usize;
            let count = (self.window.1 - from).min((end - at) as usize);
            checksum.update(&self.buffer[from..from + count]);
            at += count as u64;
        }
        Ok(true)
    }

    fn holds(&self, at: u64, size: usize) -> bool {
        let (start, filled) = self.window;
        at >= start && at - start <= filled as u64 && filled - (at - start) as usize >= size
    }

    /// Moves the window to `at`. Behind what was ever written there are zeros, and nothing is read for them.
    fn load(&mut self, at: u64) -> io::Result<()> {
        let within = |end: u64| end.saturating_sub(at).min(BUFFER_SIZE as u64) as usize;
        let (filled, written) = (within(self.segment.size()), within(self.data_end));
        self.window = (at, 0);
        let read = whole::read(&**self.segment.file(), at, &mut self.buffer[..written])?;
        if read == written {
            self.buffer[written..filled].fill(0);
            self.window.1 = filled;
        } else {
            self.window.1 = read;
        }
        (self.progress)(self.segment.base() + (at + self.window.1 as u64));
        Ok(())
    }
}
