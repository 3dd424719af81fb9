//! One stream: its next offset, and where its entries lie.
//!
//! Entries are found by offset, by time, and by position, which tells what is visible: all three ascend together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pagelog_record::{Header, Offset, StreamId};
use pagelog_segment::Position;

use crate::index::{Index, Item};

/// One stream of a log. Whoever appends to it or reads it holds it, so that nothing is looked up by id on the way.
#[derive(Debug)]
pub struct Stream {
    id: StreamId,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: i64,
    index: Index,
}

/// The offsets that a reader can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that is still there.
    pub start: Offset,
    /// The offset after the last one below the position that was asked for.
    pub end: Offset,
}

impl Stream {
    pub(crate) fn new(id: StreamId) -> Stream {
        Stream {
            id,
            state: Mutex::default(),
        }
    }

    /// The stream's id.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The offset that the next record gets.
    pub fn next_offset(&self) -> Offset {
        Offset(self.state().next)
    }

    /// The first offset, and the one after the last that lies below `until`.
    pub fn bounds(&self, until: Position) -> Bounds {
        let state = self.state();
        let start = state
            .index
            .first()
            .map_or(state.next, |item| item.base_offset);
        let last = state.last_visible(until);
        Bounds {
            start: Offset(start),
            end: Offset(last.map_or(start, Item::next)),
        }
    }

    /// Gives the next `count` offsets to the entry at `position`.
    pub(crate) fn take(
        &self,
        position: u64,
        payload_size: u32,
        count: u32,
        record_time_max: i64,
    ) -> Offset {
        let mut state = self.state();
        let base_offset = state.next;
        state.push(base_offset, position, payload_size, count, record_time_max);
        Offset(base_offset)
    }

    /// Takes an entry as it was found in the log.
    pub(crate) fn replay(&self, header: &Header) {
        self.state().push(
            header.base_offset.0,
            header.position,
            header.payload_size,
            header.count,
            header.record_time_max_ms,
        );
    }

    /// Forgets every entry; offsets go on from where they are.
    pub(crate) fn clear(&self) {
        self.state().index = Index::default();
    }

    /// Calls `each` for the entries from the one that holds `from` on, below `until`, while it says so.
    pub(crate) fn entries_from(
        &self,
        from: Offset,
        until: Position,
        mut each: impl FnMut(&Item) -> bool,
    ) {
        let state = self.state();
        let first = state.index.partition_point(|item| item.next() <= from.0);
        for item in state.index.from(first) {
            if item.position >= until.0 || !each(item) {
                break;
            }
        }
    }

    /// The first entry below `until` with a record of `time` or later.
    pub(crate) fn first_at_or_after(&self, time_ms: i64, until: Position) -> Option<Item> {
        let state = self.state();
        let first = state
            .index
            .partition_point(|item| item.time_max_so_far < time_ms);
        let item = state.index.get(first).copied();
        item.filter(|item| item.position < until.0)
    }

    /// The first entry below `until` that has the highest record time of them all.
    pub(crate) fn with_time_max(&self, until: Position) -> Option<Item> {
        let time_max = self.state().last_visible(until)?.time_max_so_far;
        self.first_at_or_after(time_max, until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, base_offset: i64, position: u64, payload_size: u32, count: u32, time: i64) {
        let so_far = self
            .index
            .last()
            .map_or(i64::MIN, |item| item.time_max_so_far);
        let item = Item {
            base_offset,
            position,
            time_max_so_far: so_far.max(time),
            payload_size,
            count,
        };
        self.next = item.next();
        self.index.push(item);
    }

    /// The last entry below `until`, which is the end of one: most often the last of all, or one of the last few.
    fn last_visible(&self, until: Position) -> Option<&Item> {
        let last = self.index.last()?;
        if last.position < until.0 {
            return Some(last);
        }
        let count = self.index.partition_point(|item| item.position < until.0);
        self.index.get(count.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(entries: &[(u32, i64)]) -> Stream {
        let stream = Stream::new(StreamId(1));
        for (index, &(count, time)) in entries.iter().enumerate() {
            stream.take(index as u64 * 100, 20, count, time);
        }
        stream
    }

    #[test]
    fn bounds_end_where_visibility_ends() {
        let stream = stream(&[(2, 5), (3, 7), (1, 6)]);
        let end = |until| stream.bounds(Position(until)).end;
        assert_eq!(end(0), Offset(0));
        assert_eq!(end(100), Offset(2));
        assert_eq!(end(200), Offset(5));
        assert_eq!(end(300), Offset(6));
    }

    #[test]
    fn an_offset_within_an_entry_finds_the_entry() {
        let stream = stream(&[(2, 5), (3, 7), (1, 6)]);
        let mut found = Vec::new();
        stream.entries_from(Offset(3), Position(300), |item| {
            found.push(item.base_offset);
            true
        });
        assert_eq!(found, [2, 5]);
    }

    #[test]
    fn time_finds_the_first_entry_that_reaches_it() {
        let stream = stream(&[(1, 5), (1, 9), (1, 7), (1, 9)]);
        let at = |time| {
            let item = stream.first_at_or_after(time, Position(400));
            item.map(|item| item.base_offset)
        };
        assert_eq!(
            (at(4), at(6), at(9), at(10)),
            (Some(0), Some(1), Some(1), None)
        );
        let highest = stream
            .with_time_max(Position(400))
            .map(|item| item.base_offset);
        assert_eq!(highest, Some(1));
    }

    #[test]
    fn a_cleared_stream_keeps_its_next_offset() {
        let stream = stream(&[(2, 5)]);
        stream.clear();
        assert_eq!(stream.next_offset(), Offset(2));
        let empty = Bounds {
            start: Offset(2),
            end: Offset(2),
        };
        assert_eq!(stream.bounds(Position(100)), empty);
    }
}
