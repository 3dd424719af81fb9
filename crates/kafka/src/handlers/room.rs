//! Trying again when the log has no room, on threads that may wait.

use std::time::{Duration, Instant};

use pagelog_store::{Busy, Store};

/// The longest a worker waits for room, whatever the client allows: a worker that waits serves nobody else.
const ROOM_TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// How long one wait is at most, so that a missed signal costs no more.
const WAIT_ONCE: Duration = Duration::from_millis(100);

/// When a worker stops waiting for room, if the client waits `timeout_ms` for its answer.
pub(super) fn room_deadline(timeout_ms: i32) -> Instant {
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Instant::now() + timeout.min(ROOM_TIMEOUT_MAX)
}

/// Tries until it fails for another reason than want of room, or until the deadline. Blocks.
pub(super) fn with_room<T, E>(
    store: &Store,
    deadline: Instant,
    busy: impl Fn(&E) -> Option<Busy>,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    loop {
        let failed = match attempt() {
            Ok(done) => return Ok(done),
            Err(failed) => failed,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match busy(&failed) {
            Some(busy) if !left.is_zero() => store.wait_room(busy, left.min(WAIT_ONCE)),
            _ => return Err(failed),
        }
    }
}
