//! One partition: a stream of the log, and the little that is remembered of it.
//!
//! What is kept here can be built again from the log's entries, and is, at every opening. One mutex per partition orders its
//! appends, so that the order of its offsets is the order of its positions. Lock order: a partition's mutex, then
//! whatever the log takes inside; never two partitions at once.
//!
//! ```text
//!   offsets   0 ───────────── visible ───────────── next
//!             may be read      appended, not yet settled
//! ```

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pagelog_commit_log::{Appended as Entry, Bounds, Log, NewEntry as Batch, Stream};
use pagelog_record::{Epoch, Offset, Producer, StreamId};

use crate::answer::Position;
use crate::clock::now_ms;
use crate::control::ControlEntry;
use crate::core::Core;
use crate::epochs::{Current, EpochEnd, Epochs};
use crate::error::{AppendError, DeleteRecordsError, LogError};
use crate::kept::{Carrier, Paused};
use crate::partition_entries::PartitionEntry;
use crate::producers::{KnownProducer, Producers, Remembered};
use crate::waiting::{Waiter, Waiters};

/// A topic's partition (or queue): an ordered stream of records.
#[derive(Debug)]
pub struct Partition {
    core: Arc<Core>,
    stream: Arc<Stream>,
    /// The next offset when the log was opened, or when the partition came to be.
    opened_at: Offset,
    epochs: Epochs,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    deleted: bool,
    /// The position behind the newest entry that was appended since the log was opened.
    last_end: Position,
    /// See [`Past::anchor`].
    anchor: Position,
    producers: Producers,
    waiters: Waiters,
}

/// What the log told about a partition while it was opened.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) epochs: Epochs,
    pub(crate) producers: Producers,
    /// What lies below is deleted.
    pub(crate) start: Offset,
    /// The next offset is at least this, though no entry may be left to say so.
    pub(crate) next: Offset,
    /// What a partition knows is told by the entry here and those behind it; see [`crate::partition_entries`].
    pub(crate) anchor: Position,
    /// What a checkpoint has told already.
    pub(crate) told: Told,
}

/// How far a checkpoint tells of a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Of its records, all below.
    pub(crate) next: Offset,
    /// Of its control entries, all below.
    pub(crate) as_of: Position,
}

impl Past {
    /// Nothing yet, told by the entry at `anchor`.
    pub(crate) fn new(anchor: Position) -> Past {
        Past {
            epochs: Epochs::default(),
            producers: Producers::default(),
            start: Offset(0),
            next: Offset(0),
            anchor,
            told: Told {
                next: Offset(0),
                as_of: Position(0),
            },
        }
    }
}

/// What tells a batch from others of its producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbered {
    pub(crate) count: u32,
    pub(crate) append_time_ms: i64,
    pub(crate) producer: Producer,
}

/// A batch that is in the log, or will be once its mark is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The position behind it: a mark that has reached it covers the batch.
    pub end: Position,
    /// The time of the append, milliseconds since 1970 UTC.
    pub append_time_ms: i64,
    /// Whether it had been appended before, so that nothing was appended now.
    pub duplicate: bool,
}

/// Where a partition starts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartMoved {
    /// The offset of its first record.
    pub start: Offset,
    /// The position behind the entry that says so; 0 if it was so before.
    pub end: Position,
}

impl Partition {
    pub(crate) fn new(core: Arc<Core>, stream: Arc<Stream>, past: Past) -> Partition {
        core.log.restore(&stream, past.start, past.next);
        Partition {
            core,
            opened_at: stream.next_offset(),
            stream,
            epochs: past.epochs,
            state: Mutex::new(State {
                deleted: false,
                last_end: Position(0),
                anchor: past.anchor,
                producers: past.producers,
                waiters: Waiters::default(),
            }),
        }
    }

    /// The stream of the log that holds its records.
    pub fn stream(&self) -> StreamId {
        self.stream.id()
    }

    /// Whether its topic has been deleted.
    pub fn is_deleted(&self) -> bool {
        self.lock().deleted
    }

    /// The offset of the oldest record that can be read.
    pub fn start_offset(&self) -> Offset {
        self.stream.bounds(self.core.settled()).start
    }

