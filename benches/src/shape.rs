//! The shape of a Fetch answer: which batches of the log it holds, and how they lie in the file.

use std::ops::Range;

use clap::Args;
use pagelog_os::Mapping;
use pagelog_os::send::Piece;

/// Batches of one size, written round robin to partitions, and how many of them an answer holds.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of a batch.
    pub(crate) batch_size: usize,
    /// Partitions that were written in turn.
    pub(crate) partitions: usize,
    /// Partitions that one answer has batches of.
    pub(crate) runs: usize,
    /// Batches of each of these partitions in an answer.
    pub(crate) run_batches: usize,
    /// Batches in the log.
    pub(crate) batches: usize,
}

impl Shape {
    /// Bytes of an entry's header, before each batch.
    const ENTRY_HEADER_SIZE: usize = 80;
    /// Bytes of an answer before its first records: frame, header, one topic, one partition.
    pub(crate) const HEAD_SIZE: usize = 80;
    /// Bytes between the records of two partitions.
    pub(crate) const BETWEEN_SIZE: usize = 40;

    /// Bytes of an answer after its last records: the tag buffers of partition, topic and body.
    pub(crate) const TAIL_SIZE: usize = 3;

    /// A shape whose answers are about 1 MiB of batches of `batch_size` bytes.
    pub(crate) fn of_mebibyte(batch_size: usize, partitions: usize, log_size: usize) -> Shape {
        let wanted = (1 << 20) / batch_size;
        let runs = partitions.min(wanted);
        let run_batches = wanted / runs;
        let in_answer = runs * run_batches;
        let batches = (log_size / batch_size).next_multiple_of(partitions * in_answer);
        Shape {
            batch_size,
            partitions,
            runs,
            run_batches,
            batches,
        }
    }

    /// The command line that gives this shape, in the order of the fields.
    pub(crate) fn arguments(&self) -> [usize; 5] {
        [
            self.batch_size,
            self.partitions,
            self.runs,
            self.run_batches,
            self.batches,
        ]
    }

    /// Bytes of records in an answer.
    pub(crate) fn records_size(&self) -> usize {
        self.runs * self.run_batches * self.batch_size
    }

    /// Bytes of a bare server's answer, length included.
    pub(crate) fn answer_size(&self) -> usize {
        let between = (self.runs - 1) * Self::BETWEEN_SIZE;
        Self::HEAD_SIZE + between + self.records_size() + Self::TAIL_SIZE
    }

    /// Different answers that the log has.
    pub(crate) fn answers(&self) -> usize {
        self.batches / (self.runs * self.run_batches)
    }

    /// Bytes of a file that holds the log.
    pub(crate) fn file_size(&self) -> usize {
        self.batches * self.stride()
    }

    fn stride(&self) -> usize {
        (Self::ENTRY_HEADER_SIZE + self.batch_size).next_multiple_of(8)
    }

    /// The answer of this number, going round: bytes, batches, bytes, batches, …, bytes.
    pub(crate) fn pieces<'a>(
        &self,
        number: usize,
        head: &'a [u8],
        between: &'a [u8; Self::BETWEEN_SIZE],
        mapping: &'a Mapping,
    ) -> Vec<Piece<'a>> {
        let first_run = (number % self.answers()) * self.runs;
        let mut pieces = Vec::with_capacity(self.runs * (self.run_batches + 1) + 1);
        for run in first_run..first_run + self.runs {
            pieces.push(Piece::Bytes(if run == first_run { head } else { between }));
            let batches = (0..self.run_batches).map(|index| self.batch(run, index));
            pieces.extend(batches.map(|range| Piece::Mapped(mapping, range)));
        }
        pieces.push(Piece::Bytes(&between[..Self::TAIL_SIZE]));
        pieces
    }

    /// Where a batch of a run lies. Run 0 is the first batches of partition 0, run 1 those of
    /// partition 1, and after the last partition come the next batches of partition 0.
    fn batch(&self, run: usize, index: usize) -> Range<usize> {
        let partition = run % self.partitions;
        let turn = run / self.partitions * self.run_batches + index;
        let start = (turn * self.partitions + partition) * self.stride() + Self::ENTRY_HEADER_SIZE;
        start..start + self.batch_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_hold_every_batch_once() {
        for (batch_size, partitions) in [(1024, 1), (1024, 100), (16 << 10, 100), (1 << 20, 100)] {
            let shape = Shape::of_mebibyte(batch_size, partitions, 4 << 20);
            let mut starts: Vec<usize> = (0..shape.answers() * shape.runs)
                .flat_map(|run| (0..shape.run_batches).map(move |index| (run, index)))
                .map(|(run, index)| shape.batch(run, index).start)
                .collect();
            starts.sort_unstable();
            starts.dedup();
            assert_eq!(starts.len(), shape.batches, "{shape:?}");
            assert!(starts.last().unwrap() + batch_size <= shape.file_size());
        }
    }

    #[test]
    fn an_answer_is_about_a_mebibyte() {
        for (batch_size, partitions) in [(1024, 1), (1024, 100), (16 << 10, 1), (1 << 20, 100)] {
            let size = Shape::of_mebibyte(batch_size, partitions, 8 << 20).records_size();
            assert!((1_000_000..=1 << 20).contains(&size), "{size}");
        }
    }
}
