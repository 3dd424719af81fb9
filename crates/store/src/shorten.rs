//! One pass over the log: starts move by retention, and the oldest segments go, one after the other, as long as that is worth what it costs.

use std::ops::Range;
use std::time::Duration;

use pagelog_commit_log::{AppendError, Carry, CarryError, RemoveFrontError, WaitOutcome};

use crate::answer::Position;
use crate::error::{DeleteRecordsError, LogError};
use crate::housekeeping::Rest;
use crate::partition::{Partition, StartMoved};
use crate::store::Store;
use crate::topic_config::TopicConfig;

/// How much is carried at once, in bytes. Small beside the ring, so that it is not filled by this alone.
const STEP_SIZE: u64 = 256 << 10;

/// How long one wait for the log is, before it is looked whether to stop.
const WAIT: Duration = Duration::from_millis(100);

/// What a pass came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// How many partitions start later than before.
    pub starts_moved: u64,
    /// The bytes that were appended again.
    pub bytes_carried: u64,
    /// How many segments are gone.
    pub segments_removed: u64,
}

/// Why a pass was not finished; the next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
    /// The log does not take what is to be carried.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What is to be carried cannot be read.
    #[error(transparent)]
    Carry(CarryError),
    /// The segment is not let go.
    #[error(transparent)]
    Remove(#[from] RemoveFrontError),
}

/// Makes passes.
#[derive(Debug)]
pub(crate) struct Shortener<'a> {
    store: &'a Store,
    rest: &'a Rest,
    bytes_per_second: u64,
}

