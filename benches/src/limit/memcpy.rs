//! The limit of an append that waits for no disk: a copy of 1 KiB into memory that is warm.
//!
//! Two destinations: anonymous memory (what the staging ring is made of), by the standard library's
//! copy; and a shared mapping of a file (what the mapped route stores into), by the copy of
//! `pagelog-os`, which is the only one that is defined on memory that others may change.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use pagelog_os::{Advice, Mapping, Populate, file};

use crate::sample::Sample;

const COPY_SIZE: usize = 1024;
const AREA_SIZE: usize = 64 << 20;
/// Copies between two looks at the clock, so that the look costs nothing.
const BURST: usize = 1024;

/// Copies into anonymous memory, touched before.
pub(crate) fn anonymous(duration: Duration) -> Sample {
    let source = [0x5a; COPY_SIZE];
    let mut area = vec![1u8; AREA_SIZE];
    timed(duration, |at| {
        area[at..at + COPY_SIZE].copy_from_slice(std::hint::black_box(&source));
        std::hint::black_box(&mut area);
    })
}

/// A shared mapping of a file in `directory`, allocated, advised and populated.
pub(crate) struct WarmMapping {
    mapping: Mapping,
    /// Where the next copy goes: rounds go on where the one before ended, so that no cache holds what is stored into.
    at: std::cell::Cell<usize>,
}

impl WarmMapping {
    /// # Errors
    /// Where the file cannot be made or mapped.
    pub(crate) fn new(directory: &Path) -> Result<WarmMapping> {
        WarmMapping::of_size(directory, AREA_SIZE)
    }

    /// As [`WarmMapping::new`], of so many bytes.
    ///
    /// # Errors
    /// As [`WarmMapping::new`].
    pub(crate) fn of_size(directory: &Path, size: usize) -> Result<WarmMapping> {
        let path = directory.join("bare-mapping");
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        file::allocate(&options, size as u64)?;
        let mapping = Mapping::shared(&options, size)?;
        std::fs::remove_file(&path)?; // the mapping keeps the file
        mapping.advise(0..size, Advice::Random)?;
        mapping.populate(0..size, Populate::Write)?;
        let at = std::cell::Cell::new(0);
        Ok(WarmMapping { mapping, at })
    }

    /// Copies `count` times `size` bytes, one place behind the other.
    ///
    /// # Errors
    /// Where a page of the mapping cannot be had.
    pub(crate) fn copies(&self, size: usize, count: u64) -> Result<Sample> {
        let source = vec![0x5a; size];
        let mut sample = Sample::empty();
        let started = Instant::now();
        for _ in 0..count {
            let room = self.mapping.size() - self.at.get();
            let at = if room < size { 0 } else { self.at.get() };
            self.mapping.copy_in(at, std::hint::black_box(&source))?;
            self.at.set(at + size);
        }
        sample.wall = started.elapsed();
        sample.operations = count;
        sample.bytes = count * size as u64;
        Ok(sample)
    }

    /// One round of copies into the mapping.
    ///
    /// # Errors
    /// Where a page of the mapping cannot be had.
    pub(crate) fn run(&self, duration: Duration) -> Result<Sample> {
        let source = [0x5a; COPY_SIZE];
        let mut outcome = Ok(());
        let sample = timed(duration, |at| {
            let copied = self.mapping.copy_in(at, std::hint::black_box(&source));
            if outcome.is_ok() {
                outcome = copied;
            }
        });
        outcome?;
        Ok(sample)
    }
}

/// Runs `copy` at advancing places; a latency is the mean of a burst.
fn timed(duration: Duration, mut copy: impl FnMut(usize)) -> Sample {
    let mut sample = Sample::empty();
    let mut at = 0;
    let started = Instant::now();
    while started.elapsed() < duration {
        let before = Instant::now();
        for _ in 0..BURST {
            copy(at);
            at = (at + COPY_SIZE) % AREA_SIZE;
        }
        sample
            .latency
            .saturating_record(before.elapsed().as_nanos() as u64 / BURST as u64);
        sample.operations += BURST as u64;
    }
    sample.bytes = sample.operations * COPY_SIZE as u64;
    sample.wall = started.elapsed();
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let mapping = WarmMapping::new(directory.path()).unwrap();
        let counted = mapping.copies(3000, 100_000).unwrap();
        assert_eq!((counted.operations, counted.bytes), (100_000, 300_000_000));
        for sample in [
            anonymous(Duration::from_millis(2)),
            mapping.run(Duration::from_millis(2)).unwrap(),
        ] {
            assert!(sample.operations >= BURST as u64);
            assert_eq!(sample.bytes, sample.operations * COPY_SIZE as u64);
        }
    }
}
