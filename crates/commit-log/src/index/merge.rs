//! Items from several sources in one order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

use super::IndexError;
use super::item::Keyed;

/// Items in the order of [`Keyed::order`]; an error is the last.
pub(crate) type Sorted = Box<dyn Iterator<Item = Result<Keyed, IndexError>>>;

/// Items of several sources, each of which is in order itself.
pub(crate) struct Merge {
    sources: Vec<Peekable<Sorted>>,
    /// What each source that is not at its end gives next.
    heads: BinaryHeap<Reverse<(Order, usize)>>,
}

type Order = (u32, i64, Reverse<u64>);

impl Merge {
    pub(crate) fn new(sources: Vec<Sorted>) -> Merge {
        let mut merge = Merge {
            heads: BinaryHeap::with_capacity(sources.len()),
            sources: sources.into_iter().map(Iterator::peekable).collect(),
        };
        for number in 0..merge.sources.len() {
            merge.look(number);
        }
        merge
    }

    /// A source that has failed comes first, so that its error is not missed.
    fn look(&mut self, number: usize) {
        let order = match self.sources[number].peek() {
            None => return,
            Some(Ok(keyed)) => keyed.order(),
            Some(Err(_)) => (0, i64::MIN, Reverse(0)),
        };
        self.heads.push(Reverse((order, number)));
    }
}

impl Iterator for Merge {
    type Item = Result<Keyed, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((_, number)) = self.heads.pop()?;
        let next = self.sources[number].next();
        self.look(number);
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Item;
    use pagelog_record::StreamId;

    fn keyed(stream: u32, base_offset: i64, position: u64) -> Keyed {
        let item = Item {
            base_offset,
            position,
            ..Item::default()
        };
        let stream = StreamId(stream);
        Keyed { stream, item }
    }

    fn merged(sources: Vec<Vec<Result<Keyed, IndexError>>>) -> Vec<Result<Keyed, IndexError>> {
        let sorted = |source: Vec<_>| Box::new(source.into_iter()) as Sorted;
        Merge::new(sources.into_iter().map(sorted).collect()).collect()
    }

    #[test]
    fn the_newer_copy_comes_first() {
        let found = merged(vec![
            vec![
                Ok(keyed(1, 0, 80)),
                Ok(keyed(1, 5, 160)),
                Ok(keyed(2, 0, 240)),
            ],
            vec![],
            vec![Ok(keyed(1, 5, 900)), Ok(keyed(1, 6, 400))],
        ]);
        let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
        let expected = [
            (1, 0, 80),
            (1, 5, 900),
            (1, 5, 160),
            (1, 6, 400),
            (2, 0, 240),
        ];
        assert_eq!(found, expected.map(|(s, o, p)| keyed(s, o, p)));
    }

    #[test]
    fn an_error_is_not_missed() {
        let found = merged(vec![
            vec![Ok(keyed(1, 0, 80)), Err(IndexError::NoIndex)],
            vec![Ok(keyed(9, 0, 160))],
        ]);
        assert!(found[1].is_err());
    }
}
