//! How far a segment has been written, and what of it is being filled with zeros ahead of that: never the same bytes.
//!
//! ```text
//! 0             written to          claimed                     size
//! │ somebody's bytes │ … │ zeros are being written │ nobody's yet │
//! ```
//!
//! Both sides go by one lock. Who writes bytes says first how far they will reach, and waits while a claim lies before that end; a claim begins
//! behind what has been said so far. So at no moment are zeros on their way to a byte that anybody may have written.

use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Claims begin between two pages: a page that somebody's bytes lie in is theirs.
const PAGE_SIZE: u64 = 4096;

/// The most that is claimed at a time. A sync that meets it waits until it is on the disk, so more would be felt; less is more calls for as many bytes.
pub(crate) const PIECE_SIZE: u64 = 256 << 10;

/// Groups of so many bytes a sync, in the mean, gain less by blocks that are written already than the zeros cost them, on a disk that writes a gigabyte a second:
/// a sync waits about 0.1 ms for the file system's note, and a disk writes this in 0.15. Measured; between 128 and 256 KiB it is much the same either way.
const GROUP_LARGE: u64 = 160 << 10;

/// How much of the mean is the newest group's.
const MEAN_PART: u64 = 8;

/// So small a part of the window is claimed at a time, if that is less; and of a segment that nobody has begun, no more is filled at all.
const PART: u64 = 8;

/// What the writer of a segment and who fills it with zeros share.
#[derive(Debug, Default)]
pub(crate) struct Front {
    state: Mutex<State>,
    /// Signalled when a claim ends, when one is wanted, and at the close.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// All before may be somebody's. Only grows.
    written_to: u64,
    /// Is being filled with zeros; empty: nothing is.
    claimed: Range<u64>,
    /// Whether the writer has written since his last sync. Between two syncs he does not wait for what the disk does.
    is_writing: bool,
    /// How many bytes were written since the last sync.
    group: u64,
    /// The mean of that, of the last groups.
    group_mean: u64,
    /// Somebody has come who claims.
    has_claimer: bool,
    /// What whoever claims waits for.
    waiting: Option<Waiting>,
    /// Nothing is claimed any more.
    closed: bool,
}

/// How far must be written for a piece to be claimed.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When the writer has just synced.
    between_syncs: u64,
    /// At once: half the window is used up.
    at_once: u64,
    /// Where the segment ends.
    size: u64,
}

/// What is to be filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// All before is filled, or need not be.
    pub(crate) from: u64,
    /// How far ahead of what is written.
    pub(crate) window: u64,
    /// Where the segment ends.
    pub(crate) size: u64,
}

/// Nobody else writes to these bytes while it lives.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    front: &'a Front,
    pub(crate) range: Range<u64>,
}

impl Front {
    /// The bytes of `range` are about to be written: comes back when nobody fills any before its end, and nobody will.
    pub(crate) fn write(&self, range: &Range<u64>) {
        let end = range.end;
        let mut state = self.lock();
        state.written_to = state.written_to.max(end);
        state.is_writing = true;
        state.group += end.saturating_sub(range.start);
        self.wake_if_due(&mut state);
        let in_the_way = |state: &mut State| !state.claimed.is_empty() && state.claimed.start < end;
        // The claim may be one behind all that is written; whoever holds it does not wait for us.
        drop(self.wait_while(state, in_the_way));
    }

    /// What was written is synced: a good moment.
    pub(crate) fn synced(&self) {
        let mut state = self.lock();
        state.is_writing = false;
        let group = std::mem::take(&mut state.group);
        state.group_mean = (state.group_mean * (MEAN_PART - 1) + group) / MEAN_PART;
        self.wake_if_due(&mut state);
    }

    fn wake_if_due(&self, state: &mut State) {
        if state.waiting.is_some_and(|waiting| state.is_due(waiting)) {
            state.waiting = None;
            self.changed.notify_all();
        }
    }

