//! Where the entries of one stream lie that no file tells yet: items in the order of offsets, which is the order of positions too.
//!
//! Items are kept in small chunks that are taken from a pool and given back to it, so that the log allocates nothing for an entry once it has
//! run for a while, and a stream that is rarely written takes little.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::item::Item;

/// Items to a chunk: half a kibibyte, of which a stream wastes half on average.
const CHUNK_COUNT: usize = if cfg!(test) { 4 } else { 16 };

/// The memory that a chunk takes, in bytes.
const CHUNK_SIZE: usize = size_of::<Chunk>() + size_of::<Box<Chunk>>();

#[derive(Debug)]
struct Chunk {
    items: [Item; CHUNK_COUNT],
    filled: usize,
}

/// Chunks for all streams of a log.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    #[expect(
        clippy::vec_box,
        reason = "a chunk goes from the pool to a stream and back without being copied"
    )]
    free: Mutex<Vec<Box<Chunk>>>,
    used: AtomicUsize,
    /// The count of chunks that is not to be passed unnoticed.
    limit: AtomicUsize,
    crossed: AtomicBool,
}

impl Pool {
    /// The bytes that streams hold of it.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Relaxed) * CHUNK_SIZE
    }

    /// Sets how much of it streams should hold, in bytes.
    pub(crate) fn set_limit(&self, size_max: usize) {
        self.limit.store(size_max / CHUNK_SIZE, Relaxed);
    }

    /// Whether they hold more.
    pub(crate) fn is_above_limit(&self) -> bool {
        self.used.load(Relaxed) > self.limit.load(Relaxed)
    }

    /// Whether that has become so since it was last asked.
    pub(crate) fn has_crossed(&self) -> bool {
        self.crossed.load(Relaxed) && self.crossed.swap(false, Relaxed)
    }

    fn take(&self, first: Item) -> Box<Chunk> {
        if self.used.fetch_add(1, Relaxed) == self.limit.load(Relaxed) {
            self.crossed.store(true, Relaxed);
        }
        let free = self
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut chunk = free.unwrap_or_else(|| {
            Box::new(Chunk {
                items: [Item::default(); CHUNK_COUNT],
                filled: 0,
            })
        });
        chunk.items[0] = first;
        chunk.filled = 1;
        chunk
    }

    fn give_back(&self, chunks: impl ExactSizeIterator<Item = Box<Chunk>>) {
        self.used.fetch_sub(chunks.len(), Relaxed);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(chunks);
    }

    /// Gives back to the system what is above the limit.
    pub(crate) fn trim(&self) {
        let limit = self.limit.load(Relaxed);
        let left = limit.saturating_sub(self.used.load(Relaxed));
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() > left {
            free.truncate(left);
            free.shrink_to_fit();
        }
    }
}

/// The items of one stream that are in memory.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    /// All but the last are full; none is empty.
    chunks: VecDeque<Box<Chunk>>,
    /// How many items at the front of the first chunk are gone.
    gone: usize,
}

