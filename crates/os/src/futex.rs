//! Sleeps on a word until another thread has changed it: one call to sleep, one to wake everybody.

use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags};

/// `long futex(uint32_t *word, FUTEX_WAIT_PRIVATE, uint32_t expected, const struct timespec *timeout)`: sleeps if `word` is `expected`, until a [`wake_all`] or `deadline`.
///
/// Differs from the call in that the time is a point and not a span, and in that nothing is told apart: it was woken, the word had
/// another value, a signal came or the time is over. Look at what you wait for, and at the clock.
///
/// Safe, since the word is borrowed, and the kernel only reads it.
///
/// man 2 futex.
pub fn wait(word: &AtomicU32, expected: u32, deadline: Option<Instant>) {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return;
    }
    // A time that the kernel cannot count is as good as none.
    let timeout = left.and_then(|left| left.try_into().ok());
    let waited = futex::wait(word, Flags::PRIVATE, expected, timeout.as_ref());
    if waited.is_err_and(|error| !matches!(error, Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT)) {
        // A kernel that refuses the call altogether (a filter of system calls): poll, rather than spin.
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// `long futex(uint32_t *word, FUTEX_WAKE_PRIVATE, INT_MAX)`: wakes every thread that sleeps on `word`. Change the word before.
///
/// Differs from the call in that it cannot fail: the word is there.
///
/// Safe, since the kernel takes the word's address for a name and no more.
///
/// man 2 futex.
pub fn wake_all(word: &AtomicU32) {
    // On a word that is there it cannot fail.
    let _ = futex::wake(word, Flags::PRIVATE, i32::MAX as u32);
}
