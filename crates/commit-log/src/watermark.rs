//! A position that only grows, and those who wait for it: threads by [`Watermark::wait`], event loops by a [`Subscription`].
//!
//! A publisher touches a waiter only when that waiter's position has been reached, so a sync wakes only whom it served.
//!
//! An event loop serves many, and those it tells that they are served send their next entries to it. It is in a *turn* from the call, or from when it
//! wakes for anything else, until it has nothing left to do; what comes next for the log is known at the end of it.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use pagelog_segment::Position;

use crate::sleepers::Sleepers;
use crate::turns::Turns;

/// No position is wanted.
const NOTHING: u64 = u64::MAX;

/// The mark moves on; the log was closed; the log has failed.
const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const FAILED: u8 = 2;

/// How far something has come: written, durable.
pub struct Watermark {
    value: AtomicU64,
    /// Where what was begun last brings it.
    aim: AtomicU64,
    /// Whether it will never move again, and why.
    end: AtomicU8,
    sleepers: Sleepers,
    /// No subscriber wants a lower position than this one; one who wants it may have gone.
    wanted: AtomicU64,
    subscribers: ArcSwap<Vec<Arc<Subscriber>>>,
    /// Held while those who wait are woken: one after the other.
    waking: Mutex<()>,
}

/// What became of a [`Watermark::wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    /// The mark is at the position or past it.
    Reached,
    /// The time is over and the mark is still below the position.
    TimedOut,
    /// The log was closed below the position: the mark will never move again.
    Closed,
    /// The log has failed: the mark will never move again.
    Failed,
}

/// Something that is called when the mark has come far enough; it ends when this is dropped.
pub struct Subscription {
    mark: Arc<Watermark>,
    subscriber: Arc<Subscriber>,
}

struct Subscriber {
    /// The lowest position wanted since the last call.
    wanted: AtomicU64,
    turns: Turns,
    call: Arc<dyn Fn() + Send + Sync>,
}

impl Watermark {
    pub(crate) fn new(at: Position) -> Arc<Watermark> {
        Arc::new(Watermark {
            value: AtomicU64::new(at.0),
            aim: AtomicU64::new(at.0),
            end: AtomicU8::new(OPEN),
            sleepers: Sleepers::default(),
            wanted: AtomicU64::new(NOTHING),
            subscribers: ArcSwap::from_pointee(Vec::new()),
            waking: Mutex::new(()),
        })
    }

    /// Where the mark is now.
    pub fn get(&self) -> Position {
        Position(self.value.load(SeqCst))
    }

    /// Blocks until the mark is at `at` or past it, for at most `timeout`, or without end if that is `None`.
    pub fn wait(&self, at: Position, timeout: Option<Duration>) -> WaitOutcome {
        if let Some(outcome) = self.outcome(at) {
            return outcome;
        }
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let said = self.sleepers.wait(at.0, deadline, || self.outcome(at));
        said.unwrap_or(WaitOutcome::TimedOut)
    }

    /// Calls `call` each time a position that was asked for by [`Subscription::want`] is reached, on the thread that publishes it.
    ///
    /// The call must be short and must not block.
    pub fn subscribe(self: &Arc<Self>, call: Arc<dyn Fn() + Send + Sync>) -> Subscription {
        let subscriber = Arc::new(Subscriber {
            wanted: AtomicU64::new(NOTHING),
            turns: Turns::default(),
            call,
        });
        self.subscribers.rcu(|all| {
            let mut all = Vec::clone(all);
            all.push(Arc::clone(&subscriber));
            all
        });
        Subscription {
            mark: Arc::clone(self),
            subscriber,
        }
    }

    /// Something begins that will bring the mark to `to`, one at a time: whoever waits for more than that is not woken by it.
    pub(crate) fn aim(&self, to: Position) {
        self.aim.store(to.0, SeqCst);
        self.sleepers.begin(to.0);
    }

    /// Blocks until what is under way to bring the mark up (a sync) has done so, for at most `limit`; not at all while nothing is.
    pub fn wait_for_what_is_under_way(&self, limit: Duration) -> WaitOutcome {
        self.wait(Position(self.aim.load(SeqCst)), Some(limit))
    }

    /// Moves the mark up and wakes whoever waits for a position up to it. A lower position changes nothing.
    pub(crate) fn publish(&self, to: Position) {
        if self.value.fetch_max(to.0, SeqCst) >= to.0 {
            return;
        }
        // Whoever comes to wait after this look sees the mark. One who is about to be woken for less and waits on looks at it again.
        if self.sleepers.is_empty() && self.wanted.load(SeqCst) > to.0 {
            return;
        }
        let _one_at_a_time = self.waking.lock().unwrap_or_else(PoisonError::into_inner);
        // Event loops first: each has many to serve, a sleeper himself alone.
        self.call_reached();
        // Another one may have moved it on meanwhile, and waits for this one.
        self.sleepers.reached(self.value.load(SeqCst));
    }

