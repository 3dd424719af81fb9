//! What a run of segments is opened with.

use crate::WarmAhead;

/// What [`crate::Segments`] is opened with.
#[derive(Debug, Clone)]
pub struct SegmentsOptions {
    /// The size of segments that are made, in bytes; those that exist keep the size they have.
    pub segment_size: u64,
    /// How many files of deleted segments are kept to be used again, beside those that are ready; 0: none.
    pub spares_max: usize,
    /// How segments that are made or found ahead are made ready for an appender that stores through their mappings; `None`: not at
    /// all, as for one that writes by the descriptor.
    pub warm: Option<WarmAhead>,
    /// How many bytes ahead of a writer who says where he is ([`crate::Segment::writing`]) the blocks of new segments are written; 0: none, as for one who
    /// stores through their mappings.
    pub prewrite: u64,
}

impl SegmentsOptions {
    /// Segments of `segment_size` bytes, each in a new file.
    #[must_use]
    pub fn of_size(segment_size: u64) -> SegmentsOptions {
        SegmentsOptions {
            segment_size,
            spares_max: 0,
            warm: None,
            prewrite: 0,
        }
    }
}
