//! What a log is opened with, and whether that can work.

use std::num::NonZeroU64;

use pagelog_record::{ALIGNMENT, HEADER_SIZE, entry_size};

use crate::index::SEGMENT_SIZE_MAX;

/// The way of an entry into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Through a pinned ring in memory: whatever waits there is put into the file by one gathered write.
    /// The better one when every entry is synced.
    Staged {
        /// The ring's size in bytes; it bounds what is appended and not yet written.
        ring_size: usize,
    },
    /// Stored straight into the mapped file: readable at once. The better one when syncs are rare. Not for file systems that write each change
    /// to a new place (`pagelog_os::probe::Overwrite::Elsewhere`): a full disk would meet a store as a signal, which latches the log.
    Mapped,
}

/// What a log is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// The size of new segments in bytes, a multiple of 4,096, at most 32 GiB; existing ones keep theirs.
    pub segment_size: u64,
    /// The way of an entry into the file.
    pub route: Route,
    /// The largest payload that [`crate::Log::append`] takes, in bytes.
    pub payload_size_max: u32,
    /// How many files of deleted segments are kept to be used again, beside the two that are ready; 0: none is.
    pub spares_max: usize,
    /// What is made ready ahead of the appenders, on the mapped route; `None`: pages come in when they are used.
    pub warm: Option<Warm>,
    /// How many bytes ahead of what is written the blocks of a new segment are written with zeros, on the staged route, so that a sync has no block to
    /// declare as written: what the disk gets for a new segment doubles, and up to so much more is read after a crash. Worth it where every entry is synced; 0:
    /// none. Not for file systems that write each change to a new place (`pagelog_os::probe::Overwrite::Elsewhere`): an entry over zeros takes a new block, and
    /// a full disk, which has none, would end the log.
    pub prewrite: u64,
}

/// What is made ready ahead of the appenders of the mapped route, so that a store waits neither for a page nor for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warm {
    /// How many bytes of each segment ahead of the appenders are kept warm; `None`: all of it at once.
    pub window: Option<u64>,
    /// The most bytes a second; `None`: as fast as it goes.
    pub bytes_per_second: Option<NonZeroU64>,
    /// After how many bytes what warming made dirty is written to the disk, so that no sync finds more of it; `None`: never.
    pub flush_every: Option<NonZeroU64>,
    /// How many bytes ahead of the appenders are pinned in each segment, and in all at most; 0: none.
    pub pin_window: u64,
    /// The most bytes that are pinned in all; less where the limit on locked memory or the cgroup's memory limit says so.
    pub pin_max: u64,
}

/// A segment's first entry: a header and 16 bytes.
pub(crate) const SEGMENT_HEAD_SIZE: u64 = entry_size(16);

/// Segments are whole pages.
pub(crate) const PAGE_SIZE: u64 = 4096;

/// Why a log cannot be opened with these options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Segments are whole pages.
    #[error("a segment of {segment_size} bytes is no multiple of {PAGE_SIZE}")]
    SegmentUneven {
        /// The size that was asked for.
        segment_size: u64,
    },
    /// In a larger segment not every place can be told in an index.
    #[error("a segment of {segment_size} bytes is larger than {SEGMENT_SIZE_MAX}")]
    SegmentTooLarge {
        /// The size that was asked for.
        segment_size: u64,
    },
    /// A segment must hold its head and the largest entry.
    #[error(
        "a segment of {segment_size} bytes cannot hold a payload of {payload_size_max}: it takes at least {needed}"
    )]
    SegmentTooSmall {
        /// The size that was asked for.
        segment_size: u64,
        /// The payload that it would have to hold.
        payload_size_max: u32,
        /// The least size that can.
        needed: u64,
    },
    /// A ring must hold the largest entry twice, since an entry does not wrap round its end.
    #[error(
        "a ring of {ring_size} bytes cannot stage a payload of {payload_size_max}: it takes at least {needed}"
    )]
    RingTooSmall {
        /// The size that was asked for.
        ring_size: usize,
        /// The payload that it would have to stage.
        payload_size_max: u32,
        /// The least size that can.
        needed: u64,
    },
}

impl LogOptions {
    /// Options of which only these three have no default.
    pub const fn new(segment_size: u64, route: Route, payload_size_max: u32) -> LogOptions {
        LogOptions {
            segment_size,
            route,
            payload_size_max,
            spares_max: 0,
            warm: None,
            prewrite: 0,
        }
    }

    /// The least segment that holds its head and a payload of this size.
    pub const fn segment_size_min(payload_size_max: u32) -> u64 {
        (SEGMENT_HEAD_SIZE + entry_size(payload_size_max)).next_multiple_of(PAGE_SIZE)
    }

    /// The least ring that stages payloads up to this size, with what a roll puts before them.
    pub const fn ring_size_min(payload_size_max: u32) -> u64 {
        2 * (HEADER_SIZE as u64 + SEGMENT_HEAD_SIZE + entry_size(payload_size_max))
    }

    /// The largest payload for which there is room at all. What was appended under other options may be larger than
    /// [`LogOptions::payload_size_max`], and than this.
    pub(crate) fn payload_room(&self) -> u32 {
        let header = HEADER_SIZE as u64;
        let in_segment = self.segment_size - SEGMENT_HEAD_SIZE - header;
        let room = match self.route {
            Route::Mapped => in_segment,
            Route::Staged { ring_size } => {
                let in_ring = ring_size as u64 / 2 - SEGMENT_HEAD_SIZE - 2 * header;
                in_segment.min(in_ring)
            }
        };
        // Entries are padded to the alignment.
        u32::try_from(room / ALIGNMENT as u64 * ALIGNMENT as u64).unwrap_or(u32::MAX)
    }

    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        let LogOptions {
            segment_size,
            route,
            payload_size_max,
            ..
        } = *self;
        if !segment_size.is_multiple_of(PAGE_SIZE) {
            return Err(OptionsError::SegmentUneven { segment_size });
        }
        if segment_size > SEGMENT_SIZE_MAX {
            return Err(OptionsError::SegmentTooLarge { segment_size });
        }
        let needed = Self::segment_size_min(payload_size_max);
        if segment_size < needed {
            return Err(OptionsError::SegmentTooSmall {
                segment_size,
                payload_size_max,
                needed,
            });
        }
        let needed = Self::ring_size_min(payload_size_max);
        match route {
            Route::Staged { ring_size } if (ring_size as u64) < needed => {
                Err(OptionsError::RingTooSmall {
                    ring_size,
                    payload_size_max,
                    needed,
                })
            }
            Route::Staged { .. } | Route::Mapped => Ok(()),
        }
    }
}