    /// Whether the caller is the one who claims: the first who asks. A second claim would hide the first from the writer.
    pub(crate) fn take_claimer(&self) -> bool {
        !std::mem::replace(&mut self.lock().has_claimer, true)
    }

    /// Waits until a piece is wanted, and claims it. For the one who claims alone. `None`: nothing will be any more.
    pub(crate) fn claim(&self, wanted: &Wanted) -> Option<Claim<'_>> {
        let mut state = self.lock();
        loop {
            let start = wanted.from.max(state.filled_behind());
            if state.closed || start >= wanted.size {
                return None;
            }
            let end = wanted.size.min(start + wanted.piece());
            let waiting = wanted.waiting(state.written_to, end);
            if state.is_due(waiting) {
                debug_assert!(state.claimed.is_empty(), "two claim");
                state.claimed = start..end;
                let front = self;
                let range = start..end;
                return Some(Claim { front, range });
            }
            state.waiting = Some(waiting);
            state = self.wait_while(state, |state| !state.closed && state.waiting.is_some());
        }
    }

    /// Nothing is claimed from now on; comes back when nothing is.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        drop(self.wait_while(state, |state| !state.claimed.is_empty()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code under this lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        state: MutexGuard<'a, State>,
        condition: impl FnMut(&mut State) -> bool,
    ) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_while(state, condition);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing before is claimed: the end of the page that is written last.
    fn filled_behind(&self) -> u64 {
        self.written_to.next_multiple_of(PAGE_SIZE)
    }

    fn is_due(&self, waiting: Waiting) -> bool {
        let Waiting {
            between_syncs,
            at_once,
            size,
        } = waiting;
        if self.filled_behind() >= size {
            // There is nothing left to fill, which whoever waits is to hear.
            return true;
        }
        let is_near = self.written_to >= at_once;
        let is_idle = !self.is_writing && self.written_to >= between_syncs;
        self.group_mean < GROUP_LARGE && (is_near || is_idle)
    }
}

impl Wanted {
    /// What a piece that ends at `end` waits for.
    fn waiting(&self, written_to: u64, end: u64) -> Waiting {
        let (between_syncs, at_once) = match written_to {
            0 if end <= self.window / PART => (0, 0),
            // When it is begun, it is another question.
            0 => (1, 1),
            _ => (
                end.saturating_sub(self.window),
                end.saturating_sub(self.window / 2),
            ),
        };
        Waiting {
            between_syncs,
            at_once,
            size: self.size,
        }
    }

