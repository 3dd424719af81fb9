//! A reader that reads a long range once and does not push out what others use.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::MappedFile;

use crate::let_go;

/// The bytes that are let go at a time: no folio reaches over an edge.
const STEP_SIZE: u64 = 4 << 20;

/// How many steps are looked at before the reader is there. The kernel reads ahead of it, by up to twice the
/// device's `read_ahead_kb`, and what it has read itself must not be taken for somebody's.
const STEPS_AHEAD: usize = 16;

/// Lets go behind a reader that goes forward through a file, but keeps what was in memory before it came: that is
/// somebody's hot tail.
///
/// The reader says where it is before it reads there, by whatever call on the descriptor it reads (pages that are
/// copied out of the mapping stay mapped, and so in memory); what lies behind is let go in steps of 4 MiB, the last
/// one on drop. What was in memory before is asked 64 MiB ahead of the reader, since the kernel reads ahead of it: so
/// this is for readers of long ranges.
#[derive(Debug)]
pub struct ReadOnce {
    file: Arc<MappedFile>,
    /// The steps that were looked at and that the reader has not left; the reader is in the first.
    ahead: VecDeque<Step>,
}

#[derive(Debug)]
struct Step {
    range: Range<u64>,
    /// Some of it was in memory before.
    others: bool,
}

impl ReadOnce {
    /// A reader that has not begun.
    #[must_use]
    pub fn new(file: Arc<MappedFile>) -> ReadOnce {
        ReadOnce {
            file,
            ahead: VecDeque::new(),
        }
    }

    /// The reader is about to read at byte `at`, and needs nothing before it again.
    ///
    /// # Errors
    ///
    /// When the kernel cannot be asked, or does not let go. The reader can go on without.
    pub fn reader_at(&mut self, at: u64) -> io::Result<()> {
        while self.ahead.front().is_some_and(|step| step.range.end <= at) {
            let left = self.ahead.pop_front();
            left.map_or(Ok(()), |step| self.leave(&step))?;
        }
        let start = at / STEP_SIZE * STEP_SIZE;
        if self
            .ahead
            .front()
            .is_some_and(|step| step.range.start > start)
        {
            // Backward: it begins anew there.
            self.leave_all()?;
        }
        while self.ahead.len() < STEPS_AHEAD {
            let next = self.ahead.back().map_or(start, |step| step.range.end);
            let Some(step) = self.look_at(next)? else {
                break;
            };
            self.ahead.push_back(step);
        }
        Ok(())
    }

    /// The step at byte `start`; `None` at the end of the file.
    fn look_at(&self, start: u64) -> io::Result<Option<Step>> {
        let range = start..self.file.size().min(start.saturating_add(STEP_SIZE));
        if range.start >= range.end {
            return Ok(None);
        }
        let in_memory = range.start as usize..range.end as usize;
        let others = self.file.mapping().resident_pages(in_memory)? > 0;
        Ok(Some(Step { range, others }))
    }

    fn leave(&self, step: &Step) -> io::Result<()> {
        if step.others {
            return Ok(());
        }
        let_go(self.file.file(), step.range.clone())
    }

    /// Also of the step that the kernel has only read ahead.
    fn leave_all(&mut self) -> io::Result<()> {
        while let Some(step) = self.ahead.pop_front() {
            self.leave(&step)?;
        }
        Ok(())
    }
}

impl Drop for ReadOnce {
    fn drop(&mut self) {
        // Nobody is left to tell; the pages age as any others.
        let _ = self.leave_all();
    }
}
