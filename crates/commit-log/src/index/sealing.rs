//! Brings what memory tells of entries into files: a part of it when there is too much, all of it when a segment is full.
//!
//! This is work for a thread that may wait for the disk; it holds no lock that an appender or a reader waits for, but a stream's for a moment.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pagelog_record::Seed;
use pagelog_segment::{Position, Segment, Storage};

use super::from_memory::FromMemory;
use super::{
    Files, IndexError, IndexFile, Merge, Pool, Sorted, Target, build, index_name, publish, remove,
    run_name, sorted, write,
};
use crate::streams::Streams;

/// The memory that items may take before they are written into a run, in bytes: half a million entries.
const MEMORY_MAX: usize = 16 << 20;

/// All that tells where entries lie.
#[derive(Debug)]
pub(crate) struct Indexes {
    storage: Arc<dyn Storage>,
    log_id: [u8; 16],
    seed: Seed,
    pub(crate) streams: Streams,
    pub(crate) files: Files,
    pool: Pool,
    reached: Mutex<Reached>,
    bell: Bell,
}

/// How far files tell where entries lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// The segments below have their index.
    pub(crate) sealed: Position,
    /// Files that a next opening uses tell of everything below.
    pub(crate) indexed: Position,
    /// These and runs tell of everything below.
    pub(crate) filed: Position,
}

/// Says which segment holds a position, and up to where within it entries are durable.
pub(crate) type Holding<'a> = dyn Fn(Position) -> Option<(Arc<Segment>, Position)> + 'a;

/// Wakes whoever waits for work.
#[derive(Debug)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// It rings when the durable position comes here.
    durable: AtomicU64,
}

/// A piece of work on the index that was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexWork {
    /// There was none.
    Nothing,
    /// A part of what memory held went into a run.
    Spilled,
    /// The segment at this position is full and durable, and has its index now: time for a checkpoint.
    Sealed(Position),
    /// The index of the segment at this position was not as it had been written, and was built again.
    Rebuilt(Position),
}

/// Why an index was not written. Nothing is lost by it, and it can be tried again.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {file}, which tells where entries lie: {source}")]
pub struct SealError {
    /// The file's name.
    pub file: String,
    /// What is wrong.
    pub source: IndexError,
}

impl Indexes {
    pub(crate) fn new(storage: Arc<dyn Storage>, log_id: [u8; 16], seed: Seed) -> Indexes {
        let nothing = Reached {
            sealed: Position(0),
            indexed: Position(0),
            filed: Position(0),
        };
        let pool = Pool::default();
        pool.set_limit(MEMORY_MAX);
        Indexes {
            storage,
            log_id,
            seed,
            streams: Streams::default(),
            files: Files::default(),
            pool,
            reached: Mutex::new(nothing),
            bell: Bell {
                rung: Mutex::new(false),
                changed: Condvar::new(),
                durable: AtomicU64::new(u64::MAX),
            },
        }
    }

