//! One stream: its next offset, and where its entries lie.
//!
//! Entries are found by offset, by time, and by position, which tells what is visible: of those that lie where they were first appended all three
//! ascend together. Entries that were moved are kept apart: their positions ascend in no order of offsets, and as long as the copy is
//! not visible, the original counts.
//!
//! ```text
//!   offsets   0 ───── start ─────────────── visible ───── next
//!             deleted   may be read          appended, not yet visible
//! ```

use std::collections::BTreeMap;
use std::iter::Peekable;
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
    /// What lies below is deleted; `None` as long as nobody said where the stream starts.
    start: Option<i64>,
    /// The offset behind the last record of which no entry is in the index any more: all below is durable.
    gone: i64,
    index: Index,
    /// By first offset, then position: a later copy does not hide an earlier one before it is visible.
    moved: BTreeMap<(i64, u64), Item>,
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
        let start = state.start();
        let last = state.last_visible(until).map_or(0, Item::next);
        Bounds {
            start: Offset(start),
            end: Offset(last.max(state.gone).max(start)),
        }
    }

    /// Deletes all records below `to`, or all there are if it lies behind the end. Says where the stream starts now; it never goes back.
    pub(crate) fn set_start(&self, to: Offset) -> Offset {
        let mut state = self.state();
        let start = state.start().max(to.0.min(state.next));
        state.start = Some(start);
        Offset(start)
    }

    /// Takes what the caller remembers of the stream: the entries that would say so may be gone.
    pub(crate) fn restore(&self, start: Offset, next: Offset) {
        let mut state = self.state();
        state.next = state.next.max(next.0);
        state.gone = state.gone.max(next.0);
        let start = start.0.min(state.next);
        state.start = Some(state.start.map_or(start, |known| known.max(start)));
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

    /// The entry has a copy at `header.position`, which counts from when it is visible.
    pub(crate) fn moved(&self, header: &Header) {
        let item = Item {
            base_offset: header.base_offset.0,
            position: header.position,
            time_max_so_far: header.record_time_max_ms,
            payload_size: header.payload_size,
            count: header.count,
        };
        let mut state = self.state();
        // A stream may begin with moved entries, when those that were never moved are gone.
        state.next = state.next.max(item.next());
        // What is moved has been durable.
        state.gone = state.gone.max(item.next());
        state.moved.insert((item.base_offset, item.position), item);
    }

    /// Takes an entry as it was found in the log.
    pub(crate) fn replay(&self, header: &Header) {
        if header.moved {
            return self.moved(header);
        }
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
        let mut state = self.state();
        state.gone = state.next;
        state.start = Some(state.next);
        state.index = Index::default();
        state.moved.clear();
    }

    /// Forgets the entries that lie below `position`: their segments go.
    pub(crate) fn forget_below(&self, position: Position) {
        let mut state = self.state();
        let count = state
            .index
            .partition_point(|item| item.position < position.0);
        if let Some(last) = count.checked_sub(1).and_then(|last| state.index.get(last)) {
            state.gone = state.gone.max(last.next());
        }
        state.index.drop_front(count);
        state.moved.retain(|_, item| item.position >= position.0);
    }

    /// Calls `each` for up to `count_max` entries below `until` whose records count: they are not wholly below the start, and have no copy at `until` or
    /// behind it.
    pub(crate) fn counting_below(
        &self,
        until: Position,
        count_max: usize,
        mut each: impl FnMut(&Item),
    ) {
        let state = self.state();
        let start = state.start();
        let counts = |item: &&Item| {
            let copies = (item.base_offset, until.0)..=(item.base_offset, u64::MAX);
            item.next() > start && state.moved.range(copies).next().is_none()
        };
        let native = state.index.from(0);
        let native = native.take_while(|item| item.position < until.0);
        let moved = state.moved.values();
        let moved = moved.filter(|item| item.position < until.0);
        // Of several copies below, the newest is enough.
        let newest = |item: &&Item| {
            let later = (item.base_offset, item.position + 1)..(item.base_offset, until.0);
            state.moved.range(later).next().is_none()
        };
        native
            .chain(moved)
            .filter(counts)
            .filter(newest)
            .take(count_max)
            .for_each(&mut each);
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
        let native = state.index.from(first);
        let mut native = native.take_while(|item| item.position < until.0).peekable();
        let mut moved = state.moved_from(from.0, until).peekable();
        while let Some(next) = next_by_offset(&mut native, &mut moved) {
            if !each(next) {
                break;
            }
        }
    }

    /// The first entry below `until` with a record of `time` or later.
    pub(crate) fn first_at_or_after(&self, time_ms: i64, until: Position) -> Option<Item> {
        let state = self.state();
        let start = state.start();
        let first = state
            .index
            .partition_point(|item| item.time_max_so_far < time_ms || item.next() <= start);
        let item = state.index.get(first);
        let native = item.filter(|item| item.position < until.0);
        let mut moved = state.moved_from(start, until);
        let moved = moved.find(|item| item.time_max_so_far >= time_ms);
        let both = native.into_iter().chain(moved);
        both.min_by_key(|item| item.base_offset).copied()
    }

    /// The first entry below `until` that has the highest record time of them all.
    pub(crate) fn with_time_max(&self, until: Position) -> Option<Item> {
        let time_max = self.state().time_max(until)?;
        self.first_at_or_after(time_max, until)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next of two runs of entries, each in the order of offsets. Where both have an entry for the same offsets, it is the moved one, and the other is
/// passed over.
fn next_by_offset<'a>(
    native: &mut Peekable<impl Iterator<Item = &'a Item>>,
    moved: &mut Peekable<impl Iterator<Item = &'a Item>>,
) -> Option<&'a Item> {
    match (native.peek(), moved.peek()) {
        (Some(one), Some(other)) if one.base_offset < other.base_offset => native.next(),
        (Some(one), Some(other)) => {
            if one.base_offset == other.base_offset {
                native.next();
            }
            moved.next()
        }
        (Some(_), None) => native.next(),
        (None, _) => moved.next(),
    }
}

