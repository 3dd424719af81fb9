//! Which offsets of a partition were written in which epoch: how a reader learns that what it saw is gone.
//!
//! The leader epoch is the epoch of the log's writer, raised at every opening. A reader that holds records of epoch 5 up to
//! offset 90 asks where epoch 5 ended; the answer 80 tells it that 80 to 89 were lost when the machine stopped (which
//! can only happen to what was not durable). The rules are those of KIP-101 and KIP-320.

use pagelog_record::{Epoch, Offset};

/// How many past epochs a partition keeps; the oldest are joined to the next.
const EPOCHS_MAX: usize = 1_024;

/// The epochs of one partition, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    /// Those before the current one that wrote something.
    past: Vec<(Epoch, Offset)>,
}

/// Where an epoch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch that is spoken of: the one asked for, or the newest below it that wrote something.
    pub epoch: Epoch,
    /// The offset behind its last record.
    pub end: Offset,
}

/// The epoch in which the log is open now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Current {
    pub(crate) epoch: Epoch,
    /// The partition's next offset when the log was opened.
    pub(crate) start: Offset,
    /// The offset behind the last record that readers may see.
    pub(crate) end: Offset,
}

impl Epochs {
    /// Takes note of an entry found in the log; in the order of the log.
    pub(crate) fn replay(&mut self, epoch: Epoch, base_offset: Offset) {
        if self.past.last().is_some_and(|(last, _)| *last >= epoch) {
            return;
        }
        if self.past.len() == EPOCHS_MAX {
            self.past.remove(0);
        }
        self.past.push((epoch, base_offset));
    }

    /// Forgets what was told: `past` is all there is.
    pub(crate) fn restore(&mut self, past: Vec<(Epoch, Offset)>) {
        self.past.clear();
        for (epoch, start) in past {
            self.replay(epoch, start);
        }
    }

    /// Those that wrote something at `start` or behind it, and the one before, which may have.
    pub(crate) fn since(&self, start: Offset) -> Vec<(Epoch, Offset)> {
        let above = self.past.partition_point(|(_, first)| *first <= start);
        self.past[above.saturating_sub(1)..].to_vec()
    }

    /// Where `asked` ended; `None` when it has not begun.
    pub(crate) fn end_of(&self, asked: Epoch, current: Current) -> Option<EpochEnd> {
        if asked >= current.epoch {
            return (asked == current.epoch).then_some(EpochEnd {
                epoch: asked,
                end: current.end,
            });
        }
        let above = self.past.partition_point(|(epoch, _)| *epoch <= asked);
        let end = self
            .past
            .get(above)
            .map_or(current.start, |(_, start)| *start);
        let epoch = match above {
            0 => asked,
            above => self.past[above - 1].0,
        };
        Some(EpochEnd { epoch, end })
    }

    /// The epoch that wrote `offset`; `None` for one before the first that is known.
    pub(crate) fn epoch_at(&self, offset: Offset, current: Current) -> Option<Epoch> {
        if offset >= current.start {
            return Some(current.epoch);
        }
        let above = self.past.partition_point(|(_, start)| *start <= offset);
        Some(self.past[above.checked_sub(1)?].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: Current = Current {
        epoch: Epoch(9),
        start: Offset(80),
        end: Offset(100),
    };

    fn past() -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, base) in [(2, 10), (2, 20), (5, 50), (5, 70)] {
            epochs.replay(Epoch(epoch), Offset(base));
        }
        epochs
    }

    fn check(asked: u32, expected: Option<(u32, i64)>) {
        let found = past().end_of(Epoch(asked), CURRENT);
        assert_eq!(found.map(|found| (found.epoch.0, found.end.0)), expected);
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        check(2, Some((2, 50)));
        check(5, Some((5, 80)));
    }

    #[test]
    fn one_that_wrote_nothing_is_answered_by_the_one_below() {
        check(3, Some((2, 50)));
        check(8, Some((5, 80)));
    }

    #[test]
    fn one_before_the_first_ends_where_the_first_begins() {
        check(1, Some((1, 10)));
    }

    #[test]
    fn the_current_one_ends_at_the_end_and_a_later_one_is_unknown() {
        check(9, Some((9, 100)));
        check(10, None);
    }

    #[test]
    fn every_offset_was_written_in_one_epoch() {
        let epochs = past();
        let at = |offset| {
            epochs
                .epoch_at(Offset(offset), CURRENT)
                .map(|epoch| epoch.0)
        };
        assert_eq!(
            (at(9), at(10), at(49), at(50)),
            (None, Some(2), Some(2), Some(5))
        );
        assert_eq!((at(79), at(80), at(100)), (Some(5), Some(9), Some(9)));
    }

    #[test]
    fn a_partition_without_past_answers_with_its_start() {
        let found = Epochs::default().end_of(Epoch(3), CURRENT);
        assert_eq!(
            found,
            Some(EpochEnd {
                epoch: Epoch(3),
                end: Offset(80)
            })
        );
    }
}
