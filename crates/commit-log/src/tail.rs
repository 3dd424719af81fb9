//! The growing end of the log: who has reserved which place, and, on the staged route, how far the unbroken run of finished entries goes.
//!
//! ```text
//!   pending:  [finished] [finished] [reserved] [finished] …
//!             └──── ready ────────┘ ▲ a place is given under the lock, filled without it, and counts once all before it are filled
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use pagelog_record::entry_size;
use pagelog_segment::{Position, Segment};

use crate::landing::Landings;
use crate::options::SEGMENT_HEAD_SIZE;
use crate::ring::{Cursor, Place};

/// Everything that the log's lock protects.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) segment: Arc<Segment>,
    /// Where the next entry goes.
    pub(crate) position: u64,
    /// What is taken of the staging ring, on the staged route.
    pub(crate) ring: Option<Cursor>,
    /// No entry is taken any more.
    pub(crate) closed: bool,
    pub(crate) landings: Landings,
    /// On the staged route alone: what is to be written.
    pending: VecDeque<Reserved>,
    /// The number of the first pending place.
    first: u64,
    /// How many places at the front are finished.
    ready: usize,
}

/// A place that was given to an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reserved {
    /// Counts the places of the staged route.
    number: u64,
    pub(crate) position: u64,
    /// The entry's bytes, padding included.
    pub(crate) size: u64,
    /// Where the run goes on: behind the entry, or, behind a filler, in the next segment.
    pub(crate) end: u64,
    /// Its place in the ring, on the staged route.
    pub(crate) place: Option<Place>,
    finished: bool,
}

impl Tail {
    pub(crate) fn new(segment: Arc<Segment>, position: Position, ring: Option<Cursor>) -> Tail {
        Tail {
            segment,
            position: position.0,
            ring,
            closed: false,
            landings: Landings::default(),
            pending: VecDeque::new(),
            first: 0,
            ready: 0,
        }
    }

    /// Whether an entry of `size` bytes fits in what is left of the segment.
    pub(crate) fn fits(&self, size: u64) -> bool {
        size <= self.segment.end().0 - self.position
    }

    /// Whether the ring has room for an entry of `size` bytes and for what a roll puts before it.
    pub(crate) fn has_room_for_roll(&self, size: u64) -> bool {
        let Some(mut ring) = self.ring else {
            return true;
        };
        let before = [entry_size(0), SEGMENT_HEAD_SIZE, size];
        before.into_iter().all(|size| ring.take(size).is_some())
    }

    /// Gives the next `size` bytes away, the run going on at `end`. `None` if the ring is full.
    #[inline]
    pub(crate) fn reserve(&mut self, size: u64, end: u64) -> Option<Reserved> {
        let place = match &mut self.ring {
            Some(ring) => Some(ring.take(size)?),
            None => None,
        };
        let reserved = Reserved {
            number: self.first + self.pending.len() as u64,
            position: self.position,
            size,
            end,
            place,
            finished: false,
        };
        self.position = end;
        if place.is_some() {
            self.pending.push_back(reserved);
        }
        Some(reserved)
    }

    /// This place in the ring is filled. Answers how far the unbroken run goes now, if it has grown.
    pub(crate) fn finish(&mut self, reserved: &Reserved) -> Option<Position> {
        let index = (reserved.number - self.first) as usize;
        self.pending[index].finished = true;
        let before = self.ready;
        while self
            .pending
            .get(self.ready)
            .is_some_and(|next| next.finished)
        {
            self.ready += 1;
        }
        (self.ready > before).then(|| Position(self.pending[self.ready - 1].end))
    }

    /// Takes the finished run out, in order.
    pub(crate) fn take_ready(&mut self, into: &mut Vec<Reserved>) {
        into.extend(self.pending.drain(..self.ready));
        self.first += self.ready as u64;
        self.ready = 0;
    }
}
