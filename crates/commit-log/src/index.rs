//! Where the entries of one stream lie: items of 32 bytes in the order of offsets, which within a stream is the order of positions too.
//!
//! Items are kept in chunks that are never moved once they are full, so that adding the millionth costs an appender no more than adding the tenth.

/// One entry of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) base_offset: i64,
    pub(crate) position: u64,
    /// The highest record time of this entry and of all before it: ascending, so that time is found by binary search too.
    pub(crate) time_max_so_far: i64,
    pub(crate) payload_size: u32,
    pub(crate) count: u32,
}

const _: () = assert!(size_of::<Item>() == 32);

/// Items to a full chunk: 32 KiB.
const CHUNK_COUNT: usize = if cfg!(test) { 4 } else { 1024 };

/// The items of one stream.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// All but the last are full; none is empty.
    chunks: Vec<Vec<Item>>,
}

impl Item {
    /// The offset after its last record.
    pub(crate) fn next(&self) -> i64 {
        self.base_offset + i64::from(self.count)
    }
}

impl Index {
    pub(crate) fn push(&mut self, item: Item) {
        match self.chunks.last_mut() {
            // A stream with few entries takes little: its one chunk grows as it fills.
            Some(chunk) if chunk.len() < CHUNK_COUNT => chunk.push(item),
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK_COUNT);
                chunk.push(item);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![item]),
        }
    }

    /// Takes the first `count` items out.
    pub(crate) fn drop_front(&mut self, count: usize) {
        let kept: Vec<Item> = self.from(count).copied().collect();
        *self = Index::default();
        kept.into_iter().for_each(|item| self.push(item));
    }

    pub(crate) fn first(&self) -> Option<&Item> {
        self.chunks.first()?.first()
    }

    pub(crate) fn last(&self) -> Option<&Item> {
        self.chunks.last()?.last()
    }

    /// The number of items at the front for which `before` holds; it holds for none behind them.
    pub(crate) fn partition_point(&self, before: impl Fn(&Item) -> bool) -> usize {
        let all_before = |chunk: &Vec<Item>| chunk.last().is_some_and(&before);
        // The chunk where the items part is the first that is not all before, or the last one.
        let parting = self.chunks.partition_point(all_before);
        let parting = parting.min(self.chunks.len().saturating_sub(1));
        let within = |chunk: &Vec<Item>| chunk.partition_point(before);
        parting * CHUNK_COUNT + self.chunks.get(parting).map_or(0, within)
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Item> {
        self.chunks
            .get(number / CHUNK_COUNT)?
            .get(number % CHUNK_COUNT)
    }

    /// The items from `number` on.
    pub(crate) fn from(&self, number: usize) -> impl Iterator<Item = &Item> {
        let chunks = self.chunks.get(number / CHUNK_COUNT..).unwrap_or_default();
        chunks.iter().flatten().skip(number % CHUNK_COUNT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(count: u64) -> (Index, Vec<Item>) {
        let mut index = Index::default();
        let items: Vec<Item> = (0..count)
            .map(|number| Item {
                base_offset: number as i64 * 2,
                position: number * 100,
                time_max_so_far: number as i64 / 3,
                payload_size: 20,
                count: 2,
            })
            .collect();
        items.iter().for_each(|item| index.push(*item));
        (index, items)
    }

    #[test]
    fn chunks_are_searched_as_one_run() {
        for count in 0..14 {
            let (index, items) = index(count);
            assert_eq!((index.first(), index.last()), (items.first(), items.last()));
            for until in 0..=count * 100 + 50 {
                let before = |item: &Item| item.position < until;
                assert_eq!(index.partition_point(before), items.partition_point(before));
            }
            for number in 0..=items.len() {
                assert_eq!(index.get(number), items.get(number));
                let rest: Vec<Item> = index.from(number).copied().collect();
                assert_eq!(rest, items[number..]);
            }
        }
    }
}