    /// The offset behind the last record that readers may see: nothing below it can be taken back.
    pub fn high_watermark(&self) -> Offset {
        self.stream.bounds(self.core.settled()).end
    }

    /// The offset that the next record will have.
    pub fn next_offset(&self) -> Offset {
        self.stream.next_offset()
    }

    /// Where epoch `asked` ended; `None` when it has not begun.
    pub fn epoch_end(&self, asked: Epoch) -> Option<EpochEnd> {
        self.epochs.end_of(asked, self.current())
    }

    /// The epoch in which the record at `offset` was written, or the current one for an offset that is still to come.
    pub fn epoch_at(&self, offset: Offset) -> Option<Epoch> {
        self.epochs.epoch_at(offset, self.current())
    }

    fn current(&self) -> Current {
        Current {
            epoch: self.core.log.epoch(),
            start: self.opened_at,
            end: self.high_watermark(),
        }
    }

    /// The bytes of its records that readers may see. Adds them up entry by entry: not for threads that may not take long.
    pub fn size(&self) -> u64 {
        let until = self.core.settled();
        let start = self.stream.bounds(until).start;
        self.core
            .log
            .available(&self.stream, start, until, u64::MAX)
            .unwrap_or_else(|error| {
                tracing::warn!(stream = %self.stream(), %error, "its size is not known for now");
                0
            })
    }

    /// The producers that have numbered batches here lately, by id.
    pub fn producers(&self) -> Vec<KnownProducer> {
        let expiration_ms = self.core.producer_expiration_ms;
        self.lock().producers.listed(now_ms(), expiration_ms)
    }

    /// Appends a batch, or finds that it has been appended before.
    ///
    /// Never blocks. The batch is in the file when the *written* mark reaches [`Appended::end`] and survives the loss of power
    /// when the *durable* mark does; until then nothing is promised, for a duplicate no more than for the original.
    ///
    /// # Errors
    ///
    /// See [`AppendError`]; nothing was appended.
    pub fn append(&self, batch: &Batch<'_>) -> Result<Appended, AppendError> {
        let numbered = Numbered {
            count: batch.count,
            append_time_ms: batch.append_time_ms,
            producer: batch.producer,
        };
        self.append_by(&numbered, |log, stream| {
            log.append(stream, batch).map_err(AppendError::from)
        })
    }

    /// Appends a batch by `put`, unless it has been appended before, or may not be; nobody else appends here meanwhile.
    pub(crate) fn append_by<E: From<AppendError>>(
        &self,
        new: &Numbered,
        put: impl FnOnce(&Log, &Stream) -> Result<Entry, E>,
    ) -> Result<Appended, E> {
        let (appended, waiters) = self.append_locked(new, put)?;
        waiters.tell(self.core.settles_at, appended.end);
        Ok(appended)
    }

    fn append_locked<E: From<AppendError>>(
        &self,
        new: &Numbered,
        put: impl FnOnce(&Log, &Stream) -> Result<Entry, E>,
    ) -> Result<(Appended, Waiters), E> {
        let mut state = self.lock();
        if state.deleted {
            return Err(AppendError::Deleted.into());
        }
        if self.core.refuses_records.load(Relaxed) {
            return Err(AppendError::DiskFull.into());
        }
        if let Some(original) = self.duplicate(&mut state, new)? {
            return Ok((original, Waiters::default()));
        }
        let entry = put(&self.core.log, &self.stream)?;
        let appended = Appended {
            base_offset: entry.base_offset,
            end: entry.end,
            append_time_ms: new.append_time_ms,
            duplicate: false,
        };
        state.take_note(new, &appended, self.core.producer_expiration_ms);
        Ok((appended, state.waiters.take()))
    }

    fn duplicate(
        &self,
        state: &mut State,
        new: &Numbered,
    ) -> Result<Option<Appended>, AppendError> {
        if new.producer.id < 0 {
            return Ok(None);
        }
        let expiration_ms = self.core.producer_expiration_ms;
        let found =
            state
                .producers
                .check(new.producer, new.count, new.append_time_ms, expiration_ms)?;
        Ok(found.map(|original| Appended {
            base_offset: original.base_offset,
            end: original.end,
            append_time_ms: original.append_time_ms,
            duplicate: true,
        }))
    }

