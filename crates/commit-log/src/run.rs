//! How far the unbroken run of filled places goes, on the mapped route: places are filled in any order and count in that of positions.
//!
//! ```text
//!   mark
//!    ▼
//!    │ being filled │ filled early │ being filled │ filled early │ …
//!    └ whoever fills this one moves the mark, over those behind it that were early
//! ```
//!
//! Whoever fills the place at the mark is the only one who may move it, so he needs no lock: nobody else's place begins there. One who is early leaves
//! his place to whoever does. Both look for the other after they have said their own: one of the two sees it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pagelog_segment::Position;

use crate::watermark::Watermark;

/// The places that were filled before one in front of them was.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// How many there are, or were a moment ago; never 0 while there is one whose owner has looked at the mark.
    count: AtomicUsize,
    /// Their begins and ends, the lowest first.
    early: Mutex<BinaryHeap<Reverse<(u64, u64)>>>,
}

impl Run {
    /// The place at `position..end` is filled: moves `mark` there once all before it are.
    ///
    /// Places follow one another without a gap from where the mark was at first, and each is finished once.
    pub(crate) fn finish(&self, mark: &Watermark, position: u64, end: u64) {
        // Acquires what those stored who filled the places before: whoever sees the mark behind this place sees theirs, too.
        if mark.get().0 == position {
            mark.publish(Position(end));
            // In one order with the two steps of whoever is early (SeqCst all four): he sees the mark there, or this sees that he is.
            if self.count.load(SeqCst) > 0 {
                self.pass(mark, &mut self.early());
            }
            return;
        }
        let mut early = self.early();
        early.push(Reverse((position, end)));
        self.count.store(early.len(), SeqCst);
        self.pass(mark, &mut early);
    }

    /// Moves the mark over the places that were early and lie right behind it.
    fn pass(&self, mark: &Watermark, early: &mut BinaryHeap<Reverse<(u64, u64)>>) {
        let before = mark.get().0;
        let mut reached = before;
        // As long as one of these lies at the mark, nobody else moves it: its owner has left it here, under the lock.
        while let Some(&Reverse((position, end))) = early.peek()
            && position == reached
        {
            early.pop();
            reached = end;
        }
        if reached > before {
            self.count.store(early.len(), SeqCst);
            mark.publish(Position(reached));
        }
    }

    fn early(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(u64, u64)>>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watermark::WaitOutcome;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
    use std::sync::{Arc, mpsc};
    use std::time::{Duration, Instant};

    proptest! {
        /// In whatever order places are filled, the mark is where the first that is not begins.
        #[test]
        fn the_mark_stops_at_the_first_place_that_is_not_filled(
            places in prop::collection::vec((1u64..1000, any::<u32>()), 1..40),
            begin in 0u64..1000,
        ) {
            let mut position = begin;
            let mut places: Vec<_> = places.iter().map(|&(size, turn)| {
                position += size;
                (turn, position - size, position)
            }).collect();
            let (run, mark) = (Run::default(), Watermark::new(Position(begin)));
            let mut unfilled: std::collections::BTreeSet<u64> = places.iter().map(|place| place.1).collect();
            places.sort_unstable();
            for (_, from, to) in places {
                run.finish(&mark, from, to);
                unfilled.remove(&from);
                prop_assert_eq!(mark.get().0, unfilled.first().copied().unwrap_or(position));
            }
            prop_assert_eq!(run.count.load(SeqCst), 0);
        }
    }

    /// Threads take places one behind the other and fill them; whoever looks never finds one below the mark that is not filled, and at the end
    /// none is forgotten.
    #[test]
    fn threads_that_fill_at_once_forget_no_place_and_pass_none() {
        const THREADS: u64 = 4;
        const PLACES: u64 = 20_000;
        let (run, mark) = (Run::default(), Watermark::new(Position(0)));
        let filled: Vec<AtomicBool> = (0..PLACES).map(|_| AtomicBool::new(false)).collect();
        let next = AtomicU64::new(0);
        let fill = |thread: u64| {
            let mut seen = 0;
            loop {
                let place = next.fetch_add(1, Relaxed);
                if place >= PLACES {
                    return;
                }
                if (place ^ thread).is_multiple_of(7) {
                    std::thread::yield_now();
                }
                // Relaxed: it is the mark that makes it seen.
                filled[place as usize].store(true, Relaxed);
                run.finish(&mark, place, place + 1);
                let until = mark.get().0;
                let all = filled[seen as usize..until.max(seen) as usize].iter();
                assert!(all.into_iter().all(|one| one.load(Relaxed)));
                seen = seen.max(until);
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || fill(thread));
            }
        });
        assert_eq!(mark.get(), Position(PLACES));
    }

    /// Two threads fill the two places of a round at once, and the next round begins when both who wait for it have been told: no later publishing
    /// makes up for one that told nobody.
    #[test]
    fn whoever_waits_is_told_by_threads_that_fill_at_once() {
        const ROUNDS: u64 = 3_000;
        const LONG: Duration = Duration::from_secs(60);
        let (run, mark) = (Run::default(), Watermark::new(Position(0)));
        let (tell, told) = mpsc::channel();
        let call = move || tell.send(()).unwrap_or_default();
        let subscription = mark.subscribe(Arc::new(call));
        let round = AtomicU64::new(0);
        let fill = |first: u64| {
            for now in 0..ROUNDS {
                while round.load(SeqCst) < now {
                    std::thread::yield_now();
                }
                let place = 2 * now + first;
                run.finish(&mark, place, place + 1);
            }
        };
        let is_told = |until: Position| {
            let began = Instant::now();
            // Of the round before one may have been told twice.
            while told.try_recv().is_ok() {}
            subscription.want(until);
            mark.wait(until, Some(LONG)) == WaitOutcome::Reached
                && told.recv_timeout(LONG).is_ok()
                && began.elapsed() < LONG
        };
        std::thread::scope(|scope| {
            scope.spawn(|| fill(0));
            scope.spawn(|| fill(1));
            let missed = (0..ROUNDS).find(|now| {
                let missed = !is_told(Position(2 * now + 2));
                round.store(now + 1, SeqCst);
                missed
            });
            // Those who fill end whatever was missed.
            round.store(ROUNDS, SeqCst);
            assert_eq!(missed, None);
        });
    }
}
