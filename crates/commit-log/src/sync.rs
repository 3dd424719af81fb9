//! The one side that writes staged entries, syncs files and says *durable*.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{Position, Segment, file_name};

use crate::append::Appended;
use crate::control::Control;
use crate::error::{AppendError, LogFailure};
use crate::log::Log;
use crate::options::PAGE_SIZE;
use crate::tail::Reserved;
use crate::whole;

/// There is one for each log: whoever holds it decides when bytes become durable.
#[derive(Debug)]
pub struct SyncSide {
    log: Arc<Log>,
    /// Kept from one write to the next, so that writing allocates nothing.
    batch: Vec<Reserved>,
    ranges: Vec<Range<usize>>,
    writes: u64,
    entries: u64,
    syncer: Syncer,
}

/// What syncs. The one in a [`SyncSide`] is enough, unless writing is to go on while a sync runs.
#[derive(Debug)]
pub struct Syncer {
    log: Arc<Log>,
    syncs: u64,
}

/// What has been done for durability so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Gathered writes of staged entries.
    pub writes: u64,
    /// Entries that they held, the log's own included.
    pub entries: u64,
    /// Syncs of a file: `fdatasync` calls, on the mapped route `msync`.
    pub syncs: u64,
}

impl SyncSide {
    pub(crate) fn new(log: Arc<Log>) -> SyncSide {
        SyncSide {
            syncer: Syncer {
                log: Arc::clone(&log),
                syncs: 0,
            },
            log,
            batch: Vec::new(),
            ranges: Vec::new(),
            writes: 0,
            entries: 0,
        }
    }

    /// The log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// What has been done so far.
    pub fn counters(&self) -> Counters {
        Counters {
            writes: self.writes,
            entries: self.entries,
            syncs: self.syncer.syncs,
        }
    }

    /// The part that syncs, for another thread, while this one writes. Give it back by [`SyncSide::join`] to have its syncs counted.
    pub fn split(&self) -> Syncer {
        Syncer {
            log: Arc::clone(&self.log),
            syncs: 0,
        }
    }

    /// Takes a part back.
    pub fn join(&mut self, other: &Syncer) {
        self.syncer.syncs += other.syncs;
    }

    /// Sleeps until there are entries that are not durable, the log has failed, `awake` holds, or `timeout` is over; may return for no reason.
    ///
    /// [`Waker::wake`] ends the sleep from another thread.
    pub fn sleep(&self, awake: impl Fn() -> bool, timeout: Option<Duration>) {
        let log = &self.log;
        let work = Position(log.durable().get().0 + 1);
        log.sleep(|| awake() || log.failure().is_some(), Some(work), timeout);
    }

    /// Sleeps until `until` has been appended, if it is given, an appender finds the ring full, the log has failed, `awake` holds or
    /// `timeout` is over; may return for no reason. Other appends wake nobody.
    pub fn rest(&self, awake: impl Fn() -> bool, until: Option<Position>, timeout: Duration) {
        let log = &self.log;
        log.sleep(|| awake() || log.failure().is_some(), until, Some(timeout));
    }

    /// Sleeps until the event loops that are in a turn ([`Subscription::begin_turn`](crate::Subscription::begin_turn)) have ended it, for
    /// `limit` at most: what they append by then, the next write takes along. Whether they have ended it.
    pub fn wait_for_turns(&self, limit: Duration) -> bool {
        self.log.durable().wait_for_turns(limit)
    }

    /// Something that ends a sleep.
    pub fn waker(&self) -> Waker {
        Waker {
            log: Arc::clone(&self.log),
        }
    }