    /// Calls the subscribers whose position has been reached. Whoever wants one looks at the mark himself after he has said so: one of the two
    /// sees the other's.
    fn call_reached(&self) {
        while self.wanted.load(SeqCst) <= self.value.load(SeqCst) {
            // Not a mere store: who has said before what he wants is seen among the subscribers then.
            self.wanted.swap(NOTHING, SeqCst);
            let mark = self.value.load(SeqCst);
            for subscriber in self.subscribers.load().iter() {
                subscriber.call_if_reached(mark);
                let still = subscriber.wanted.load(SeqCst);
                self.wanted.fetch_min(still, SeqCst);
            }
        }
    }

    /// Wakes everyone: the log was closed, the mark will not move again.
    pub(crate) fn close(&self) {
        self.end(CLOSED);
    }

    /// Wakes everyone: the log has failed, the mark will not move again.
    pub(crate) fn fail(&self) {
        self.end(FAILED);
    }

    fn end(&self, end: u8) {
        self.end.fetch_max(end, SeqCst);
        self.sleepers.wake_all();
        for subscriber in self.subscribers.load().iter() {
            subscriber.call_if_reached(NOTHING - 1);
        }
    }

    /// Blocks until every subscriber that is in a turn has ended it, for at most `limit`. Whether they have. Turns that begin meanwhile are not waited for.
    pub(crate) fn wait_for_turns(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let subscribers = self.subscribers.load();
        subscribers.iter().all(|one| one.turns.wait(deadline))
    }

    fn outcome(&self, at: Position) -> Option<WaitOutcome> {
        // The end first: what was published before it is seen then.
        let end = self.end.load(SeqCst);
        match end {
            _ if self.get() >= at => Some(WaitOutcome::Reached),
            OPEN => None,
            CLOSED => Some(WaitOutcome::Closed),
            _ => Some(WaitOutcome::Failed),
        }
    }
}

impl Subscription {
    /// Asks for one call when the mark reaches `at`; at once, on this thread, if it has, or if it never will, because
    /// the log was closed or has failed.
    ///
    /// Several wishes before a call are one call, at the lowest of them: ask again then for what is still awaited.
    pub fn want(&self, at: Position) {
        self.subscriber
            .wanted
            .fetch_min(at.0.min(NOTHING - 1), SeqCst);
        self.mark.wanted.fetch_min(at.0.min(NOTHING - 1), SeqCst);
        if self.mark.end.load(SeqCst) != OPEN {
            self.subscriber.call_if_reached(NOTHING - 1);
        } else {
            self.subscriber.call_if_reached(self.mark.get().0);
        }
    }

    /// Says that the subscriber works and may append soon. A call begins its turn by itself, before the subscriber knows.
    ///
    /// Only the thread that takes the turns may say this and [`Subscription::end_turn`].
    pub fn begin_turn(&self) {
        self.subscriber.turns.begin();
    }

    /// Says that the subscriber has appended what it had to.
    pub fn end_turn(&self) {
        self.subscriber.turns.end();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.mark.subscribers.rcu(|all| {
            let others = all.iter().filter(|one| !Arc::ptr_eq(one, &self.subscriber));
            others.cloned().collect::<Vec<_>>()
        });
    }
}

impl Subscriber {
    fn call_if_reached(&self, mark: u64) {
        if self.wanted.load(SeqCst) <= mark && self.wanted.swap(NOTHING, SeqCst) != NOTHING {
            self.turns.begin();
            (self.call)();
        }
    }
}

