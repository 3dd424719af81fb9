//! One thread's turns: it works, or it rests, and another one can wait for the end of the turn that it is in.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Instant;

use pagelog_os::futex;

/// The turns of one thread.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// How many have begun and ended: odd in a turn.
    word: AtomicU32,
    awaited: AtomicBool,
}

impl Turns {
    /// A turn begins, unless there is one: by the thread itself or by whoever wakes it.
    pub(crate) fn begin(&self) {
        let now = self.word.load(SeqCst);
        if !is_turn(now) {
            // Where this fails, the other of the two who may begin a turn has just done so.
            let _ = self
                .word
                .compare_exchange(now, now.wrapping_add(1), SeqCst, SeqCst);
        }
    }

    /// The turn ends, if there is one: by the thread itself.
    pub(crate) fn end(&self) {
        if is_turn(self.word.load(SeqCst)) {
            self.word.fetch_add(1, SeqCst);
            if self.awaited.load(SeqCst) {
                futex::wake_all(&self.word);
            }
        }
    }

    /// Sleeps until the turn of now has ended, or until `deadline`. Whether it has ended. One thread at a time.
    pub(crate) fn wait(&self, deadline: Instant) -> bool {
        let turn = self.word.load(SeqCst);
        if !is_turn(turn) {
            return true;
        }
        self.awaited.store(true, SeqCst);
        while self.word.load(SeqCst) == turn && Instant::now() < deadline {
            futex::wait(&self.word, turn, Some(deadline));
        }
        self.awaited.store(false, SeqCst);
        self.word.load(SeqCst) != turn
    }
}

fn is_turn(word: u32) -> bool {
    word % 2 == 1
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_for_the_turn_of_now_and_no_other() {
        const TURNS: u32 = 10_000;
        let turns = Arc::new(Turns::default());
        let taking = Arc::clone(&turns);
        let thread = std::thread::spawn(move || {
            for _ in 0..TURNS {
                taking.begin();
                taking.begin();
                taking.end();
                taking.end();
            }
        });
        // The last turn ends too: a wait that missed an end would last until the deadline.
        while turns.word.load(SeqCst) < 2 * TURNS {
            assert!(turns.wait(Instant::now() + Duration::from_secs(60)));
        }
        thread.join().unwrap();
        assert_eq!(turns.word.load(SeqCst), 2 * TURNS);
    }

    #[test]
    fn a_deadline_ends_a_wait() {
        let turns = Turns::default();
        turns.begin();
        let deadline = Instant::now() + Duration::from_millis(1);
        assert!(!turns.wait(deadline));
        assert!(Instant::now() >= deadline);
    }
}
