//! What the server has done, counted per reactor without sharing and summed when asked.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// A snapshot of what a [`Server`](crate::Server) has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections taken in.
    pub accepted: u64,
    /// Connections closed at once because there were too many.
    pub refused: u64,
    /// Connections taken in that are closed by now.
    pub closed: u64,
    /// Connections closed because nothing moved on them for too long; part of `closed`.
    pub timed_out: u64,
    /// Frames handled.
    pub frames: u64,
    /// Frames that a worker had to handle; part of `frames`.
    pub worked: u64,
    /// Frames whose rest went from the socket straight into the log; part of `frames`.
    pub landed: u64,
    /// The bytes that did so.
    pub landed_bytes: u64,
    /// Frames that were received so and then not taken: they were gathered, and handled like any other.
    pub landings_refused: u64,
    /// Bytes of frames that were copied from one buffer to another before they were handled.
    pub carried_bytes: u64,
    /// How often a waiting answer was polled.
    pub polls: u64,
    /// How often a sleeping reactor was woken by another thread.
    pub wakes: u64,
    /// How often what was to be sent was not in memory, and was fetched.
    pub fetches: u64,
    /// Fetches that io_uring has done; the others a thread has waited for by itself.
    pub ring_fetches: u64,
    /// Bytes of files that were fetched.
    pub fetched_bytes: u64,
    /// How often a send took 10 ms or longer: pages that were there when asked about may be gone when they are sent.
    pub slow_sends: u64,
    /// Bytes that peers make this process hold now: partial frames, frames at work, answers not yet taken.
    pub in_flight_bytes: u64,
    /// What went out, by path.
    pub transfer: pagelog_transfer::Counters,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Counters) {
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.closed += other.closed;
        self.timed_out += other.timed_out;
        self.frames += other.frames;
        self.worked += other.worked;
        self.landed += other.landed;
        self.landed_bytes += other.landed_bytes;
        self.landings_refused += other.landings_refused;
        self.carried_bytes += other.carried_bytes;
        self.polls += other.polls;
        self.wakes += other.wakes;
        self.fetches += other.fetches;
        self.ring_fetches += other.ring_fetches;
        self.fetched_bytes += other.fetched_bytes;
        self.slow_sends += other.slow_sends;
        self.in_flight_bytes += other.in_flight_bytes;
        self.transfer += other.transfer;
    }
}

/// The counts of one reactor. All are its own thread's but `wakes`.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<Counters>,
    pub(crate) wakes: AtomicU64,
}

impl Tally {
    /// Makes the reactor's own counts visible; done once per round, not once per count.
    pub(crate) fn publish(&self, counts: Counters) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    pub(crate) fn get(&self) -> Counters {
        let mut counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.wakes = self.wakes.load(Relaxed);
        counts
    }
}
