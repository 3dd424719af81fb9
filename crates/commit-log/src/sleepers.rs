//! Threads that sleep until a mark has come far enough: a publisher wakes those whom it serves, in one call, and not those behind them.
//!
//! What brings a mark up comes in rounds, one after the other (a sync), and a round knows when it begins how far it will bring the mark. So there are
//! two words to sleep on: whoever is served by the round under way sleeps on its word, everybody else on that of the next, in turn.
//!
//! ```text
//!   round 7, up to 900:   word 1   900  ≥ positions
//!   round 8:              word 0   900  < positions
//! ```

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use pagelog_os::futex;

/// The sleeping threads of one mark.
#[derive(Debug, Default)]
pub(crate) struct Sleepers {
    /// Threads in [`Sleepers::wait`].
    count: AtomicUsize,
    /// Twice the number of the newest round; odd while that and `target` change.
    sequence: AtomicU64,
    /// How far the newest round brings the mark.
    target: AtomicU64,
    words: [AtomicU32; 2],
}

impl Sleepers {
    /// A round begins that will bring the mark to `to`. Rounds do not overlap, and each ends with [`Sleepers::reached`].
    pub(crate) fn begin(&self, to: u64) {
        if !self.is_empty() {
            self.announce(to);
        }
    }

    /// Whether nobody sleeps or is about to.
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(SeqCst) == 0
    }

    /// The mark is at `to`, and can be seen there: wakes whoever waits for that. One call at a time.
    pub(crate) fn reached(&self, to: u64) {
        // Who comes after this look sees the mark.
        if self.is_empty() {
            return;
        }
        if self.target.load(SeqCst) != to {
            self.announce(to);
        }
        self.wake((self.sequence.load(SeqCst) / 2) as usize);
    }

    /// Wakes everybody.
    pub(crate) fn wake_all(&self) {
        self.wake(0);
        self.wake(1);
    }

    /// Sleeps until `outcome` says something, or until `deadline`: then it says nothing.
    ///
    /// `outcome` must say something once the mark is at `at`.
    pub(crate) fn wait<T>(
        &self,
        at: u64,
        deadline: Option<Instant>,
        outcome: impl Fn() -> Option<T>,
    ) -> Option<T> {
        self.count.fetch_add(1, SeqCst);
        let said = self.wait_counted(at, deadline, outcome);
        self.count.fetch_sub(1, SeqCst);
        said
    }

    fn wait_counted<T>(
        &self,
        at: u64,
        deadline: Option<Instant>,
        outcome: impl Fn() -> Option<T>,
    ) -> Option<T> {
        loop {
            let (sequence, round) = self.round_of(at);
            let word = &self.words[round % 2];
            let before = word.load(SeqCst);
            if let Some(said) = outcome() {
                return Some(said);
            }
            // Between the choice of the word and the look at it two rounds may have begun, and the word be that of another one.
            if self.sequence.load(SeqCst) != sequence {
                continue;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            futex::wait(word, before, deadline);
        }
    }

    /// The round that brings the mark to `at`, as far as is known now.
    fn round_of(&self, at: u64) -> (u64, usize) {
        loop {
            let sequence = self.sequence.load(SeqCst);
            let target = self.target.load(SeqCst);
            if sequence.is_multiple_of(2) && self.sequence.load(SeqCst) == sequence {
                let round = (sequence / 2) as usize;
                return (sequence, if at <= target { round } else { round + 1 });
            }
            std::hint::spin_loop();
        }
    }

    fn announce(&self, to: u64) {
        self.sequence.fetch_add(1, SeqCst);
        self.target.store(to, SeqCst);
        self.sequence.fetch_add(1, SeqCst);
    }

    fn wake(&self, round: usize) {
        let word = &self.words[round % 2];
        word.fetch_add(1, SeqCst);
        futex::wake_all(word);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    /// A mark with sleepers, as a log has it.
    #[derive(Default)]
    struct Mark {
        value: AtomicU64,
        sleepers: Sleepers,
    }

    impl Mark {
        fn wait(&self, at: u64) {
            let reached = || (self.value.load(SeqCst) >= at).then_some(());
            self.sleepers.wait(at, None, reached).unwrap();
        }

        fn publish(&self, to: u64) {
            self.value.store(to, SeqCst);
            self.sleepers.reached(to);
        }
    }

    #[test]
    fn nobody_is_forgotten() {
        const THREADS: u64 = 8;
        const EACH: u64 = 2_000;
        let mark = Arc::new(Mark::default());
        let taken = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let (mark, taken) = (Arc::clone(&mark), Arc::clone(&taken));
                std::thread::spawn(move || {
                    for _ in 0..EACH {
                        mark.wait(taken.fetch_add(1, SeqCst) + 1);
                    }
                })
            })
            .collect();
        let mut at = 0;
        while at < THREADS * EACH {
            let to = taken.load(SeqCst);
            if to == at {
                std::thread::yield_now();
                continue;
            }
            // As often as not a round is not announced; and while one is under way, more is wanted.
            if to.is_multiple_of(2) {
                mark.sleepers.begin(to);
                std::thread::yield_now();
            }
            mark.publish(to);
            at = to;
        }
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }

    #[test]
    fn a_time_ends_a_wait() {
        let sleepers = Sleepers::default();
        let deadline = Instant::now() + Duration::from_millis(1);
        assert_eq!(sleepers.wait(1, Some(deadline), || None::<()>), None);
        assert!(Instant::now() >= deadline);
    }
}