    /// Deletes the records below `to`, which readers may see: nobody reads them any more. It stays so, and the space is given back in time, when the
    /// position returned is durable.
    ///
    /// A `to` at or below the start changes nothing.
    ///
    /// # Errors
    ///
    /// [`DeleteRecordsError`]; nothing has changed.
    pub fn delete_records(&self, to: Offset) -> Result<StartMoved, DeleteRecordsError> {
        let state = self.lock();
        if state.deleted {
            return Err(DeleteRecordsError::Deleted);
        }
        let Bounds { start, end } = self.stream.bounds(self.core.settled());
        if to > end || to.0 < 0 {
            return Err(DeleteRecordsError::OutOfRange { offset: to, end });
        }
        if to <= start {
            return Ok(StartMoved {
                start,
                end: Position(0),
            });
        }
        let entry = ControlEntry::LogStart {
            stream: self.stream.id(),
            start: to,
        };
        let appended = self.core.log.append_control(&entry.encode(), now_ms());
        let appended = appended.map_err(LogError::from)?;
        Ok(StartMoved {
            start: self.core.log.set_start(&self.stream, to),
            end: appended.end,
        })
    }

    /// As [`crate::Keeper::carry`].
    pub(crate) fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        let mut state = self.lock();
        if state.deleted {
            return Ok(());
        }
        carrier.locked();
        let payload_size_max = self.core.log.options().payload_size_max as usize;
        carrier.carry_at(&mut state.anchor, || self.entry(payload_size_max).encode())?;
        let expired_ms = now_ms().saturating_sub(self.core.producer_expiration_ms);
        let stream = self.stream.id();
        state
            .producers
            .carry(carrier, stream, expired_ms, payload_size_max)
    }

    /// What it is now, as the log is told; its lock is held.
    fn entry(&self, size_max: usize) -> PartitionEntry {
        let bounds = self.stream.bounds(self.core.settled());
        let next = self.stream.next_offset();
        let mut epochs = self.epochs.since(bounds.start);
        if next > self.opened_at {
            epochs.push((self.core.log.epoch(), self.opened_at));
        }
        epochs.drain(
            ..epochs
                .len()
                .saturating_sub(PartitionEntry::epochs_max(size_max)),
        );
        PartitionEntry {
            stream: self.stream.id(),
            start: bounds.start,
            next,
            epochs,
        }
    }

    /// Has `waiter` told when there is more to read, once; told at once if something appended is not yet settled.
    pub(crate) fn watch(&self, waiter: &Waiter) {
        let mut state = self.lock();
        if state.deleted {
            drop(state);
            waiter.tell(self.core.settles_at, Position(0));
            return;
        }
        state.waiters.add(waiter);
        let last_end = state.last_end;
        drop(state);
        if last_end > self.core.settled() {
            waiter.tell(self.core.settles_at, last_end);
        }
    }

    pub(crate) fn unwatch(&self, waiter: &Waiter) {
        self.lock().waiters.remove(waiter);
    }

    /// How many readers wait here.
    pub fn waiter_count(&self) -> usize {
        self.lock().waiters.len()
    }

    /// From now on appends are refused; whoever waits is told.
    pub(crate) fn mark_deleted(&self) {
        let mut state = self.lock();
        state.deleted = true;
        state.producers = Producers::default();
        let waiters = state.waiters.take();
        drop(state);
        waiters.tell(self.core.settles_at, Position(0));
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn log_stream(&self) -> &Stream {
        &self.stream
    }

    /// A panic while the lock was held leaves the state whole: every change of it is a few assignments.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_note(&mut self, batch: &Numbered, appended: &Appended, expiration_ms: i64) {
        self.last_end = appended.end;
        if batch.producer.id >= 0 {
            let remembered =
                Remembered::new(appended.base_offset, appended.end, batch.append_time_ms);
            self.producers
                .remember(batch.producer, batch.count, remembered, expiration_ms);
        }
    }
}
