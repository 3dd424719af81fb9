//! The work that keeps what tells where entries lie small in memory, and on the disk. Whoever has a thread that may wait for the disk does it.

use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{Position, Segment};

use crate::index::{IndexWork, SealError};
use crate::log::Log;

impl Log {
    /// Does the next piece of work on the index: writes the index of a segment that is full and durable, or a part of what memory holds when that
    /// is above its budget, or builds an index again that was found damaged.
    ///
    /// Reads and writes files, and waits for the disk. Two threads that call it take turns.
    ///
    /// # Errors
    ///
    /// [`SealError`]; the entries stay in memory, and the next call tries again.
    pub fn index_next(&self) -> Result<IndexWork, SealError> {
        let segments = self.segments().snapshot();
        if let Some(base) = self.indexes().rebuild(&segments)? {
            return Ok(IndexWork::Rebuilt(base));
        }
        let reached = self.indexes().go_on(&segments);
        let Some(segment) = segments.iter().find(|one| one.end() > reached.sealed) else {
            return Ok(IndexWork::Nothing);
        };
        let active = self.tail().segment.base();
        let durable = self.durable().get();
        if segment.end() <= active {
            if durable >= segment.end() {
                self.indexes()
                    .seal(segment, segment.end(), &|at| self.durable_part(at))?;
                return Ok(IndexWork::Sealed(segment.base()));
            }
            self.want_durable(segment.end());
        }
        if self.indexes().pool().is_above_limit() {
            let to = durable.min(segment.end());
            if reached.filed < to {
                self.indexes().spill(segment, to)?;
                return Ok(IndexWork::Spilled);
            }
            self.want_durable(durable + 1);
        }
        Ok(IndexWork::Nothing)
    }

    /// Waits until there may be something for [`Log::index_next`] to do, for at most `timeout`. May return for no reason.
    pub fn wait_index_work(&self, timeout: Duration) {
        self.indexes().wait(timeout);
    }

    /// Ends a [`Log::wait_index_work`].
    pub fn wake_index_work(&self) {
        self.indexes().ring();
    }

    /// Writes the index of everything that is durable, also of the segment that is not full: at a stop, so that the next opening need not
    /// read it.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn index_all(&self) -> Result<(), SealError> {
        while self.index_next()? != IndexWork::Nothing {}
        let reached = *self.indexes().reached();
        let durable = self.durable().get();
        match self.segments().find(reached.indexed) {
            Some(segment) if reached.indexed < durable => {
                let to = durable.min(segment.end());
                self.indexes()
                    .seal(&segment, to, &|at| self.durable_part(at))
            }
            _ => Ok(()),
        }
    }

    /// The segment that holds `at`, and up to where its entries are durable.
    fn durable_part(&self, at: Position) -> Option<(Arc<Segment>, Position)> {
        let segment = self.segments().find(at)?;
        let to = self.durable().get().min(segment.end());
        Some((segment, to))
    }

    /// Sets how much memory may tell where entries lie before it is written into a file, in bytes; 16 MiB unless this is called.
    pub fn set_index_memory(&self, size_max: usize) {
        self.indexes().pool().set_limit(size_max);
        self.indexes().ring();
    }

    /// How much memory tells where entries lie, in bytes.
    pub fn index_memory(&self) -> usize {
        self.indexes().pool().used()
    }

    /// Ends a [`Log::wait_index_work`] when the log is durable up to `at`.
    pub fn wake_index_work_at(&self, at: Position) {
        self.want_durable(at);
    }

    fn want_durable(&self, at: Position) {
        self.indexes().want_durable(at);
        // It may have come there before anybody was asked to say so.
        self.indexes().durable_reached(self.durable().get());
    }
}
