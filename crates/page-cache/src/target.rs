//! What is made warm, and by what means, a step at a time.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use pagelog_os::file::FileAdvice;
use pagelog_os::{Advice, Force, Mapping, Populate, PopulateError, Touch, file};

/// The bytes that are warmed at once. The kernel reads so much ahead in folios of one page; asked for more at a
/// time, it may use larger ones, and then a small store makes a large piece of the file dirty.
pub const STEP_SIZE: u64 = 128 << 10;

/// How far reading runs ahead of the use of what was read, so that the disk is busy meanwhile.
const READ_LEAD: u64 = 16 * STEP_SIZE;

/// How the pages of a mapping are brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// One access to each page: works everywhere, a fault a page.
    Touch(Touch),
    /// [`Mapping::populate`], one call a step; on kernels that lack it (before 5.14), by touching.
    Populate(Populate),
}

/// What is made warm.
///
/// A mapping that is to be stored into is advised `MADV_RANDOM` before its first touch, so that the pages of a
/// file lie in folios of one page and a later sync of a small store writes one page. That helps only where the
/// file's pages are not in memory yet: let go of those of a file that was written before.
#[derive(Debug)]
pub struct Target {
    file: Option<ReadAhead>,
    memory: Option<(Arc<Mapping>, Means)>,
}

/// A file that is read into the page cache ahead of its use.
#[derive(Debug)]
struct ReadAhead {
    file: File,
    asked_to: u64,
}

impl Target {
    /// A file's pages, by `POSIX_FADV_WILLNEED` alone: nobody waits for them, and no mapping is needed.
    #[must_use]
    pub fn file(file: File) -> Target {
        Target {
            file: Some(ReadAhead { file, asked_to: 0 }),
            memory: None,
        }
    }

    /// A mapping's pages: of memory, or of a file whose blocks were never written, so that there is nothing to read.
    #[must_use]
    pub fn memory(memory: Arc<Mapping>, means: Means) -> Target {
        Target {
            file: None,
            memory: Some((memory, means)),
        }
    }

    /// The pages of a file that has been written before, and of the mapping of it: read ahead first, touched
    /// after. Touching alone would read them one by one.
    #[must_use]
    pub fn file_and_memory(file: File, memory: Arc<Mapping>, means: Means) -> Target {
        Target {
            file: Some(ReadAhead { file, asked_to: 0 }),
            memory: Some((memory, means)),
        }
    }

    /// The mapping, if there is one.
    pub(crate) fn mapping(&self) -> Option<&Arc<Mapping>> {
        self.memory.as_ref().map(|(memory, _)| memory)
    }

    /// The bytes there are; none past them can be warmed.
    pub(crate) fn size(&self) -> io::Result<u64> {
        match (&self.memory, &self.file) {
            (Some((memory, _)), _) => Ok(memory.size() as u64),
            (None, Some(ahead)) => Ok(ahead.file.metadata()?.len()),
            (None, None) => Ok(0),
        }
    }

    /// Before the first touch of `range`.
    pub(crate) fn prepare(&mut self, range: &Range<u64>) -> io::Result<()> {
        if let Some(ahead) = &mut self.file {
            ahead.asked_to = range.start;
        }
        match &self.memory {
            Some((memory, means)) if means.stores() => {
                memory.advise(in_memory(range), Advice::Random)
            }
            _ => Ok(()),
        }
    }

    /// Brings `step` in; reading runs ahead of it, but not past `until`.
    pub(crate) fn warm(&mut self, step: &Range<u64>, until: u64) -> io::Result<()> {
        if let Some(ahead) = &mut self.file {
            let lead = if self.memory.is_some() { READ_LEAD } else { 0 };
            // The writer may have passed what was not asked for yet.
            ahead.asked_to = ahead.asked_to.max(step.start);
            ahead.ask(step.end.saturating_add(lead).min(until))?;
        }
        match &mut self.memory {
            Some((memory, means)) => means.bring_in(memory, in_memory(step)),
            None => Ok(()),
        }
    }

    /// Whether pages are made ready to be stored into.
    pub(crate) fn stores(&self) -> bool {
        matches!(&self.memory, Some((_, means)) if means.stores())
    }

    /// Makes pages that were warm ready to be stored into again, where the kernel has written them to the disk meanwhile.
    pub(crate) fn touch_again(&self, range: &Range<u64>) -> io::Result<()> {
        match &self.memory {
            Some((memory, _)) => Ok(memory.touch(in_memory(range), Touch::Store)?),
            None => Ok(()),
        }
    }

    /// Writes what warming made dirty in `range` to the disk.
    pub(crate) fn flush(&self, range: &Range<u64>) -> io::Result<()> {
        match &self.memory {
            Some((memory, means)) if means.stores() => memory.force(in_memory(range), Force::Sync),
            _ => Ok(()),
        }
    }
}

impl ReadAhead {
    fn ask(&mut self, end: u64) -> io::Result<()> {
        while self.asked_to < end {
            let step = self.asked_to..end.min(self.asked_to + STEP_SIZE);
            file::advise(&self.file, step.clone(), FileAdvice::WillNeed)?;
            self.asked_to = step.end;
        }
        Ok(())
    }
}

impl Means {
    /// Whether pages are made ready to be stored into, which makes them dirty.
    fn stores(self) -> bool {
        matches!(
            self,
            Means::Touch(Touch::Store) | Means::Populate(Populate::Write)
        )
    }

    fn bring_in(&mut self, memory: &Mapping, range: Range<usize>) -> io::Result<()> {
        match *self {
            Means::Touch(how) => Ok(memory.touch(range, how)?),
            Means::Populate(what) => match memory.populate(range.clone(), what) {
                Err(PopulateError::Unsupported) => {
                    *self = Means::Touch(match what {
                        Populate::Read => Touch::Load,
                        Populate::Write => Touch::Store,
                    });
                    self.bring_in(memory, range)
                }
                result => Ok(result?),
            },
        }
    }
}

/// A range of the file as a range of its mapping, within which the caller has put it.
fn in_memory(range: &Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}