    pub(crate) fn log_id(&self) -> &[u8; 16] {
        &self.log_id
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn reached(&self) -> MutexGuard<'_, Reached> {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says from where on nothing is indexed but by the files that there are.
    pub(crate) fn begin(&self, at: Position, segments: &[Arc<Segment>]) {
        let mut reached = self.reached();
        *reached = Reached {
            sealed: at,
            indexed: at,
            filed: at,
        };
        self.pass_over(&mut reached, segments);
    }

    /// Goes on behind segments, or parts of one, that have an index already.
    fn pass_over(&self, reached: &mut Reached, segments: &[Arc<Segment>]) {
        for segment in segments {
            if segment.base() != reached.sealed {
                continue;
            }
            let files = self.files.snapshot();
            // Not a run, which is of no use to the next opening.
            let name = index_name(segment.base());
            let Some(file) = files.iter().find(|file| file.name() == name) else {
                return;
            };
            let to = file.header().to;
            reached.filed = reached.filed.max(to);
            reached.indexed = reached.indexed.max(to);
            if to == segment.end() {
                reached.sealed = to;
            }
        }
    }

    /// Builds every index again that was found to be wrong. Answers with the segment of one of them.
    pub(crate) fn rebuild(&self, segments: &[Arc<Segment>]) -> Result<Option<Position>, SealError> {
        let _one_at_a_time = self.reached();
        let mut rebuilt = None;
        for file in self.files.snapshot().iter().filter(|file| file.is_wrong()) {
            let header = file.header();
            let Some(segment) = segments.iter().find(|one| one.base() == header.base) else {
                continue;
            };
            self.build(segment, header.from, header.to, file.name())?;
            rebuilt = Some(header.base);
        }
        Ok(rebuilt)
    }

    /// Builds the file of this name from the entries at `from..to` of the segment, which are durable.
    pub(crate) fn build(
        &self,
        segment: &Segment,
        from: Position,
        to: Position,
        name: &str,
    ) -> Result<(), SealError> {
        let target = self.target(segment, from, to);
        let built = build(&self.storage, self.seed, &target, name, MEMORY_MAX);
        let built = built.map_err(failed(name))?;
        tracing::info!(file = name, "built again from its segment");
        self.files.replace(built);
        Ok(())
    }

    /// Writes what memory holds of the entries below `to` into a run; `to` is durable or was proven whole, and within `segment`.
    pub(crate) fn spill(&self, segment: &Segment, to: Position) -> Result<(), SealError> {
        self.spill_from(&mut self.reached(), segment, to)
    }

    fn spill_from(
        &self,
        reached: &mut Reached,
        segment: &Segment,
        to: Position,
    ) -> Result<(), SealError> {
        let from = reached.filed.max(segment.base());
        if from >= to {
            return Ok(());
        }
        let name = run_name(from);
        self.write_memory(segment, from, to, &name, &name)?;
        reached.filed = to;
        Ok(())
    }

    /// Files tell of all of `segment` already, as an opening has found.
    pub(crate) fn skip(&self, segment: &Segment) {
        let mut reached = self.reached();
        reached.filed = reached.filed.max(segment.end());
    }

    /// Makes the index of `segment` up to `to`, of runs and of what memory holds.
    ///
    /// Entries go on coming while runs are joined. When memory holds too much of them, it goes into runs of the segments behind: `holding` says
    /// which one holds a position, and up to where that is durable.
    pub(crate) fn seal(
        &self,
        segment: &Segment,
        to: Position,
        holding: &Holding<'_>,
    ) -> Result<(), SealError> {
        let mut reached = self.reached();
        if reached.indexed >= to {
            return Ok(());
        }
        let name = index_name(segment.base());
        let is_part = |file: &&Arc<IndexFile>| file.header().base == segment.base();
        let none = !self.files.snapshot().iter().any(|file| is_part(&file));
        if none && reached.filed <= segment.base() {
            let new = format!("{name}.new");
            self.write_memory(segment, segment.base(), to, &new, &name)?;
        } else {
            self.spill_from(&mut reached, segment, to)?;
            let files = self.files.snapshot();
            let parts: Vec<_> = files.iter().filter(is_part).cloned().collect();
            let mut refused = false;
            self.join(segment, to, &name, &parts, &mut || {
                if self.pool.is_above_limit() && !refused {
                    refused = !self.spill_behind(&mut reached, holding);
                }
            })?;
        }
        reached.filed = reached.filed.max(to);
        reached.indexed = reached.indexed.max(to);
        if to == segment.end() {
            reached.sealed = reached.sealed.max(to);
        }
        self.pool.trim();
        Ok(())
    }

    /// Writes what is durable behind all files into a run. False: not to be tried again for now.
    fn spill_behind(&self, reached: &mut Reached, holding: &Holding<'_>) -> bool {
        let Some((segment, to)) = holding(reached.filed) else {
            return true;
        };
        match self.spill_from(reached, &segment, to) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!("{error}; what would be in it stays in memory");
                false
            }
        }
    }

    /// How far files tell now: what lies before may have gone, or what lies next may have an index since the opening.
    pub(crate) fn go_on(&self, segments: &[Arc<Segment>]) -> Reached {
        let mut reached = self.reached();
        self.pass_over(&mut reached, segments);
        *reached
    }

    /// Writes what memory holds at `from..to` under the name `new`, which becomes `name`.
    fn write_memory(
        &self,
        segment: &Segment,
        from: Position,
        to: Position,
        new: &str,
        name: &str,
    ) -> Result<(), SealError> {
        let streams = self.streams.sorted();
        let items = || Box::new(FromMemory::new(Arc::clone(&streams), from, to)) as Sorted;
        let target = self.target(segment, from, to);
        let written = write(&*self.storage, new, &target, &items, &mut || {});
        written.map_err(failed(new))?;
        self.take_in(new, name)?;
        for stream in &*streams {
            stream.drop_filed(to, &self.pool);
        }
        self.streams.remove_gone();
        Ok(())
    }

    /// Joins runs, and what was indexed of the segment before, into its index. What cannot be read of them is read from the segment.
    fn join(
        &self,
        segment: &Segment,
        to: Position,
        name: &str,
        parts: &[Arc<IndexFile>],
        meanwhile: &mut dyn FnMut(),
    ) -> Result<(), SealError> {
        let new = format!("{name}.new");
        let target = self.target(segment, segment.base(), to);
        let items = || Box::new(Merge::new(parts.iter().map(sorted).collect())) as Sorted;
        match write(&*self.storage, &new, &target, &items, meanwhile) {
            Err(error) if parts.iter().any(|part| part.is_wrong()) => {
                tracing::warn!(file = name, %error, "a part of an index is damaged: it is built from its segment");
                self.build(segment, segment.base(), to, name)?;
            }
            written => {
                written.map_err(failed(&new))?;
                self.take_in(&new, name)?;
            }
        }
        for part in parts.iter().filter(|part| part.name() != name) {
            self.remove(part.name());
        }
        Ok(())
    }

    /// The segments below `end` are gone, and their indexes go.
    pub(crate) fn front_removed(&self, end: Position) {
        let mut reached = self.reached();
        reached.sealed = reached.sealed.max(end);
        reached.indexed = reached.indexed.max(end);
        reached.filed = reached.filed.max(end);
        for file in self.files.remove_below(end) {
            self.remove(file.name());
        }
    }

    /// Removes a file of which nobody has any use. If it stays, the next opening removes it.
    fn remove(&self, name: &str) {
        if let Err(error) = remove(&*self.storage, name) {
            tracing::warn!(file = name, %error, "a file that is of no use any more cannot be removed");
        }
    }

    /// Gives a file its name and lets readers find it.
    fn take_in(&self, new: &str, name: &str) -> Result<(), SealError> {
        if new != name {
            publish(&*self.storage, new, name).map_err(failed(name))?;
        }
        let file = IndexFile::open(&*self.storage, name.to_owned(), &self.log_id);
        self.files.replace(file.map_err(failed(name))?);
        Ok(())
    }

    fn target<'a>(&self, segment: &'a Segment, from: Position, to: Position) -> Target<'a> {
        Target {
            log_id: self.log_id,
            segment,
            from,
            to,
        }
    }

    /// Rings for whoever waits for work.
    pub(crate) fn ring(&self) {
        *self.bell.lock() = true;
        self.bell.changed.notify_all();
    }

    /// Rings if somebody has asked for it at this durable position.
    pub(crate) fn durable_reached(&self, durable: Position) {
        if durable.0 >= self.bell.durable.load(SeqCst) {
            self.bell.durable.store(u64::MAX, SeqCst);
            self.ring();
        }
    }

    /// Asks for a ring when the durable position comes to `at`, or to what was asked for before if that is lower.
    pub(crate) fn want_durable(&self, at: Position) {
        self.bell.durable.fetch_min(at.0, SeqCst);
    }

    /// Waits for a ring, which may have been before, for at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        let silent = |rung: &mut bool| !*rung;
        let waited = self
            .bell
            .changed
            .wait_timeout_while(self.bell.lock(), timeout, silent);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn failed(file: &str) -> impl FnOnce(IndexError) -> SealError {
    let file = file.to_owned();
    move |source| SealError { file, source }
}
