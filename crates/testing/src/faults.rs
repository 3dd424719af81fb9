//! Which operation fails, when, and how.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use rustix::io::Errno;

use crate::names::FileNumber;
use crate::random::Random;

/// What a [`Fault`] can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `Storage::create`.
    Create,
    /// `Storage::open`.
    Open,
    /// `Storage::rename`.
    Rename,
    /// `Storage::remove`.
    Remove,
    /// `Storage::list`.
    List,
    /// `Storage::sync_directory`.
    SyncDirectory,
    /// `StorageFile::read_at`.
    Read,
    /// `StorageFile::write_at` and `write_gather_at`.
    Write,
    /// `StorageFile::write_zeros`.
    WriteZeros,
    /// `StorageFile::sync_data`.
    Sync,
    /// `StorageFile::let_go`.
    LetGo,
    /// `StorageFile::shorten`.
    Shorten,
    /// `StorageFile::view` and `map_for_append`.
    Map,
}

/// Some calls of one operation fail with one error.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The operation that fails.
    pub operation: Operation,
    /// How many calls succeed first, counted from when the fault is injected.
    pub after: u64,
    /// How many calls fail then; `u64::MAX` stands for all of them.
    pub times: u64,
    /// What they fail with.
    pub error: Errno,
}

impl Fault {
    /// The call after the next `after` ones fails, and no other.
    #[must_use]
    pub fn once(operation: Operation, after: u64, error: Errno) -> Self {
        Self {
            operation,
            after,
            times: 1,
            error,
        }
    }

    /// All calls fail but the next `after` ones.
    #[must_use]
    pub fn always(operation: Operation, after: u64, error: Errno) -> Self {
        Self {
            times: u64::MAX,
            ..Self::once(operation, after, error)
        }
    }
}

/// What is to go wrong, counted down as it does.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: Vec<Fault>,
    bad_ranges: BTreeMap<FileNumber, Vec<Range<u64>>>,
    pub(crate) short_write_size_max: Option<usize>,
    pub(crate) mute_syncs: bool,
    pub(crate) pages_held: u64,
}

impl Faults {
    pub(crate) fn plan(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    pub(crate) fn plan_bad_range(&mut self, file: FileNumber, range: Range<u64>) {
        self.bad_ranges.entry(file).or_default().push(range);
    }

    /// Counts a call of `operation`, and fails it if that was planned.
    pub(crate) fn check(&mut self, operation: Operation) -> io::Result<()> {
        let mut outcome = Ok(());
        for fault in self
            .planned
            .iter_mut()
            .filter(|fault| fault.operation == operation)
        {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 && outcome.is_ok() {
                fault.times = if fault.times == u64::MAX {
                    u64::MAX
                } else {
                    fault.times - 1
                };
                outcome = Err(fault.error.into());
            }
        }
        outcome
    }

    /// Fails a read that touches a bad range.
    pub(crate) fn check_range(&self, file: FileNumber, at: u64, size: usize) -> io::Result<()> {
        let end = at.saturating_add(size as u64);
        let bad = self
            .bad_ranges
            .get(&file)
            .is_some_and(|ranges| ranges.iter().any(|bad| at < bad.end && bad.start < end));
        if bad { Err(Errno::IO.into()) } else { Ok(()) }
    }

    /// How much of a write of `size` bytes goes through at once; at least one byte of it.
    pub(crate) fn shorten(&self, size: usize, random: &mut Random) -> usize {
        match self.short_write_size_max {
            Some(max) if size > 0 => size.min(1 + random.below(max.max(1))),
            _ => size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_the_call_it_names_and_no_other() {
        let mut faults = Faults::default();
        faults.plan(Fault::once(Operation::Write, 2, Errno::NOSPC));
        let mut write = || {
            faults
                .check(Operation::Write)
                .map_err(|error| error.raw_os_error())
        };
        assert_eq!(
            [write(), write(), write(), write()],
            [
                Ok(()),
                Ok(()),
                Err(Some(Errno::NOSPC.raw_os_error())),
                Ok(())
            ]
        );
        assert!(faults.check(Operation::Sync).is_ok());
    }
}
