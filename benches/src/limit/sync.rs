//! The limit of a durable append: `pwrite`, `fdatasync`, again, and nothing else.
//!
//! A sync is dearer where the blocks were allocated but never written: the file system must also
//! note in its journal that they hold data now. A broker that starts on an empty directory appends
//! to such blocks, so *fresh* is the limit of its figures; *written* is what recycled blocks cost.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use pagelog_os::file;

use crate::sample::Sample;

/// The state of the blocks that are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// Allocated, never written: a new segment.
    Fresh,
    /// Written and synced before: a recycled segment.
    Written,
}

const FRESH_SIZE: u64 = 1 << 30;
const WRITTEN_SIZE: u64 = 64 << 20;

/// The loop and its file.
pub(crate) struct BareSync {
    path: PathBuf,
    blocks: Blocks,
    file: File,
    size: u64,
    at: u64,
    /// What is written before each sync.
    bytes: Vec<u8>,
}

impl BareSync {
    /// Makes the file in `directory`, which is on the disk that the broker writes to; `write_size`
    /// bytes go into it before each sync.
    ///
    /// # Errors
    /// Where the file cannot be made, filled or synced.
    pub(crate) fn new(directory: &Path, blocks: Blocks, write_size: usize) -> Result<BareSync> {
        let (name, size) = match blocks {
            Blocks::Fresh => ("bare-sync-fresh", FRESH_SIZE),
            Blocks::Written => ("bare-sync-written", WRITTEN_SIZE),
        };
        let path = directory.join(name);
        let file = make(&path, blocks, size).with_context(|| format!("make {}", path.display()))?;
        Ok(BareSync {
            path,
            blocks,
            file,
            size,
            at: 0,
            bytes: vec![0x5a; write_size],
        })
    }

    /// One round. A latency is that of `fdatasync` alone.
    ///
    /// # Errors
    /// What the disk refuses.
    pub(crate) fn run(&mut self, duration: Duration) -> Result<Sample> {
        let mut sample = Sample::empty();
        let started = Instant::now();
        while started.elapsed() < duration {
            self.make_room()?;
            let written = file::write_at(&self.file, self.at, &self.bytes)? as u64;
            self.at += written;
            let before = Instant::now();
            file::sync_data(&self.file)?;
            sample.record(before.elapsed().as_nanos(), written);
        }
        sample.wall = started.elapsed();
        Ok(sample)
    }

    /// At the end of the file: written blocks are written again, fresh ones need a new file.
    fn make_room(&mut self) -> Result<()> {
        if self.at + self.bytes.len() as u64 > self.size {
            self.at = 0;
            if self.blocks == Blocks::Fresh {
                self.file = make(&self.path, self.blocks, self.size)?;
            }
        }
        Ok(())
    }
}

impl Drop for BareSync {
    fn drop(&mut self) {
        // What is left behind lies in the benches' own directory; the next run replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

fn make(path: &Path, blocks: Blocks, size: u64) -> Result<File> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)?;
    file::allocate(&file, size)?;
    if blocks == Blocks::Written {
        fill(&file, size)?;
    }
    file.sync_all()?;
    Ok(file)
}

fn fill(file: &File, size: u64) -> Result<()> {
    let bytes = vec![0xa5; 1 << 20];
    let mut at = 0;
    while at < size {
        at += file::write_at(file, at, &bytes)? as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loop_syncs_in_both_states() {
        let directory = tempfile::tempdir().unwrap();
        for blocks in [Blocks::Fresh, Blocks::Written] {
            let mut bare = BareSync::new(directory.path(), blocks, 1024).unwrap();
            let sample = bare.run(Duration::from_millis(5)).unwrap();
            assert!(sample.operations > 0);
            assert_eq!(sample.operations, sample.latency.len());
        }
    }
}