impl Recent {
    pub(crate) fn push(&mut self, item: Item, pool: &Pool) {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.filled < CHUNK_COUNT => {
                chunk.items[chunk.filled] = item;
                chunk.filled += 1;
            }
            _ => self.chunks.push_back(pool.take(item)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        let last = self.chunks.back().map_or(0, |chunk| chunk.filled);
        (self.chunks.len().saturating_sub(1) * CHUNK_COUNT + last) - self.gone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Item> {
        let number = number + self.gone;
        let chunk = self.chunks.get(number / CHUNK_COUNT)?;
        chunk.items[..chunk.filled].get(number % CHUNK_COUNT)
    }

    pub(crate) fn last(&self) -> Option<&Item> {
        let chunk = self.chunks.back()?;
        chunk.items[..chunk.filled].last()
    }

    /// The number of items at the front for which `before` holds; it holds for none behind them.
    pub(crate) fn partition_point(&self, before: impl Fn(&Item) -> bool) -> usize {
        let all_before = |chunk: &Chunk| chunk.items[..chunk.filled].last().is_some_and(&before);
        // The chunk where the items part is the first that is not all before, or the last one.
        let parting = self.chunks.partition_point(|chunk| all_before(chunk));
        let parting = parting.min(self.chunks.len().saturating_sub(1));
        let Some(chunk) = self.chunks.get(parting) else {
            return 0;
        };
        let within = chunk.items[..chunk.filled].partition_point(before);
        (parting * CHUNK_COUNT + within).saturating_sub(self.gone)
    }

    /// The items from `number` on.
    pub(crate) fn from(&self, number: usize) -> impl Iterator<Item = &Item> {
        let number = number + self.gone;
        let chunks = self
            .chunks
            .range(self.chunks.len().min(number / CHUNK_COUNT)..);
        chunks
            .flat_map(|chunk| &chunk.items[..chunk.filled])
            .skip(number % CHUNK_COUNT)
    }

    /// Drops the first `count` items; there are so many.
    pub(crate) fn drop_front(&mut self, count: usize, pool: &Pool) {
        let whole = count == self.len();
        let gone = self.gone + count;
        let chunks = if whole {
            self.chunks.len()
        } else {
            gone / CHUNK_COUNT
        };
        self.gone = if whole { 0 } else { gone % CHUNK_COUNT };
        let before = self.chunks.len();
        pool.give_back(self.chunks.drain(..chunks));
        // What a stream held until now it will hold again, so it keeps room for that; one that holds much less than before gives it back.
        if self.chunks.capacity() > 64 && before < self.chunks.capacity() / 4 {
            self.chunks.shrink_to(before * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(count: u64) -> Vec<Item> {
        let item = |number| Item {
            base_offset: number as i64 * 2,
            position: number * 100,
            time_max_ms: number as i64 / 3,
            payload_size: 20,
            count: 2,
        };
        (0..count).map(item).collect()
    }

    fn check(recent: &Recent, items: &[Item]) {
        assert_eq!(recent.len(), items.len());
        assert_eq!(recent.is_empty(), items.is_empty());
        assert_eq!(recent.last(), items.last());
        for until in 0..=1500 {
            let before = |item: &Item| item.position < until;
            assert_eq!(
                recent.partition_point(before),
                items.partition_point(before),
                "below {until} of {items:?}"
            );
        }
        for number in 0..=items.len() {
            assert_eq!(recent.get(number), items.get(number));
            let rest: Vec<Item> = recent.from(number).copied().collect();
            assert_eq!(rest, items[number..]);
        }
    }

    #[test]
    fn chunks_are_searched_as_one_run_whatever_is_gone_of_them() {
        for count in 0..14 {
            for gone in 0..=count {
                let (pool, mut recent) = (Pool::default(), Recent::default());
                let items = items(count);
                items.iter().for_each(|item| recent.push(*item, &pool));
                recent.drop_front(gone as usize, &pool);
                check(&recent, &items[gone as usize..]);
                let more = Item {
                    position: 1400,
                    ..Item::default()
                };
                recent.push(more, &pool);
                check(&recent, &[&items[gone as usize..], &[more]].concat());
            }
        }
    }

    #[test]
    fn what_is_dropped_is_taken_again() {
        let (pool, mut recent) = (Pool::default(), Recent::default());
        items(9).iter().for_each(|item| recent.push(*item, &pool));
        assert_eq!(pool.used(), 3 * CHUNK_SIZE);
        recent.drop_front(9, &pool);
        assert_eq!(pool.used(), 0);
        let free = || pool.free.lock().unwrap().len();
        assert_eq!(free(), 3);
        items(5).iter().for_each(|item| recent.push(*item, &pool));
        assert_eq!((pool.used(), free()), (2 * CHUNK_SIZE, 1));
        pool.set_limit(2 * CHUNK_SIZE);
        pool.trim();
        assert_eq!(free(), 0);
    }
}
