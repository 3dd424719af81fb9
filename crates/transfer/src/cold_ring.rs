//! Cold ranges by io_uring: one thread has many of them on their way.

use std::io;

use pagelog_os::uring::RingError;
use pagelog_os::{FetchRing, Fetched};

use crate::cold::Cold;
use crate::cold_front::PARTS_MAX;
use crate::sender::SendError;

/// Cold ranges that are being fetched, with what each list of them is fetched for.
///
/// For one thread, which may wait: [`ColdRing::begin`] does not wait for the disk, but may for its queue.
#[derive(Debug)]
pub struct ColdRing<T> {
    ring: FetchRing,
    fetches: Vec<Option<Fetch<T>>>,
    /// For which of them each read of the ring is.
    reads: Vec<Option<usize>>,
}

/// What is under way together.
#[derive(Debug)]
struct Fetch<T> {
    cold: Cold,
    cause: T,
    /// Ranges that could not be begun: the thread reads them.
    has_rest: bool,
    /// Ranges that are not over.
    left: usize,
    result: Result<(), SendError>,
}

impl<T> Fetch<T> {
    fn end(self) -> (T, Result<(), SendError>) {
        let rest = || match self.has_rest {
            true => self.cold.fetch(),
            false => Ok(()),
        };
        (self.cause, self.result.and_then(|()| rest()))
    }
}

impl<T> ColdRing<T> {
    /// A ring for `count` times [`Cold`] at a time, with all its ranges.
    ///
    /// # Errors
    ///
    /// Where io_uring is not to be had: as [`FetchRing::new`]. [`Cold::fetch`] does the same, one at a time.
    pub fn new(count: u32) -> Result<ColdRing<T>, RingError> {
        let reads = count.saturating_mul(PARTS_MAX as u32);
        Ok(ColdRing {
            ring: FetchRing::new(reads)?,
            fetches: (0..count).map(|_| None).collect(),
            reads: vec![None; reads as usize],
        })
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.ring.count() == 0
    }

    /// Whether no more can be begun.
    pub fn is_full(&self) -> bool {
        self.fetches.iter().all(Option::is_some)
    }

    /// Begins to fetch `cold`, all its ranges at once. What could not be begun is given back.
    ///
    /// # Errors
    ///
    /// The ring is full, or the kernel refuses.
    pub fn begin(&mut self, cold: Cold, cause: T) -> Result<(), (Cold, T)> {
        let Some(index) = self.fetches.iter().position(Option::is_none) else {
            return Err((cold, cause));
        };
        cold.read_ahead();
        let mut left = 0;
        for part in cold.parts() {
            let Ok(number) = self.ring.begin(&part.file, part.range.clone()) else {
                break;
            };
            self.reads[number] = Some(index);
            left += 1;
        }
        if left == 0 {
            return Err((cold, cause));
        }
        self.fetches[index] = Some(Fetch {
            has_rest: left < cold.count(),
            cold,
            cause,
            left,
            result: Ok(()),
        });
        Ok(())
    }

    /// Waits until some are fetched, or cannot be; gives none when none are under way.
    ///
    /// # Errors
    ///
    /// The ring is of no more use; what was under way is left in [`ColdRing::into_unfinished`].
    pub fn wait(&mut self) -> io::Result<Vec<(T, Result<(), SendError>)>> {
        let mut ended = Vec::new();
        while ended.is_empty() && !self.is_empty() {
            for Fetched { number, at, result } in self.ring.wait()? {
                ended.extend(self.settle(number, at, result));
            }
        }
        Ok(ended.into_iter().map(Fetch::end).collect())
    }

    /// Takes what the kernel says of a read; gives what it was for, when it was the last one.
    fn settle(&mut self, number: usize, at: u64, result: io::Result<()>) -> Option<Fetch<T>> {
        let entry = self.fetches.get_mut(self.reads[number].take()?)?;
        let fetch = entry.as_mut()?;
        fetch.left -= 1;
        if let Err(source) = result {
            fetch.result = Err(SendError::File { at, source });
        }
        entry.take_if(|fetch| fetch.left == 0)
    }

    /// What was begun and is not done, of a ring that has failed.
    pub fn into_unfinished(self) -> Vec<(Cold, T)> {
        let fetches = self.fetches.into_iter().flatten();
        fetches.map(|fetch| (fetch.cold, fetch.cause)).collect()
    }
}