impl State {
    fn start(&self) -> i64 {
        self.start.unwrap_or_else(|| {
            let native = self.index.first().map(|item| item.base_offset);
            let moved = self
                .moved
                .keys()
                .next()
                .map(|(base_offset, _)| *base_offset);
            native.into_iter().chain(moved).min().unwrap_or(self.next)
        })
    }

    /// The newest visible copy of each moved entry, from the one that holds `from` on.
    fn moved_from(&self, from: i64, until: Position) -> impl Iterator<Item = &Item> {
        let visible = move |item: &&Item| item.position < until.0 && item.next() > from;
        let holds = self.moved.range(..=(from, u64::MAX)).next_back();
        let begin = holds.map_or(from, |((base_offset, _), _)| *base_offset);
        let newest = move |item: &&Item| {
            let later = (item.base_offset, item.position + 1)..(item.base_offset, until.0);
            self.moved.range(later).next().is_none()
        };
        let moved = self.moved.range((begin, 0)..).map(|(_, item)| item);
        moved.filter(visible).filter(newest)
    }

    /// The highest record time below `until`.
    fn time_max(&self, until: Position) -> Option<i64> {
        let native = self.last_visible(until).map(|item| item.time_max_so_far);
        let moved = self.moved_from(self.start(), until);
        native
            .into_iter()
            .chain(moved.map(|item| item.time_max_so_far))
            .max()
    }

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
        self.next = self.next.max(item.next());
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

    /// A copy of the entry of `count` records at `base_offset`.
    fn copy(base_offset: i64, count: u32, time: i64, position: u64) -> Header {
        Header {
            kind: pagelog_record::Kind::Data,
            moved: true,
            payload_size: 20,
            position,
            durable: 0,
            base_offset: Offset(base_offset),
            append_time_ms: 0,
            record_time_max_ms: time,
            stream: StreamId(1),
            count,
            epoch: pagelog_record::Epoch(1),
            producer: pagelog_record::Producer::NONE,
        }
    }

    fn places(stream: &Stream, from: i64, until: u64) -> Vec<(i64, u64)> {
        let mut found = Vec::new();
        stream.entries_from(Offset(from), Position(until), |item| {
            found.push((item.base_offset, item.position));
            true
        });
        found
    }

    #[test]
    fn a_copy_counts_when_it_is_visible_and_alone_when_its_original_is_gone() {
        let stream = stream(&[(2, 5), (3, 7), (1, 6)]);
        stream.moved(&copy(0, 2, 5, 300));
        stream.moved(&copy(2, 3, 7, 400));
        assert_eq!(stream.next_offset(), Offset(6));
        assert_eq!(places(&stream, 0, 300), [(0, 0), (2, 100), (5, 200)]);
        assert_eq!(places(&stream, 0, 400), [(0, 300), (2, 100), (5, 200)]);
        assert_eq!(places(&stream, 1, 500), [(0, 300), (2, 400), (5, 200)]);
        stream.forget_below(Position(200));
        assert_eq!(places(&stream, 0, 500), [(0, 300), (2, 400), (5, 200)]);
        assert_eq!(places(&stream, 4, 500), [(2, 400), (5, 200)]);
        // Moved once more: the copy of the copy is not visible yet.
        stream.moved(&copy(0, 2, 5, 600));
        assert_eq!(places(&stream, 0, 600), [(0, 300), (2, 400), (5, 200)]);
        stream.forget_below(Position(400));
        assert_eq!(places(&stream, 0, 700), [(0, 600), (2, 400)]);
        let bounds = stream.bounds(Position(700));
        assert_eq!((bounds.start, bounds.end), (Offset(0), Offset(6)));
        let at = |time| {
            let item = stream.first_at_or_after(time, Position(700));
            item.map(|item| item.base_offset)
        };
        assert_eq!((at(5), at(6), at(8)), (Some(0), Some(2), None));
    }

    #[test]
    fn what_counts_below_a_position_is_what_would_be_lost_with_it() {
        let stream = stream(&[(2, 5), (3, 7), (1, 6)]);
        let counting = |until| {
            let mut found = Vec::new();
            stream.counting_below(Position(until), usize::MAX, |item| {
                found.push(item.base_offset)
            });
            found
        };
        assert_eq!(counting(200), [0, 2]);
        assert_eq!(stream.set_start(Offset(3)), Offset(3));
        assert_eq!(counting(200), [2], "part of it counts");
        stream.moved(&copy(2, 3, 7, 300));
        assert_eq!(counting(200), []);
        assert_eq!(counting(300), [5]);
        assert_eq!(counting(400), [5, 2]);
        assert_eq!(stream.set_start(Offset(1)), Offset(3), "it never goes back");
        assert_eq!(stream.set_start(Offset(99)), Offset(6));
        assert_eq!(counting(400), []);
    }

    #[test]
    fn an_emptied_stream_is_restored() {
        let stream = stream(&[]);
        stream.restore(Offset(40), Offset(50));
        let bounds = stream.bounds(Position(100));
        assert_eq!((bounds.start, bounds.end), (Offset(40), Offset(50)));
        assert_eq!(stream.take(100, 20, 1, 0), Offset(50));
        assert_eq!(stream.bounds(Position(200)).end, Offset(51));
        assert_eq!(places(&stream, 40, 200), [(50, 100)]);
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
