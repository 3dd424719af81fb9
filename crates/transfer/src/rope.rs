//! The answer itself: owned bytes and regions of files in a row, joined and sliced without touching a byte.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use bytes::Bytes;

use crate::Region;

/// Owned bytes (headers) and [`Region`]s (ranges of files) in the order in which a peer is to see them.
///
/// Cloning, joining and slicing move references, never bytes.
///
/// ```
/// use pagelog_transfer::Rope;
///
/// let mut rope = Rope::from(&b"head"[..]);
/// rope.push_bytes(&b"er, body"[..]);
/// assert_eq!(rope.len(), 12);
/// assert_eq!(rope.slice(2..6).read_all()?, b"ader");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rope {
    // Invariants: no piece is empty; `size` is the sum of their sizes, `owned_size` that of those in memory.
    pieces: Vec<Piece>,
    size: u64,
    owned_size: u64,
}

/// One piece of a [`Rope`].
#[derive(Clone, Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes in a file.
    Region(Region),
}

impl Piece {
    /// How many bytes it stands for.
    pub fn size(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => bytes.len() as u64,
            Piece::Region(region) => region.size(),
        }
    }

    fn part(&self, range: Range<u64>) -> Piece {
        match self {
            // The range lies within the piece, so both ends fit a usize.
            Piece::Bytes(bytes) => {
                Piece::Bytes(bytes.slice(range.start as usize..range.end as usize))
            }
            Piece::Region(region) => Piece::Region(region.part(range)),
        }
    }
}

impl Rope {
    /// A rope of no bytes.
    pub fn new() -> Rope {
        Rope::default()
    }

    /// A rope of no bytes, with room for so many pieces.
    pub fn with_capacity(count: usize) -> Rope {
        Rope {
            pieces: Vec::with_capacity(count),
            ..Rope::default()
        }
    }

    /// Adds owned bytes at the end.
    pub fn push_bytes(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.size += bytes.len() as u64;
        self.owned_size += bytes.len() as u64;
        if !bytes.is_empty() {
            self.pieces.push(Piece::Bytes(bytes));
        }
    }

    /// Adds a region at the end; one that begins where the last one ends makes a longer run of it.
    pub fn push_region(&mut self, region: Region) {
        self.size += region.size();
        if region.size() == 0 {
            return;
        }
        if let Some(Piece::Region(last)) = self.pieces.last_mut()
            && last.continues_with(&region)
        {
            last.extend(&region);
            return;
        }
        self.pieces.push(Piece::Region(region));
    }

    /// Adds another rope at the end.
    pub fn append(&mut self, other: Rope) {
        if self.pieces.is_empty() {
            *self = other;
            return;
        }
        self.size += other.size;
        self.owned_size += other.owned_size;
        self.pieces.extend(other.pieces);
    }

    /// How many bytes a peer will see.
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// How many of its bytes it holds in memory: all but the regions.
    pub fn owned_size(&self) -> u64 {
        self.owned_size
    }

    /// Its pieces, in order; none is empty.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(crate) fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    /// The part that `range` names.
    ///
    /// # Panics
    ///
    /// When the range is reversed or ends past the rope: a bug of the caller's.
    pub fn slice(&self, range: Range<u64>) -> Rope {
        assert!(
            range.start <= range.end && range.end <= self.size,
            "{range:?} of a rope of {} bytes",
            self.size
        );
        let mut slice = Rope {
            size: range.end - range.start,
            ..Rope::default()
        };
        let mut begin = 0;
        for piece in &self.pieces {
            let end = begin + piece.size();
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                if let Piece::Bytes(_) = piece {
                    slice.owned_size += to - from;
                }
                slice.pieces.push(piece.part(from - begin..to - begin));
            }
            begin = end;
        }
        slice
    }

    /// All its bytes, copied together: for tests, and for answers that are small.
    ///
    /// # Errors
    ///
    /// The file's, and [`io::ErrorKind::UnexpectedEof`] when it is shorter than a region says.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => all.extend_from_slice(bytes),
                Piece::Region(region) => {
                    let start = all.len();
                    let size =
                        usize::try_from(region.size()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                    all.resize(start + size, 0);
                    region
                        .file()
                        .file()
                        .read_exact_at(&mut all[start..], region.at())?;
                }
            }
        }
        Ok(all)
    }
}

impl From<Bytes> for Rope {
    fn from(bytes: Bytes) -> Rope {
        let mut rope = Rope::new();
        rope.push_bytes(bytes);
        rope
    }
}

impl From<Vec<u8>> for Rope {
    fn from(bytes: Vec<u8>) -> Rope {
        Rope::from(Bytes::from(bytes))
    }
}

impl From<&'static [u8]> for Rope {
    fn from(bytes: &'static [u8]) -> Rope {
        Rope::from(Bytes::from_static(bytes))
    }
}

impl From<Region> for Rope {
    fn from(region: Region) -> Rope {
        let mut rope = Rope::new();
        rope.push_region(region);
        rope
    }
}
