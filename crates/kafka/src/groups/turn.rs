//! What a group is given when something is done to it: the time, the settings, and where its state is kept.

use std::time::Instant;

use bytes::Bytes;
use pagelog_store::LogError;
use pagelog_store::answer::Position;

use super::options::GroupOptions;

/// One turn of a group.
pub(crate) struct Turn<'a> {
    /// The time for everything that runs out.
    pub(crate) now: Instant,
    /// The same as milliseconds since 1970, for what outlives the process.
    pub(crate) now_ms: i64,
    pub(crate) options: &'a GroupOptions,
    /// The most bytes of a group's state that the log takes.
    pub(crate) state_size_max: usize,
    /// Keeps the group's state in the log.
    pub(crate) keep: &'a dyn Fn(&Bytes) -> Result<Position, LogError>,
}
