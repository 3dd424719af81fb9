//! Cold ranges by io_uring: one thread has many of them on their way.

use std::io;

use pagelog_os::FetchRing;
use pagelog_os::uring::RingError;

use crate::cold::Cold;
use crate::sender::SendError;

/// Cold ranges that are being fetched, with what each is fetched for.
///
/// For one thread, which may wait: [`ColdRing::begin`] does not wait for the disk, but may for its queue.
#[derive(Debug)]
pub struct ColdRing<T> {
    ring: FetchRing,
    fetches: Vec<Option<(Cold, T)>>,
}

impl<T> ColdRing<T> {
    /// A ring for `count` ranges at a time.
    ///
    /// # Errors
    ///
    /// Where io_uring is not to be had: as [`FetchRing::new`]. [`Cold::fetch`] does the same, one at a time.
    pub fn new(count: u32) -> Result<ColdRing<T>, RingError> {
        Ok(ColdRing {
            ring: FetchRing::new(count)?,
            fetches: (0..count).map(|_| None).collect(),
        })
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.ring.count() == 0
    }

    /// Whether no more can be begun.
    pub fn is_full(&self) -> bool {
        self.ring.is_full()
    }

    /// Begins to fetch `cold`. What could not be begun is given back.
    ///
    /// # Errors
    ///
    /// The ring is full, or the kernel refuses.
    pub fn begin(&mut self, cold: Cold, cause: T) -> Result<(), (Cold, T)> {
        cold.read_ahead();
        match self.ring.begin(cold.file(), cold.range()) {
            Ok(number) => {
                self.fetches[number] = Some((cold, cause));
                Ok(())
            }
            Err(_) => Err((cold, cause)),
        }
    }

    /// Waits until some are fetched, or cannot be; gives none when none are under way.
    ///
    /// # Errors
    ///
    /// The ring is of no more use; what was under way is left in [`ColdRing::into_unfinished`].
    pub fn wait(&mut self) -> io::Result<Vec<(T, Result<(), SendError>)>> {
        let fetched = self.ring.wait()?;
        let told = fetched.into_iter().filter_map(|fetched| {
            let (_, cause) = self.fetches[fetched.number].take()?;
            let at = fetched.at;
            let result = fetched.result;
            Some((
                cause,
                result.map_err(|source| SendError::File { at, source }),
            ))
        });
        Ok(told.collect())
    }

    /// What was begun and is not done, of a ring that has failed.
    pub fn into_unfinished(self) -> Vec<(Cold, T)> {
        self.fetches.into_iter().flatten().collect()
    }
}