    /// Puts everything that is staged and finished into the file and moves the written mark. Without a ring there is nothing to do.
    ///
    /// # Errors
    ///
    /// A failed write ends the log.
    pub fn write(&mut self) -> Result<Position, Arc<LogFailure>> {
        self.check()?;
        self.batch.clear();
        if self.log.ring().is_some() {
            self.log.tail().take_ready(&mut self.batch);
        }
        let Some(last) = self.batch.last().copied() else {
            return Ok(self.log.written().get());
        };
        let batch = std::mem::take(&mut self.batch);
        let written = self.write_batch(&batch);
        self.batch = batch;
        written.map_err(|failure| self.log.fail(failure))?;
        self.release(&last);
        self.log.written().publish(Position(last.end));
        Ok(Position(last.end))
    }

    /// As [`Syncer::sync`].
    ///
    /// # Errors
    ///
    /// A failed sync ends the log.
    pub fn sync(&mut self) -> Result<Position, Arc<LogFailure>> {
        self.syncer.sync()
    }

    /// Takes no more entries, ends the log with an entry that says so, writes and syncs all of it. Whoever waits for more is told
    /// [`WaitOutcome::Closed`](crate::WaitOutcome::Closed).
    ///
    /// # Errors
    ///
    /// A failed write or sync. If the disk is so full that the last entry finds no room, the log is closed without it.
    pub fn close(&mut self) -> Result<Position, Arc<LogFailure>> {
        self.drain()?;
        match self.append_stopped() {
            Ok(appended) => self.log.stop_at(appended.position),
            Err(AppendError::Failed(failure)) => return Err(failure),
            Err(error) => tracing::warn!("the log is closed without its last entry: {error}"),
        }
        self.log.tail().closed = true;
        let durable = self.drain()?;
        self.log.close_marks();
        Ok(durable)
    }

    /// Writes and syncs until nothing is left of what has been reserved.
    fn drain(&mut self) -> Result<Position, Arc<LogFailure>> {
        loop {
            self.write()?;
            let durable = self.sync()?;
            if durable.0 >= self.log.tail().position {
                return Ok(durable);
            }
            // Somebody is still filling a place, which takes as long as a copy.
            std::thread::yield_now();
        }
    }

    fn append_stopped(&mut self) -> Result<Appended, AppendError> {
        self.log.append_own(&Control::plain(Control::STOPPED), 0)
    }

    fn check(&self) -> Result<(), Arc<LogFailure>> {
        self.log.failure().map_or(Ok(()), Err)
    }

    /// One gathered write for each run of entries that are neighbours in the log.
    fn write_batch(&mut self, batch: &[Reserved]) -> Result<(), LogFailure> {
        let neighbours =
            |left: &Reserved, right: &Reserved| left.position + left.size == right.position;
        let mut start = 0;
        for index in 0..batch.len() {
            let last = index + 1 == batch.len();
            if last || !neighbours(&batch[index], &batch[index + 1]) {
                self.write_within_segments(&batch[start..=index])?;
                start = index + 1;
            }
        }
        self.entries += batch.len() as u64;
        Ok(())
    }

    /// Neighbours in the log may still lie in two files.
    fn write_within_segments(&mut self, run: &[Reserved]) -> Result<(), LogFailure> {
        let mut rest = run;
        while let Some(first) = rest.first() {
            let at = Position(first.position);
            let Some(segment) = self.log.segments().find(at) else {
                return Err(LogFailure::Abandoned { position: at });
            };
            let count = rest.partition_point(|one| one.position < segment.end().0);
            self.write_run(&segment, &rest[..count])?;
            rest = &rest[count..];
        }
        Ok(())
    }

    fn write_run(&mut self, segment: &Segment, run: &[Reserved]) -> Result<(), LogFailure> {
        let at = run[0].position - segment.base().0;
        self.ranges.clear();
        for reserved in run {
            if let Some(place) = reserved.place {
                push_range(&mut self.ranges, place.at, reserved.size as usize);
            }
        }
        self.writes += 1;
        let failed = |source: io::Error| LogFailure::Write {
            file: file_name(segment.base()),
            at,
            source,
        };
        match self.log.ring() {
            Some(ring) => {
                let padding = padding(at, &self.ranges);
                self.ranges.push(ring.zeros(padding));
                segment.writing(&(at..end_of_write(segment, run, at, &self.ranges)));
                whole::write_gather(&**segment.file(), at, &ring.memory, &mut self.ranges)
                    .map_err(failed)
            }
            None => Ok(()),
        }
    }

