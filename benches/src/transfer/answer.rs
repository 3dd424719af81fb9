//! What is sent: answers of one run or of many, each run behind a header.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use pagelog_os::MappedFile;
use pagelog_transfer::{Region, Rope};

/// Bytes before each run.
pub(super) const HEADER: &[u8; 64] = &[1; 64];

/// Runs in an answer of many.
const MANY: u64 = 16;

/// Bytes of the file that runs are taken from: more than the processor's caches hold.
pub(super) const FILE_SIZE: u64 = 128 << 20;

/// One column of the table: how long runs are, and how many lie in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) size: u64,
    pub(super) runs: u64,
}

impl Point {
    /// All of them: 256 B to 4 MiB, alone and among many.
    pub(super) fn all() -> Vec<Point> {
        let sizes = (8..=22).step_by(2).map(|shift| 1 << shift);
        sizes
            .flat_map(|size| [1, MANY].map(|runs| Point { size, runs }))
            .collect()
    }

    /// Bytes of an answer.
    pub(super) fn answer_size(self) -> u64 {
        self.runs * (self.size + HEADER.len() as u64)
    }

    /// Bytes of runs in an answer.
    pub(super) fn payload(self) -> u64 {
        self.runs * self.size
    }

    /// Where the runs of an answer lie: apart, as those of streams that share a log do.
    pub(super) fn places(self, answer: u64) -> impl Iterator<Item = Range<u64>> {
        (0..self.runs).map(move |run| {
            let at = (answer * self.runs + run) * (self.size + 4096) % (FILE_SIZE - self.size);
            at..at + self.size
        })
    }

    pub(super) fn rope(self, file: &Arc<MappedFile>, answer: u64) -> Rope {
        let mut rope = Rope::with_capacity(2 * self.runs as usize);
        for place in self.places(answer) {
            rope.push_bytes(Bytes::from_static(HEADER));
            rope.push_region(Region::new(Arc::clone(file), place.start, self.size));
        }
        rope
    }
}

/// Bytes, in the unit that fits.
pub(super) fn readable(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size >> 10),
        _ => format!("{} MiB", size >> 20),
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.runs, readable(self.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_lies_in_the_file_and_has_the_size_that_it_says() {
        for point in Point::all() {
            for answer in [0, 1, 7, 1_000_003] {
                assert!(point.places(answer).all(|place| place.end <= FILE_SIZE));
            }
            let named: u64 = point.places(3).map(|place| place.end - place.start).sum();
            assert_eq!(named, point.payload());
        }
        assert_eq!(
            Point {
                size: 4096,
                runs: 16
            }
            .to_string(),
            "16 × 4 KiB"
        );
        assert_eq!(readable(4 << 20), "4 MiB");
    }
}
