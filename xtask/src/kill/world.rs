//! What the threads of the crash test share: where the broker is at the moment, the ledger, the first violation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::ledger::Ledger;

/// The topic that all producers send to.
pub(crate) const TOPIC: &str = "numbers";

/// Where the broker listens, if it does.
#[derive(Clone, Debug, Default)]
struct Place {
    address: Option<String>,
    /// Rises with every start and every end.
    generation: u64,
}

/// Shared by all threads that work on one data directory.
#[derive(Debug, Default)]
pub(crate) struct World {
    place: Mutex<Place>,
    moved: Condvar,
    ledger: Mutex<Ledger>,
    violation: Mutex<Option<String>>,
    /// Producers end what is under way and start nothing new.
    finishing: AtomicBool,
    /// Everyone ends.
    over: AtomicBool,
    /// Answers that producers have got, for moments that count them.
    answers: AtomicU64,
    /// Batches that were sent again after a kill.
    resent: AtomicU64,
}

/// A lock whose holder panicked is taken all the same: the panic fails the test by itself.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The broker serves at `address`, or (`None`) nowhere.
    pub(crate) fn move_to(&self, address: Option<String>) {
        let mut place = lock(&self.place);
        place.address = address;
        place.generation += 1;
        self.moved.notify_all();
    }

    /// Waits until the broker serves; says where, and the number of that life. `None` when all is over.
    pub(crate) fn wait_address(&self) -> Option<(String, u64)> {
        let mut place = lock(&self.place);
        loop {
            if self.is_over() {
                return None;
            }
            if let Some(address) = &place.address {
                return Some((address.clone(), place.generation));
            }
            let waited = self.moved.wait_timeout(place, Duration::from_millis(50));
            place = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A connection to the broker's life number `generation` broke. That is a violation while that life goes on: it
    /// is declared over before the process is killed.
    pub(crate) fn lost(&self, generation: u64, who: &str, error: &anyhow::Error) {
        let still_there = lock(&self.place).generation == generation;
        if still_there && !self.is_over() {
            self.report(format!(
                "{who} lost its connection to a living broker: {error:#}"
            ));
        }
    }

    /// The ledger, locked.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    /// Something happened that must not; the first report stays.
    pub(crate) fn report(&self, violation: String) {
        lock(&self.violation).get_or_insert(violation);
    }

    /// The first violation.
    pub(crate) fn violation(&self) -> Option<String> {
        lock(&self.violation).clone()
    }

    /// Producers end what is under way.
    pub(crate) fn finish(&self) {
        self.finishing.store(true, Ordering::Relaxed);
    }

    /// Whether producers shall start nothing new.
    pub(crate) fn is_finishing(&self) -> bool {
        self.finishing.load(Ordering::Relaxed)
    }

    /// Everyone ends.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.moved.notify_all();
    }

    /// Whether everyone shall end: by order, or after a violation.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || lock(&self.violation).is_some()
    }

    /// A producer has got an answer.
    pub(crate) fn count_answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// A producer sends `count` batches again, not knowing what became of them.
    pub(crate) fn count_resent(&self, count: usize) {
        self.resent.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many batches were sent again.
    pub(crate) fn resent(&self) -> u64 {
        self.resent.load(Ordering::Relaxed)
    }

    /// How many answers producers have got.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }
}