    /// Gives the ring's places back to the appenders.
    fn release(&self, last: &Reserved) {
        let mut tail = self.log.tail();
        if let (Some(ring), Some(place)) = (&mut tail.ring, last.place) {
            ring.release(place.end);
        }
        drop(tail);
        self.log.room().notify_all();
    }
}

impl Syncer {
    /// Syncs every file with written entries that are not durable, and moves the durable mark to where the written one stood before.
    ///
    /// # Errors
    ///
    /// A failed sync ends the log: what the kernel dropped, another sync would not bring back.
    pub fn sync(&mut self) -> Result<Position, Arc<LogFailure>> {
        self.log.failure().map_or(Ok(()), Err)?;
        let (from, to) = (self.log.durable().get(), self.log.written().get());
        if to <= from {
            return Ok(from);
        }
        self.log.durable().aim(to);
        let segments = self.log.segments().snapshot();
        let dirty = |segment: &&Arc<Segment>| segment.end() > from && segment.base() < to;
        for segment in segments.iter().filter(dirty) {
            self.syncs += 1;
            if let Err(source) = self.sync_segment(segment, from, to) {
                let file = file_name(segment.base());
                return Err(self.log.fail(LogFailure::Sync { file, source }));
            }
            segment.synced();
        }
        self.log.durable().publish(to);
        self.log.indexes().durable_reached(to);
        Ok(to)
    }
}

impl Syncer {
    /// On the mapped route no more than what was appended: pages ahead were made dirty by warming them, and to write these would cost the disk as
    /// much again, and whoever stores into them next a fault.
    fn sync_segment(&self, segment: &Segment, from: Position, to: Position) -> io::Result<()> {
        if self.log.ring().is_some() {
            return segment.file().sync_data();
        }
        let begin = from.max(segment.base()) - segment.base();
        let end = to.min(segment.end()) - segment.base();
        segment.file().sync_range(begin..end)?;
        // A page that was put in the place of a bad one is not the file's, and was not written.
        Ok(segment.append_mapping()?.check_fault()?)
    }
}

/// How many bytes are missing behind `ranges`, written at byte `at` of a file, to the end of a page.
///
/// Whole pages are written, zeros behind the last entry, which the next write overwrites: of a page that is written in part and not in memory, as in
/// a file that was used before, the kernel would first read the rest from the disk.
fn padding(at: u64, ranges: &[Range<usize>]) -> usize {
    let size: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let end = at + size as u64;
    (end.next_multiple_of(PAGE_SIZE) - end) as usize
}

/// Where a write of `run` ends in the file: behind its padding, or at the end of the segment, which is full then, if its last entry is a filler.
fn end_of_write(segment: &Segment, run: &[Reserved], at: u64, ranges: &[Range<usize>]) -> u64 {
    let size: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let run_end = run.last().map_or(0, |last| last.end.min(segment.end().0));
    (at + size as u64).max(run_end.saturating_sub(segment.base().0))
}

/// Adds a range, joined with the last one where they touch.
fn push_range(ranges: &mut Vec<Range<usize>>, at: usize, size: usize) {
    match ranges.last_mut() {
        Some(last) if last.end == at => last.end += size,
        _ => ranges.push(at..at + size),
    }
}

/// Ends the sleep of the thread that writes and syncs.
#[derive(Clone, Debug)]
pub struct Waker {
    log: Arc<Log>,
}

impl Waker {
    /// Wakes it, if it sleeps.
    pub fn wake(&self) {
        self.log.ring_bell();
    }
}