impl fmt::Debug for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watermark")
            .field("value", &self.get())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("wanted", &self.subscriber.wanted)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize};

    fn counting(mark: &Arc<Watermark>) -> (Arc<AtomicUsize>, Subscription) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let call = Arc::new(move || {
            counter.fetch_add(1, SeqCst);
        });
        (calls, mark.subscribe(call))
    }

    #[test]
    fn calls_only_whom_it_serves() {
        let mark = Watermark::new(Position(0));
        let (near, near_subscription) = counting(&mark);
        let (far, far_subscription) = counting(&mark);
        near_subscription.want(Position(10));
        far_subscription.want(Position(20));
        mark.publish(Position(10));
        assert_eq!((near.load(SeqCst), far.load(SeqCst)), (1, 0));
        mark.publish(Position(30));
        assert_eq!((near.load(SeqCst), far.load(SeqCst)), (1, 1));
    }

    #[test]
    fn calls_at_once_for_what_is_reached() {
        let mark = Watermark::new(Position(5));
        let (calls, subscription) = counting(&mark);
        subscription.want(Position(5));
        assert_eq!(calls.load(SeqCst), 1);
    }

    /// Each round one position is wanted and reached by two threads at the same time; nobody publishes again before all were called.
    #[test]
    fn whoever_wants_while_it_is_reached_is_called() {
        const ROUNDS: u64 = 5_000;
        const WANTING: usize = 2;
        let mark = Watermark::new(Position(0));
        let start = std::sync::Barrier::new(WANTING + 1);
        std::thread::scope(|scope| {
            for _ in 0..WANTING {
                scope.spawn(|| {
                    let (calls, subscription) = counting(&mark);
                    for round in 1..=ROUNDS {
                        start.wait();
                        subscription.want(Position(round));
                        while (calls.load(SeqCst) as u64) < round {
                            std::thread::yield_now();
                        }
                        assert_eq!(calls.load(SeqCst) as u64, round);
                    }
                });
            }
            for round in 1..=ROUNDS {
                start.wait();
                mark.publish(Position(round));
            }
        });
    }

    #[test]
    fn failure_wakes_everyone_and_stays() {
        let mark = Watermark::new(Position(0));
        let (calls, subscription) = counting(&mark);
        subscription.want(Position(10));
        let waiting = Arc::clone(&mark);
        let thread = std::thread::spawn(move || waiting.wait(Position(10), None));
        mark.fail();
        assert_eq!(thread.join().unwrap(), WaitOutcome::Failed);
        assert_eq!(calls.load(SeqCst), 1);
        subscription.want(Position(11));
        assert_eq!(calls.load(SeqCst), 2);
    }

    #[test]
    fn a_close_wakes_whoever_waits_for_more_than_there_will_be() {
        let mark = Watermark::new(Position(0));
        let (calls, subscription) = counting(&mark);
        subscription.want(Position(10));
        let waiting = Arc::clone(&mark);
        let thread = std::thread::spawn(move || waiting.wait(Position(10), None));
        mark.publish(Position(9));
        mark.close();
        assert_eq!(thread.join().unwrap(), WaitOutcome::Closed);
        assert_eq!(calls.load(SeqCst), 1);
        assert_eq!(mark.wait(Position(9), None), WaitOutcome::Reached);
        subscription.want(Position(10));
        assert_eq!(calls.load(SeqCst), 2);
    }

    #[test]
    fn a_dropped_subscription_is_not_called() {
        let mark = Watermark::new(Position(0));
        let (calls, subscription) = counting(&mark);
        subscription.want(Position(1));
        drop(subscription);
        mark.publish(Position(1));
        assert_eq!(calls.load(SeqCst), 0);
    }

    #[test]
    fn a_call_begins_a_turn_that_is_waited_for() {
        const LONG: Duration = Duration::from_secs(60);
        let mark = Watermark::new(Position(0));
        let (_, subscription) = counting(&mark);
        assert!(mark.wait_for_turns(LONG));
        subscription.want(Position(1));
        mark.publish(Position(1));
        let ended = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            ending.store(true, SeqCst);
            subscription.end_turn();
            subscription
        });
        assert!(mark.wait_for_turns(LONG));
        assert!(ended.load(SeqCst));
        let subscription = thread.join().unwrap();
        subscription.begin_turn();
        assert!(!mark.wait_for_turns(Duration::ZERO));
    }

    #[test]
    fn what_is_under_way_is_waited_for_and_nothing_else() {
        const LONG: Duration = Duration::from_secs(60);
        let mark = Watermark::new(Position(5));
        assert_eq!(mark.wait_for_what_is_under_way(LONG), WaitOutcome::Reached);
        mark.aim(Position(9));
        let none = Duration::ZERO;
        assert_eq!(mark.wait_for_what_is_under_way(none), WaitOutcome::TimedOut);
        let waiting = Arc::clone(&mark);
        let thread = std::thread::spawn(move || {
            let outcome = waiting.wait_for_what_is_under_way(LONG);
            (outcome, waiting.get())
        });
        mark.publish(Position(9));
        let seen = (WaitOutcome::Reached, Position(9));
        assert_eq!(thread.join().unwrap(), seen);
        mark.aim(Position(12));
        mark.fail();
        assert_eq!(mark.wait_for_what_is_under_way(LONG), WaitOutcome::Failed);
    }

    #[test]
    fn waits_for_a_position_or_the_time() {
        let mark = Watermark::new(Position(0));
        assert_eq!(
            mark.wait(Position(1), Some(Duration::ZERO)),
            WaitOutcome::TimedOut
        );
        let waiting = Arc::clone(&mark);
        let thread = std::thread::spawn(move || waiting.wait(Position(3), None));
        for at in 1..=3 {
            mark.publish(Position(at));
        }
        assert_eq!(thread.join().unwrap(), WaitOutcome::Reached);
    }
}
