//! One stream: its offsets, and where those of its entries lie that no index file tells yet.
//!
//! Entries are found by offset, by time, and by position, which tells what is visible. Those that were appended to the stream ascend in offset and
//! position together; those that were moved do not, and are kept apart.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pagelog_record::{Header, Offset, StreamId};
use pagelog_segment::Position;

use crate::checkpoint::StreamMark;
use crate::index::{Item, Pool, Recent};

/// One stream of a log. Whoever appends to it or reads it holds it, so that nothing is looked up by id on the way.
#[derive(Debug)]
pub struct Stream {
    id: StreamId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The offset that the next record gets.
    next: i64,
    /// What lies below is deleted; `None` as long as nobody said where the stream starts.
    start: Option<i64>,
    /// The lowest offset that was ever met; `i64::MAX` if there was none.
    first: i64,
    /// The offset after the last entry that has left memory for a file.
    filed_next: i64,
    /// Nobody asks for it any more; it stays until all its entries are in files.
    forgotten: bool,
    native: Recent,
    /// By offset and position. Rarely there.
    moved: Option<Box<Moved>>,
}

type Moved = BTreeMap<(i64, u64), Item>;

/// The offsets that a reader can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The first offset that is still there.
    pub start: Offset,
    /// The offset after the last one below the position that was asked for.
    pub end: Offset,
}

/// What memory holds of a stream from an offset on.
#[derive(Debug)]
pub(crate) struct InMemory {
    /// The entries from the one that holds the offset on, or from the next one on if none holds it; without a gap.
    pub(crate) items: Vec<Item>,
    /// No file holds an entry of this offset or above.
    pub(crate) filed_next: i64,
}

