//! Images taken between two storage operations while the program under test runs on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use pagelog_segment::Position;

use crate::image::Image;

/// What the log had promised when an image was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Everything below survives the death of the process.
    pub written: Position,
    /// Everything below survives a power cut.
    pub durable: Position,
}

/// An image and what had been promised before it was taken.
#[derive(Debug)]
pub struct Frozen {
    /// The number of the storage operation that was about to begin, from 1.
    pub operation: u64,
    /// Read before the image was taken, so that the image owes at least this.
    pub marks: Marks,
    /// The live and the durable content of all files.
    pub image: Image,
}

type ReadMarks = Arc<dyn Fn() -> Marks + Send + Sync>;

/// When images are to be taken, and those that were.
#[derive(Default)]
pub(crate) struct Freezer {
    points: VecDeque<u64>,
    marks: Option<ReadMarks>,
    taken: Vec<Frozen>,
}

impl Freezer {
    pub(crate) fn plan(&mut self, points: Vec<u64>, marks: ReadMarks) {
        assert!(points.is_sorted(), "points come in order");
        self.points = points.into();
        self.marks = Some(marks);
    }

    pub(crate) fn remaining(&self) -> usize {
        self.points.len()
    }

    /// The marks to keep with an image, if one is due before operation number `operation`.
    pub(crate) fn due(&mut self, operation: u64) -> Option<Marks> {
        let due = self.points.front().is_some_and(|point| *point <= operation);
        if !due {
            return None;
        }
        self.points.pop_front();
        self.marks.as_ref().map(|read| read())
    }

    pub(crate) fn keep(&mut self, frozen: Frozen) {
        self.taken.push(frozen);
    }

    /// Hands the images out, and forgets the marks' source (which usually holds the log, which holds the storage).
    pub(crate) fn take(&mut self) -> Vec<Frozen> {
        self.points.clear();
        self.marks = None;
        std::mem::take(&mut self.taken)
    }
}

impl fmt::Debug for Freezer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Freezer")
            .field("points", &self.points)
            .finish_non_exhaustive()
    }
}
