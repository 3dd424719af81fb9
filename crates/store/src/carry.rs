//! Carrying forward: what still counts in the oldest segments is appended again, so that they can go.

use crate::answer::Position;
use crate::error::LogError;
use crate::housekeeping::Rest;
use crate::kept::{Carrier, Keeper, Paused};
use crate::shorten::{PassError, Passed, Shortener};
use crate::store::Store;

/// What one step of carrying came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Whether nothing is left to be carried.
    pub all: bool,
    /// Where the last entry of this step ends: when that is durable, so is all that this step has carried. 0 if it carried nothing.
    pub end: Position,
    /// The bytes that were appended.
    pub bytes: u64,
}

impl Store {
    /// Asks all who keep values in control entries; whoever adds a type of entry adds its keeper here.
    pub(crate) fn carry_all(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        // Topics go first: replay passes over partitions of topics that it has not met.
        let keepers: [&dyn Keeper; 3] = [self, &*self.topics(), self.groups()];
        keepers
            .into_iter()
            .try_for_each(|keeper| keeper.carry(carrier))
    }

    /// The bytes that the values take whose control entries lie below `until`.
    pub(crate) fn value_bytes_below(&self, until: Position) -> u64 {
        let mut carrier = Carrier::counting(until);
        // Counting appends nothing, and so is never paused.
        let _ = self.carry_all(&mut carrier);
        carrier.bytes()
    }

    /// Deletes what retention no longer keeps, and removes segments as far as that is worth what it costs; what [`crate::Housekeeping`] does now and then.
    ///
    /// Waits for the disk: the log's [`crate::SyncSide`] has to be at work.
    ///
    /// # Errors
    ///
    /// [`PassError`]; what was done until then stays done.
    pub fn remove_old(&self) -> Result<Passed, PassError> {
        Shortener::new(self, &Rest::default(), u64::MAX).pass(false)
    }

    /// Appends again the values whose control entries lie below `until`, about `size_max` bytes of them. To be called until [`Carried::all`].
    ///
    /// # Errors
    ///
    /// When the log does not take an entry; what has been carried until then stays carried.
    pub fn carry_values(&self, until: Position, size_max: u64) -> Result<Carried, LogError> {
        let mut carrier = Carrier::new(self.log(), until, size_max);
        let outcome = self.carry_all(&mut carrier);
        let carried = |all| Carried {
            all,
            end: carrier.end(),
            bytes: carrier.bytes(),
        };
        match outcome {
            Ok(()) => Ok(carried(true)),
            Err(Paused::Step) => Ok(carried(false)),
            Err(Paused::Log(error)) => Err(error),
        }
    }
}
