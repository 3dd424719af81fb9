//! A page cache that holds no more than so much of a broker's log: what is more is let go of, by a thread that looks again and again.
//!
//! In the place of a memory cgroup, for which one has to be the administrator of the machine. It is harsher than the kernel, which lets
//! go of the oldest pages: all go at once, those at the tail with them, but for what a mapping holds.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use pagelog_os::cache::count_pages;
use pagelog_os::file::{self, FileAdvice};
use pagelog_os::page_size;

use crate::pagelog::Pagelog;

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(10);

/// The files of a log, and how much of them may stay in memory.
pub(super) struct ShortMemory {
    segments: Vec<(File, u64)>,
    size_max: u64,
}

impl ShortMemory {
    /// Over the segments that there are now.
    ///
    /// # Errors
    /// Where they cannot be opened.
    pub(super) fn new(pagelog: &Pagelog, size_max: u64) -> Result<ShortMemory> {
        let open = |path: std::path::PathBuf| {
            let mut options = File::options();
            // Pages are counted for those who may write the file.
            let file = options.read(true).write(true).open(&path);
            let file = file.with_context(|| format!("open {}", path.display()))?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        let segments = pagelog.segments()?.into_iter().map(open);
        Ok(ShortMemory {
            segments: segments.collect::<Result<_>>()?,
            size_max,
        })
    }

    /// Lets go of everything.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn empty(&self) -> Result<()> {
        for (segment, size) in &self.segments {
            file::advise(segment, 0..*size, FileAdvice::DontNeed)?;
        }
        Ok(())
    }

    /// Keeps it short until it is `over`. How often all was let go of.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn keep(&self, over: &AtomicBool) -> Result<u64> {
        let mut times = 0;
        while !over.load(Relaxed) {
            if self.resident()? > self.size_max {
                self.empty()?;
                times += 1;
            }
            thread::sleep(EVERY);
        }
        Ok(times)
    }

    /// Bytes that are in memory.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn resident(&self) -> Result<u64> {
        let counts = self.segments.iter().map(|(segment, size)| {
            let pages = count_pages(segment, 0..*size)?;
            Ok(pages.resident * page_size() as u64)
        });
        counts.sum()
    }
}
