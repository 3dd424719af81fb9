//! What memory holds of a part of the log, by stream and offset.

use std::sync::Arc;
use std::vec::IntoIter;

use pagelog_segment::Position;

use super::IndexError;
use super::item::{Item, Keyed};
use crate::stream::Stream;

/// How many entries of a stream are copied out at once, while its lock is held.
const COUNT_MAX: usize = 1024;

/// The entries at `from..to` of the log, as streams have them in memory, which they must until the last of them was given.
pub(crate) struct FromMemory {
    streams: Arc<[Arc<Stream>]>,
    from: Position,
    to: Position,
    /// The stream whose items are given next.
    number: usize,
    items: IntoIter<Item>,
    /// The position of the last native item that was copied out; nothing was if `None`.
    last: Option<u64>,
}

impl FromMemory {
    pub(crate) fn new(streams: Arc<[Arc<Stream>]>, from: Position, to: Position) -> FromMemory {
        FromMemory {
            streams,
            from,
            to,
            number: 0,
            items: Vec::new().into_iter(),
            last: None,
        }
    }

    /// The next items of the stream; none if all have been given.
    fn more_of(&mut self, stream: &Stream) -> Vec<Item> {
        let (from, to) = (self.from, self.to);
        let moved = match self.last {
            None => stream.moved_between(from, to),
            Some(_) => Vec::new(),
        };
        // Where entries were moved they are sorted together with the others, which is rare.
        let count_max = if moved.is_empty() {
            COUNT_MAX
        } else {
            usize::MAX
        };
        let mut items = stream.between(from, to, self.last, count_max);
        self.last = items.last().map(|item| item.position).or(Some(to.0));
        if !moved.is_empty() {
            items.extend(moved);
            items.sort_unstable_by_key(Item::order);
        }
        items
    }
}

impl Iterator for FromMemory {
    type Item = Result<Keyed, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let stream = Arc::clone(self.streams.get(self.number)?);
            if let Some(item) = self.items.next() {
                let stream = stream.id();
                return Some(Ok(Keyed { stream, item }));
            }
            let items = self.more_of(&stream);
            if items.is_empty() {
                self.number += 1;
                self.last = None;
            }
            self.items = items.into_iter();
        }
    }
}