    /// How much is claimed at a time.
    fn piece(&self) -> u64 {
        let part = self.window / PART / PAGE_SIZE * PAGE_SIZE;
        part.clamp(PAGE_SIZE, PIECE_SIZE)
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.front.lock().claimed = 0..0;
        self.front.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 1 << 20;
    const WINDOW: u64 = 64 << 10;
    const WANTED: Wanted = Wanted {
        from: 0,
        window: WINDOW,
        size: SIZE,
    };

    /// Claims until nothing is due, and says up to where.
    fn fill(front: &Front, from: u64) -> u64 {
        let mut wanted = Wanted { from, ..WANTED };
        while front.is_due(&wanted) {
            let Some(claim) = front.claim(&wanted) else {
                return SIZE;
            };
            assert!(claim.range.start >= wanted.from);
            wanted.from = claim.range.end;
        }
        wanted.from
    }

    impl Front {
        /// Whether a claim would not wait.
        fn is_due(&self, wanted: &Wanted) -> bool {
            let state = self.lock();
            let start = wanted.from.max(state.filled_behind());
            let end = wanted.size.min(start + wanted.piece());
            let is_over = state.closed || start >= wanted.size;
            is_over || state.is_due(wanted.waiting(state.written_to, end))
        }
    }

    #[test]
    fn of_a_segment_that_is_not_begun_a_part_of_the_window_is_filled() {
        let front = Front::default();
        assert_eq!(fill(&front, 0), WINDOW / PART);
    }

    #[test]
    fn half_the_window_is_filled_at_once_and_all_of_it_between_syncs() {
        let front = Front::default();
        front.write(&(0..100));
        let half = fill(&front, 0);
        let piece = WANTED.piece();
        let near = |size: u64| size - piece..=size + 100;
        assert!(near(WINDOW / 2).contains(&half), "{half}");
        front.synced();
        let all = fill(&front, half);
        assert!(near(WINDOW).contains(&all), "{all}");
        front.write(&(100..200));
        assert_eq!(fill(&front, all), all);
    }

    #[test]
    fn a_claim_begins_behind_the_page_that_is_written_last() {
        let front = Front::default();
        front.write(&(0..5 * PAGE_SIZE + 1));
        let claim = front.claim(&WANTED).unwrap();
        assert_eq!(claim.range.start, 6 * PAGE_SIZE);
        drop(claim);
        let filled = Wanted {
            from: 9 * PAGE_SIZE,
            ..WANTED
        };
        assert_eq!(front.claim(&filled).unwrap().range.start, 9 * PAGE_SIZE);
    }

    #[test]
    fn large_groups_are_left_alone_and_small_ones_served_again() {
        let front = Front::default();
        for group in 1..=20 {
            front.write(&((group - 1) * 2 * GROUP_LARGE..group * 2 * GROUP_LARGE));
            front.synced();
        }
        let wanted = Wanted {
            size: 1 << 30,
            ..WANTED
        };
        assert!(!front.is_due(&wanted));
        let end = 40 * GROUP_LARGE;
        for group in 0..40 {
            front.write(&(end + group * 100..end + (group + 1) * 100));
            front.synced();
        }
        assert!(front.is_due(&wanted));
    }

    #[test]
    fn the_end_of_the_segment_ends_it() {
        let front = Front::default();
        front.write(&(0..SIZE - 10));
        assert!(front.claim(&WANTED).is_none());
    }

    /// Even if groups are so large that nothing is claimed.
    #[test]
    fn who_waits_for_a_claim_is_told_of_the_end() {
        let front = Front::default();
        std::thread::scope(|scope| {
            front.lock().group_mean = u64::MAX / MEAN_PART;
            let waiting = scope.spawn(|| front.claim(&WANTED).is_none());
            while front.lock().waiting.is_none() {
                std::thread::yield_now();
            }
            front.write(&(0..SIZE));
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn who_waits_for_a_claim_is_told_of_the_close() {
        let front = Front::default();
        front.lock().group_mean = u64::MAX / MEAN_PART;
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| front.claim(&WANTED).is_none());
            while front.lock().waiting.is_none() {
                std::thread::yield_now();
            }
            front.close();
            assert!(waiting.join().unwrap());
        });
    }

    /// The writer goes on when the claim has ended, and not before; behind it nobody claims what he was given.
    #[test]
    fn a_writer_waits_for_a_claim_in_his_way() {
        let front = Front::default();
        front.write(&(0..1));
        let claim = front.claim(&WANTED).unwrap();
        let in_the_way = claim.range.start + 1;
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                front.write(&(1..in_the_way));
                ended.load(std::sync::atomic::Ordering::SeqCst)
            });
            // He has said where he goes, and so is about to wait.
            while front.lock().written_to < in_the_way {
                std::thread::yield_now();
            }
            ended.store(true, std::sync::atomic::Ordering::SeqCst);
            drop(claim);
            assert!(writer.join().unwrap(), "he did not wait");
        });
        assert_eq!(front.claim(&WANTED).unwrap().range.start, 2 * PAGE_SIZE);
    }

    /// Of two that claim, the one who ends first would let the writer go where the other still is.
    #[test]
    fn one_claims_and_no_other() {
        let front = Front::default();
        let claimers = std::thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| front.take_claimer()));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(claimers.into_iter().filter(|claims| *claims).count(), 1);
    }

    #[test]
    fn a_writer_before_the_claim_does_not_wait() {
        let front = Front::default();
        front.write(&(0..1));
        let claim = front.claim(&WANTED).unwrap();
        front.write(&(1..claim.range.start));
    }
}
