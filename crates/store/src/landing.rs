//! Batches that are received straight into their place in the log.
//!
//! What can be known before is decided before: a duplicate, a gap or a deleted topic reserves nothing. What only the bytes can tell is
//! decided behind it; the place is a filler then, and the bytes are given back, so that the batch can go the usual way, which has an
//! answer for everything.

use pagelog_commit_log::{
    AppendError as LogAppendError, Body, Incoming, LandingSize, NewEntry as Batch,
};
use pagelog_record::Producer;

use crate::error::{AppendError, LogError};
use crate::partition::{Appended, Numbered, Partition};

/// What is known of a batch before it lands.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The sizes of its head, which is given in the end, and of its body.
    pub size: LandingSize,
    /// The first bytes of the body, which were received before.
    pub early: &'a [u8],
    /// How many records it says that it holds.
    pub count: u32,
    /// The caller's clock, in milliseconds since 1970.
    pub append_time_ms: i64,
    /// Who says that he wrote it.
    pub producer: Producer,
}

/// Why a batch has not landed.
#[derive(Debug)]
pub enum NotLanded {
    /// The usual way can tell: [`Partition::append`]. These bytes were received, of the body and of what lies behind it.
    TakenBack(Vec<u8>),
    /// The log has failed, and what was received is gone.
    Failed(LogError),
}

/// Nothing was received yet.
impl From<AppendError> for NotLanded {
    fn from(_: AppendError) -> NotLanded {
        NotLanded::TakenBack(Vec::new())
    }
}

impl Partition {
    /// Appends a batch whose body waits in `incoming`, and behind it `behind_size` bytes more, which are at most 16.
    ///
    /// `check` is given the body where it lies and what came behind it; its batch has an empty body. Never blocks; the partition takes
    /// nothing else meanwhile.
    ///
    /// # Errors
    ///
    /// [`NotLanded`]: nothing was appended.
    ///
    /// # Panics
    ///
    /// When the batch has a body, or a head of another size.
    pub fn land<'b>(
        &self,
        arrival: &Arrival<'_>,
        incoming: &mut dyn Incoming,
        behind_size: usize,
        check: impl FnOnce(&mut Body<'_, '_>, &[u8]) -> Option<Batch<'b>>,
    ) -> Result<Appended, NotLanded> {
        let numbered = Numbered {
            count: arrival.count,
            append_time_ms: arrival.append_time_ms,
            producer: arrival.producer,
        };
        let landed = self.append_by(&numbered, |log, stream| {
            let mut behind = [0; 16];
            let behind = &mut behind[..behind_size];
            let landing = log.reserve(stream, arrival.size);
            let mut landing = landing.map_err(AppendError::from)?;
            // Where the memory has no page, nothing is whole.
            let beyond = match landing.put(arrival.early) {
                Ok(()) => landing.receive(incoming, behind),
                Err(_) => 0,
            };
            let batch = match landing.is_whole() && beyond == behind_size {
                true => check(&mut landing.body(), behind),
                false => None,
            };
            match batch {
                Some(batch) => landing.commit(&batch).map_err(NotLanded::failed),
                None => {
                    let mut taken = landing.take_back().map_err(NotLanded::failed)?;
                    taken.extend_from_slice(&behind[..beyond]);
                    Err(NotLanded::TakenBack(taken))
                }
            }
        })?;
        // Nothing was received of a duplicate: it has to be read, and answered, in its place.
        match landed.duplicate {
            true => Err(NotLanded::TakenBack(Vec::new())),
            false => Ok(landed),
        }
    }
}

impl NotLanded {
    fn failed(error: LogAppendError) -> NotLanded {
        NotLanded::Failed(error.into())
    }
}