impl Stream {
    pub(crate) fn new(id: StreamId) -> Stream {
        let state = State {
            next: 0,
            start: None,
            first: i64::MAX,
            filed_next: 0,
            forgotten: false,
            native: Recent::default(),
            moved: None,
        };
        Stream {
            id,
            state: Mutex::new(state),
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
    ///
    /// What an index file holds already was durable when it was written, and counts as below `until`.
    pub fn bounds(&self, until: Position) -> Bounds {
        let state = self.state();
        let start = state.start();
        let end = state.last_visible(until).map_or(start, Item::next);
        Bounds {
            start: Offset(start),
            end: Offset(end.max(state.filed_next).max(start)),
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
        state.filed_next = state.filed_next.max(next.0);
        let start = start.0.min(state.next);
        state.start = Some(state.start.map_or(start, |known| known.max(start)));
    }

    /// What a checkpoint tells of it; `None` if nothing that counts.
    pub(crate) fn mark(&self) -> Option<StreamMark> {
        let state = self.state();
        let counts = !state.forgotten && state.next > 0;
        counts.then_some(StreamMark {
            id: self.id,
            next: state.next,
            start: state.start,
            first: state.first,
        })
    }

    /// Takes what a checkpoint tells. All of it was durable then.
    pub(crate) fn recall(&self, mark: &StreamMark) {
        let mut state = self.state();
        state.next = mark.next;
        state.filed_next = mark.next;
        state.start = mark.start;
        state.first = mark.first;
    }

    /// Gives the next offsets to the entry at `item.position`.
    pub(crate) fn take(&self, item: Item, pool: &Pool) -> Offset {
        let mut state = self.state();
        let base_offset = state.next;
        let item = Item {
            base_offset,
            ..item
        };
        state.first = state.first.min(base_offset);
        state.next = item.next();
        state.native.push(item, pool);
        Offset(base_offset)
    }

    /// Whether every entry that was appended to it lies below `position`.
    pub(crate) fn ends_before(&self, position: u64) -> bool {
        let state = self.state();
        state
            .native
            .last()
            .is_none_or(|last| last.position < position)
    }

    /// A copy of an entry lies at `item.position`.
    pub(crate) fn take_moved(&self, item: Item) {
        self.state().put_aside(item);
    }

    /// Takes an entry as it was found in the log, but for its place if a file tells that already.
    pub(crate) fn replay(&self, header: &Header, place: Option<&Pool>) {
        let mut state = self.state();
        let item = Item::of(header);
        state.first = state.first.min(item.base_offset);
        state.next = state.next.max(item.next());
        let follows = |last: &Item| last.next() <= item.base_offset;
        match place {
            None => state.filed_next = state.filed_next.max(item.next()),
            Some(pool) if !header.moved && state.native.last().is_none_or(follows) => {
                state.native.push(item, pool);
            }
            Some(_) => {
                // Its original may be gone, and readers see at once what an opening has found.
                state.filed_next = state.filed_next.max(item.next());
                state.put_aside(item);
            }
        }
    }

    /// Nothing of it counts any more; offsets go on from where they are.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.forgotten = true;
        state.start = Some(state.next);
    }

    /// Whether it is forgotten, and files tell of all its entries.
    pub(crate) fn is_gone(&self) -> bool {
        let state = self.state();
        state.forgotten && state.native.is_empty() && state.moved.is_none()
    }

    /// The offset from which on entries count.
    pub(crate) fn start(&self) -> i64 {
        self.state().start()
    }

    /// Up to `count_max` entries from `offset` on, below `until`.
    pub(crate) fn in_memory(&self, offset: i64, until: Position, count_max: usize) -> InMemory {
        let state = self.state();
        let native = state.visible(offset, until).take(count_max);
        let mut items: Vec<Item> = native.copied().collect();
        if state.moved.is_some() {
            items.extend(state.moved_visible(offset, until).take(count_max));
            items.sort_unstable_by_key(Item::order);
            items.dedup_by_key(|item| item.base_offset);
        }
        let follows = |pair: &[Item]| pair[1].base_offset == pair[0].next();
        let gap = items.windows(2).position(|pair| !follows(pair));
        items.truncate(gap.map_or(count_max, |gap| gap + 1));
        InMemory {
            items,
            filed_next: state.filed_next,
        }
    }

    /// The first entry from `offset` on, below `until`, whose time is `time_ms` or later, of those in memory.
    pub(crate) fn at_time(&self, offset: i64, time_ms: i64, until: Position) -> Option<Item> {
        let state = self.state();
        let meets = |item: &&Item| item.time_max_ms >= time_ms;
        let native = state.visible(offset, until).find(meets).copied();
        let moved = state.moved_visible(offset, until).find(meets).copied();
        earlier(native, moved)
    }

    /// Of the entries in memory from `offset` on, below `until`, the first that has the highest time.
    pub(crate) fn time_max(&self, offset: i64, until: Position) -> Option<Item> {
        let state = self.state();
        let all = state
            .visible(offset, until)
            .chain(state.moved_visible(offset, until));
        all.copied().reduce(later_time)
    }

    /// Up to `count_max` entries in memory below `until`, from `offset` on; as many that were moved, apart, the newest copy of each.
    pub(crate) fn below(&self, until: Position, offset: i64, count_max: usize) -> [Vec<Item>; 2] {
        let state = self.state();
        let native = state.visible(offset, until).take(count_max);
        let moved = state.moved_visible(offset, until).take(count_max);
        [native.copied().collect(), moved.copied().collect()]
    }

    /// Whether memory holds a copy of the entry at `base_offset`, at `from` or behind it.
    pub(crate) fn has_copy(&self, base_offset: i64, from: Position) -> bool {
        let state = self.state();
        let copies = (base_offset, from.0)..=(base_offset, u64::MAX);
        let mut moved = state.moved.iter();
        moved.any(|moved| moved.range(copies.clone()).next().is_some())
    }

    /// The entries in memory at `from..to` of the log, in the order of offsets: of the moved ones all, of the others up to `count_max` behind
    /// the position `behind`.
    pub(crate) fn between(
        &self,
        from: Position,
        to: Position,
        behind: Option<u64>,
        count_max: usize,
    ) -> Vec<Item> {
        let state = self.state();
        let first = match behind {
            None => state.native.partition_point(|item| item.position < from.0),
            Some(last) => state.native.partition_point(|item| item.position <= last),
        };
        let native = state.native.from(first);
        let native = native.take_while(|item| item.position < to.0);
        native.take(count_max).copied().collect()
    }

    /// The moved entries in memory at `from..to` of the log, in the order of offsets, of copies the newer one first.
    pub(crate) fn moved_between(&self, from: Position, to: Position) -> Vec<Item> {
        let state = self.state();
        let within = |item: &&Item| (from.0..to.0).contains(&item.position);
        let moved = state.moved.iter().flat_map(|moved| moved.values());
        let mut moved: Vec<Item> = moved.filter(within).copied().collect();
        moved.sort_unstable_by_key(|item| (item.base_offset, std::cmp::Reverse(item.position)));
        moved
    }

    /// Forgets where entries below `to` lie: a file tells now.
    pub(crate) fn drop_filed(&self, to: Position, pool: &Pool) {
        let mut state = self.state();
        let count = state.native.partition_point(|item| item.position < to.0);
        if let Some(last) = count.checked_sub(1).and_then(|last| state.native.get(last)) {
            state.filed_next = state.filed_next.max(last.next());
            state.native.drop_front(count, pool);
        }
        if let Some(moved) = &mut state.moved {
            moved.retain(|(_, position), _| *position >= to.0);
            if moved.is_empty() {
                state.moved = None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn start(&self) -> i64 {
        self.start.unwrap_or(self.first.min(self.next))
    }

    fn put_aside(&mut self, item: Item) {
        self.first = self.first.min(item.base_offset);
        let key = (item.base_offset, item.position);
        self.moved.get_or_insert_default().insert(key, item);
    }

    /// The last entry below `until`, which is the end of one: most often the last of all, or one of the last few.
    fn last_visible(&self, until: Position) -> Option<&Item> {
        let last = self.native.last()?;
        if last.position < until.0 {
            return Some(last);
        }
        let count = self.native.partition_point(|item| item.position < until.0);
        self.native.get(count.checked_sub(1)?)
    }

    fn visible(&self, offset: i64, until: Position) -> impl Iterator<Item = &Item> {
        let first = self.native.partition_point(|item| item.next() <= offset);
        let items = self.native.from(first);
        items.take_while(move |item| item.position < until.0)
    }

    /// The moved entries, of copies the newest that is visible.
    fn moved_visible(&self, offset: i64, until: Position) -> impl Iterator<Item = &Item> {
        let all = self.moved.iter().flat_map(|moved| moved.values());
        let mut all = all
            .filter(move |item| item.next() > offset && item.position < until.0)
            .peekable();
        std::iter::from_fn(move || {
            let mut found = all.next()?;
            while let Some(copy) = all.next_if(|copy| copy.base_offset == found.base_offset) {
                found = copy;
            }
            Some(found)
        })
    }
}

/// Of two entries the one with the lower offset, or the newer copy.
pub(crate) fn earlier(one: Option<Item>, other: Option<Item>) -> Option<Item> {
    one.into_iter().chain(other).min_by_key(Item::order)
}

/// Of two entries the one with the later time; if they have the same, as [`earlier`].
pub(crate) fn later_time(one: Item, other: Item) -> Item {
    let order = |item: &Item| (std::cmp::Reverse(item.time_max_ms), item.order());
    std::cmp::min_by_key(one, other, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: Position = Position(10_000);

    fn stream(entries: &[(u32, i64)]) -> (Stream, Pool) {
        let (stream, pool) = (Stream::new(StreamId(1)), Pool::default());
        for (index, &(count, time_max_ms)) in entries.iter().enumerate() {
            let item = Item {
                position: index as u64 * 100,
                time_max_ms,
                payload_size: 20,
                count,
                ..Item::default()
            };
            stream.take(item, &pool);
        }
        (stream, pool)
    }

    fn moved(base_offset: i64, position: u64, count: u32) -> Item {
        Item {
            base_offset,
            position,
            count,
            ..Item::default()
        }
    }

    fn found(stream: &Stream, offset: i64, until: u64) -> Vec<(i64, u64)> {
        let items = stream.in_memory(offset, Position(until), 100).items;
        let place = |item: &Item| (item.base_offset, item.position);
        items.iter().map(place).collect()
    }

    #[test]
    fn bounds_end_where_visibility_ends() {
        let (stream, _) = stream(&[(2, 5), (3, 7), (1, 6)]);
        let end = |until| stream.bounds(Position(until)).end;
        assert_eq!(end(0), Offset(0));
        assert_eq!(end(100), Offset(2));
        assert_eq!(end(200), Offset(5));
        assert_eq!(end(300), Offset(6));
    }

    #[test]
    fn an_offset_within_an_entry_finds_the_entry() {
        let (stream, _) = stream(&[(2, 5), (3, 7), (1, 6)]);
        assert_eq!(found(&stream, 3, 300), [(2, 100), (5, 200)]);
        assert_eq!(found(&stream, 3, 200), [(2, 100)]);
        assert_eq!(stream.in_memory(0, END, 2).items.len(), 2);
    }

    #[test]
    fn a_moved_entry_is_found_where_its_newest_visible_copy_lies() {
        let (stream, pool) = stream(&[(2, 5), (3, 7), (1, 6), (1, 8)]);
        stream.drop_filed(Position(200), &pool);
        stream.take_moved(moved(2, 500, 3));
        stream.take_moved(moved(2, 600, 3));
        assert_eq!(found(&stream, 0, 600), [(2, 500), (5, 200), (6, 300)]);
        assert_eq!(found(&stream, 3, 700), [(2, 600), (5, 200), (6, 300)]);
        assert_eq!(found(&stream, 3, 500), [(5, 200), (6, 300)]);
        stream.take_moved(moved(0, 700, 1));
        assert_eq!(
            found(&stream, 0, 900),
            [(0, 700)],
            "a gap ends what is found"
        );
        assert_eq!(found(&stream, 1, 900)[0], (2, 600));
    }

    #[test]
    fn time_finds_the_first_entry_that_reaches_it() {
        let (stream, _) = stream(&[(1, 5), (1, 9), (1, 7), (1, 9)]);
        let at = |offset, time| {
            let item = stream.at_time(offset, time, END);
            item.map(|item| item.base_offset)
        };
        assert_eq!(
            (at(0, 4), at(0, 6), at(0, 9), at(0, 10)),
            (Some(0), Some(1), Some(1), None)
        );
        assert_eq!((at(2, 6), at(2, 8)), (Some(2), Some(3)));
        let highest = |offset| stream.time_max(offset, END).map(|item| item.base_offset);
        assert_eq!(
            (highest(0), highest(2), highest(4)),
            (Some(1), Some(3), None)
        );
    }

    #[test]
    fn what_is_in_a_file_leaves_memory_and_stays_within_the_bounds() {
        let (stream, pool) = stream(&[(2, 5), (3, 7), (1, 6)]);
        stream.take_moved(moved(0, 150, 2));
        let items = stream.between(Position(100), Position(300), None, 1);
        assert_eq!(items[0].position, 100);
        let items = stream.between(Position(100), Position(300), Some(100), 9);
        assert_eq!((items.len(), items[0].position), (1, 200));
        assert_eq!(stream.moved_between(Position(100), Position(200)).len(), 1);
        stream.drop_filed(Position(300), &pool);
        let all = Bounds {
            start: Offset(0),
            end: Offset(6),
        };
        assert_eq!(stream.bounds(Position(300)), all);
        assert!(found(&stream, 0, 300).is_empty());
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn a_start_never_goes_back_and_never_behind_the_end() {
        let (stream, _) = stream(&[(2, 5), (3, 7)]);
        assert_eq!(stream.set_start(Offset(3)), Offset(3));
        assert_eq!(stream.set_start(Offset(1)), Offset(3));
        assert_eq!(stream.set_start(Offset(9)), Offset(5));
        let nothing = Bounds {
            start: Offset(5),
            end: Offset(5),
        };
        assert_eq!(stream.bounds(END), nothing);
    }

    #[test]
    fn an_emptied_stream_is_restored() {
        let (stream, pool) = stream(&[]);
        stream.restore(Offset(40), Offset(50));
        let bounds = stream.bounds(END);
        assert_eq!((bounds.start, bounds.end), (Offset(40), Offset(50)));
        let item = Item {
            position: 100,
            count: 1,
            ..Item::default()
        };
        assert_eq!(stream.take(item, &pool), Offset(50));
        assert_eq!(stream.bounds(END).end, Offset(51));
        assert_eq!(found(&stream, 40, 200), [(50, 100)]);
    }

    #[test]
    fn a_forgotten_stream_keeps_its_next_offset() {
        let (stream, pool) = stream(&[(2, 5)]);
        stream.forget();
        assert_eq!(stream.next_offset(), Offset(2));
        let empty = Bounds {
            start: Offset(2),
            end: Offset(2),
        };
        assert_eq!(stream.bounds(Position(100)), empty);
        assert!(!stream.is_gone());
        stream.drop_filed(Position(100), &pool);
        assert!(stream.is_gone());
    }
}
