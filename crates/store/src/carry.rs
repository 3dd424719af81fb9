//! Carrying forward: what still counts in the oldest segments is appended again, so that they can go.

use crate::answer::Position;
use crate::error::LogError;
use crate::kept::{Carrier, Keeper, Paused};
use crate::store::Store;

/// What one step of carrying came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Whether nothing is left to be carried.
    pub all: bool,
    /// Where the last entry of this step ends: when that is durable, so is all that this step has carried. 0 if it carried nothing.
    pub end: Position,
}

impl Store {
    /// All who keep values in control entries; whoever adds a type of entry adds its keeper here.
    fn keepers(&self) -> [&dyn Keeper; 2] {
        [self, self.groups()]
    }

    /// Appends again the values whose control entries lie below `until`, about `size_max` bytes of them. To be called until [`Carried::all`].
    ///
    /// # Errors
    ///
    /// When the log does not take an entry; what has been carried until then stays carried.
    pub fn carry_values(&self, until: Position, size_max: u64) -> Result<Carried, LogError> {
        let mut carrier = Carrier::new(self.log(), until, size_max);
        let mut outcome = Ok(());
        for keeper in self.keepers() {
            outcome = outcome.and_then(|()| keeper.carry(&mut carrier));
        }
        let end = carrier.end();
        match outcome {
            Ok(()) => Ok(Carried { all: true, end }),
            Err(Paused::Step) => Ok(Carried { all: false, end }),
            Err(Paused::Log(error)) => Err(error),
        }
    }
}
