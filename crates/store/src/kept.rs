//! Values that live in control entries, and how they stay when the segment that holds such an entry goes.
//!
//! What the store remembers beside records is written as control entries. They are *keyed*: the newest entry of a key is its value, or says that
//! there is none any more. Whoever keeps such values remembers beside each of them where its entry lies ([`Kept`]), and is a [`Keeper`]:
//! before the oldest segments are removed, it is asked to append again what only they hold.
//!
//! ```text
//!   until ─────────────┐
//!   │ segment to go    │ … │ tail →
//!   │ key a = 1, a = 2 │   │ a = 2, marked as moved
//!         └ live value's position is below `until`: appended again, and the position is the new one
//! ```
//!
//! What a keeper has to keep to:
//!
//! 1. A value and the entry that holds it change under one lock: append, then remember the value with [`Appended::position`], and let go of the lock. So
//!    the order of a key's entries in the log is the order of its values, and carrying, which takes the same lock, never overtakes a change.
//! 2. A value that is deleted is forgotten, and its deletion is never carried: segments go from the front only, so no older value is left behind it.
//! 3. Replay takes entries in the order of the log, moved or not, by the same rule: the last one of a key counts, and its position is remembered.
//!    A moved entry may be the first one of its key that replay meets.
//! 4. Carrying starts over after a pause. What has been carried lies at or behind `until`, and so is not carried again.

use pagelog_commit_log::{Appended, Log};
use pagelog_record::entry_size;

use crate::answer::Position;
use crate::checkpoint::Records;
use crate::clock::now_ms;
use crate::error::LogError;

/// A value, and where the control entry lies that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept<V> {
    /// The value.
    pub value: V,
    /// Where its entry begins: the header's position, not the end of the entry.
    pub at: Position,
}

/// Keeps values in control entries.
pub trait Keeper {
    /// Appends again every value whose entry lies below [`Carrier::until`], and remembers where it lies from now on.
    ///
    /// Called again after a pause, from the beginning; under no lock of the store. One thread at a time carries, others may only look.
    /// When it holds the lock that orders the changes of what it gives next, and has given nothing of it yet, it calls [`Carrier::locked`].
    ///
    /// # Errors
    ///
    /// [`Paused`], as the carrier says it: hand it on, holding no lock.
    fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused>;
}

/// Why carrying is interrupted.
#[derive(Debug, thiserror::Error)]
pub enum Paused {
    /// Enough for one step: others want to append too. It goes on after a rest.
    #[error("enough has been carried for one step")]
    Step,
    /// The log did not take an entry; if it is only busy, it goes on when there is room.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Appends again what keepers give it, up to a number of bytes; or only counts it; or writes all of it down for a checkpoint.
#[derive(Debug)]
pub struct Carrier<'a> {
    until: Position,
    way: Way<'a>,
    /// The bytes that were appended, or would be.
    bytes: u64,
}

#[derive(Debug)]
enum Way<'a> {
    Append {
        log: &'a Log,
        size_max: u64,
        end: Position,
    },
    Count,
    Record {
        log: &'a Log,
        records: Records,
    },
}

impl<'a> Carrier<'a> {
    /// Carries what lies below `until` in a step of about `size_max` bytes.
    pub(crate) fn new(log: &'a Log, until: Position, size_max: u64) -> Carrier<'a> {
        Carrier {
            until,
            way: Way::Append {
                log,
                size_max,
                end: Position(0),
            },
            bytes: 0,
        }
    }

    /// Counts what lies below `until`, and changes nothing.
    pub(crate) fn counting(until: Position) -> Carrier<'a> {
        Carrier {
            until,
            way: Way::Count,
            bytes: 0,
        }
    }

    /// Writes down every value that there is, and changes nothing.
    pub(crate) fn recording(log: &'a Log) -> Carrier<'a> {
        Carrier {
            until: Position(u64::MAX),
            way: Way::Record {
                log,
                records: Records::default(),
            },
            bytes: 0,
        }
    }

    /// The lock is held that orders the changes of what is given next: entries of it that lie below this place of the log are taken in already.
    pub fn locked(&mut self) {
        if let Way::Record { log, records } = &mut self.way {
            records.as_of = log.reserved();
        }
    }

    /// Whether what lies in several entries may be given as one: not where each has its place written down.
    pub(crate) fn joins(&self) -> bool {
        !matches!(self.way, Way::Record { .. })
    }

    /// What was written down.
    pub(crate) fn into_records(self) -> Vec<u8> {
        match self.way {
            Way::Record { records, .. } => records.bytes,
            _ => Vec::new(),
        }
    }

    /// Values whose entries lie below are to be appended again.
    #[must_use]
    pub fn until(&self) -> Position {
        self.until
    }

    /// Appends the value's entry again if it lies below `until`; `encode` gives the whole payload, as it was given to the log at first.
    ///
    /// # Errors
    ///
    /// [`Paused`]; then nothing has changed.
    pub fn carry<V>(
        &mut self,
        kept: &mut Kept<V>,
        encode: impl FnOnce(&V) -> Vec<u8>,
    ) -> Result<(), Paused> {
        let Kept { value, at } = kept;
        self.carry_at(at, || encode(value))
    }

    /// As [`Carrier::carry`], for a value that lies elsewhere than the position of its entry.
    ///
    /// # Errors
    ///
    /// [`Paused`]; then nothing has changed.
    pub fn carry_at(
        &mut self,
        at: &mut Position,
        encode: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), Paused> {
        if *at < self.until
            && let Some(now) = self.append(&encode(), *at)?
        {
            *at = now;
        }
        Ok(())
    }

    /// Appends a control entry, marked as moved, and says where it lies; `None` if it is only counted or written down. It says what the entry at `at`
    /// said.
    pub(crate) fn append(
        &mut self,
        payload: &[u8],
        at: Position,
    ) -> Result<Option<Position>, Paused> {
        let (log, size_max, end) = match &mut self.way {
            Way::Append { log, size_max, end } => (log, size_max, end),
            Way::Count => {
                self.bytes += entry_size(payload.len() as u32);
                return Ok(None);
            }
            Way::Record { records, .. } => {
                records.push(payload, at);
                return Ok(None);
            }
        };
        if self.bytes >= *size_max {
            return Err(Paused::Step);
        }
        let appended = log.append_control_moved(payload, now_ms());
        let appended: Appended = appended.map_err(LogError::from)?;
        self.bytes += appended.end - appended.position;
        *end = appended.end;
        Ok(Some(appended.position))
    }

    /// The bytes that were appended, or would be if this only counts.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where the last entry of this step ends; 0 if there was none.
    pub(crate) fn end(&self) -> Position {
        match self.way {
            Way::Append { end, .. } => end,
            Way::Count | Way::Record { .. } => Position(0),
        }
    }
}