impl<'a> Shortener<'a> {
    pub(crate) fn new(store: &'a Store, rest: &'a Rest, bytes_per_second: u64) -> Shortener<'a> {
        Shortener {
            store,
            rest,
            bytes_per_second: bytes_per_second.max(1),
        }
    }

    /// Moves starts, and removes what is no longer needed; with `wants_room` also the oldest segment's records that would be kept.
    pub(crate) fn pass(&self, wants_room: bool) -> Result<Passed, PassError> {
        let mut passed = Passed::default();
        let moved = self.move_starts(wants_room, &mut passed);
        // On a full disk no start can be moved; but a segment in which nothing counts takes no room to remove.
        self.shorten(&mut passed)?;
        moved?;
        Ok(passed)
    }

    fn move_starts(&self, wants_room: bool, passed: &mut Passed) -> Result<(), PassError> {
        self.each_partition(passed, |partition, config| partition.retain(config))?;
        let Some(front) = self.store.log().front().filter(|_| wants_room) else {
            return Ok(());
        };
        self.each_partition(passed, |partition, config| match config.cleanup.delete {
            true => partition.delete_below(front.end),
            false => Ok(None),
        })
    }

    fn each_partition(
        &self,
        passed: &mut Passed,
        delete: impl Fn(&Partition, &TopicConfig) -> Result<Option<StartMoved>, DeleteRecordsError>,
    ) -> Result<(), PassError> {
        let topics = self.store.topics();
        for topic in topics.iter_unordered() {
            for partition in topic.partitions() {
                let moved = self.patiently(|| match delete(partition, topic.config()) {
                    Ok(moved) => Ok(moved),
                    Err(DeleteRecordsError::Log(error)) => Err(error),
                    // The topic has gone meanwhile, or its records have.
                    Err(_) => Ok(None),
                })?;
                passed.starts_moved += u64::from(moved.is_some());
            }
        }
        Ok(())
    }

    /// Removes segments from the front. What is appended meanwhile is not looked at, so that this ends.
    fn shorten(&self, passed: &mut Passed) -> Result<(), PassError> {
        let log = self.store.log();
        let tail = log.appended();
        let mut counting = None;
        while let Some(front) = log.front() {
            if front.end > tail || !self.is_worth_carrying(&front, &mut counting) {
                break;
            }
            self.carry(&front, passed)?;
            log.remove_front(&front)?;
            passed.segments_removed += 1;
        }
        Ok(())
    }

    /// A segment of which no more than half counts is worth it. One of which more counts holds up all behind it, so it is worth it too when more than half of the
    /// whole log does not count. Either way, for each byte that is appended again at least one is given back.
    fn is_worth_carrying(&self, front: &Range<Position>, counting: &mut Option<u64>) -> bool {
        let size = front.end - front.start;
        if self.bytes_counting_below(front.end) <= size / 2 {
            return true;
        }
        let all = *counting.get_or_insert_with(|| self.bytes_counting_below(Position(u64::MAX)));
        self.store.log().size() > all.saturating_mul(2).saturating_add(2 * size)
    }

    fn bytes_counting_below(&self, until: Position) -> u64 {
        // What cannot be looked up counts, as long as it cannot.
        let counting = self.store.log().counting_below(until);
        let bytes = counting.map_or(u64::MAX, |counting| counting.bytes);
        bytes.saturating_add(self.store.value_bytes_below(until))
    }

    fn carry(&self, front: &Range<Position>, passed: &mut Passed) -> Result<(), PassError> {
        let end = self.carry_entries(front.end, passed)?;
        let end = end.max(self.carry_values(front.end, passed)?);
        self.wait_durable(end)
    }

    fn carry_entries(&self, until: Position, passed: &mut Passed) -> Result<Position, PassError> {
        let mut carry = Carry::new(self.store.log(), until);
        loop {
            let before = carry.bytes();
            let all = match carry.step(STEP_SIZE) {
                Ok(all) => all,
                Err(CarryError::Append(AppendError::Busy(busy))) => {
                    self.wait_room(busy)?;
                    false
                }
                Err(CarryError::Append(error)) => return Err(LogError::from(error).into()),
                Err(error) => return Err(PassError::Carry(error)),
            };
            let bytes = carry.bytes() - before;
            passed.bytes_carried += bytes;
            if all {
                return Ok(carry.end());
            }
            self.pace(bytes)?;
        }
    }

    fn carry_values(&self, until: Position, passed: &mut Passed) -> Result<Position, PassError> {
        let mut end = Position(0);
        loop {
            let carried = self.patiently(|| self.store.carry_values(until, STEP_SIZE))?;
            end = end.max(carried.end);
            passed.bytes_carried += carried.bytes;
            if carried.all {
                return Ok(end);
            }
            self.pace(carried.bytes)?;
        }
    }

    /// Tries again as long as the log is only busy.
    fn patiently<T>(&self, attempt: impl Fn() -> Result<T, LogError>) -> Result<T, PassError> {
        loop {
            if self.rest.is_stopping() {
                return Err(PassError::Stopped);
            }
            match attempt() {
                Err(LogError::Busy(busy)) => self.wait_room(busy)?,
                other => return Ok(other?),
            }
        }
    }

    fn wait_room(&self, busy: pagelog_commit_log::Busy) -> Result<(), PassError> {
        self.store.wait_room(busy, WAIT);
        match self.rest.is_stopping() {
            true => Err(PassError::Stopped),
            false => Ok(()),
        }
    }

    /// Rests as long as `bytes` may take.
    fn pace(&self, bytes: u64) -> Result<(), PassError> {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let time = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        match self.rest.rest(time) {
            true => Ok(()),
            false => Err(PassError::Stopped),
        }
    }

    fn wait_durable(&self, end: Position) -> Result<(), PassError> {
        let log = self.store.log();
        loop {
            match log.durable().wait(end, Some(WAIT)) {
                WaitOutcome::Reached => return Ok(()),
                WaitOutcome::TimedOut if self.rest.is_stopping() => return Err(PassError::Stopped),
                WaitOutcome::TimedOut => {}
                // Whoever asks the store is told how.
                WaitOutcome::Closed | WaitOutcome::Failed => return Err(PassError::Stopped),
            }
        }
    }
}
