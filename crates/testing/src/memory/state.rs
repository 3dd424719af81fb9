//! What a directory in memory remembers: its names, its files with what of each is on the device, and which faults are to come.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::MemfdFlags;

use crate::disk::{Disk, PAGE_SIZE};
use crate::faults::{Faults, Operation};
use crate::freeze::{Freezer, Frozen};
use crate::image::{FileImage, Image};
use crate::names::{FileNumber, Names};
use crate::random::Random;

/// Before one operation in this many the kernel writes some dirty page back of its own accord.
const WRITE_BACK_ONE_IN: usize = 8;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// Some file's sync has ended.
    pub(super) synced: Condvar,
}

/// Every operation holds this lock, so an image is always taken between two operations. Stores through mappings go past it,
/// as they go past the kernel.
#[derive(Debug)]
pub(super) struct State {
    pub(super) names: Names,
    pub(super) files: Vec<MemoryFileState>,
    pub(super) operations: u64,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) freezer: Freezer,
}

#[derive(Debug)]
pub(super) struct MemoryFileState {
    pub(super) file: Arc<File>,
    pub(super) disk: Disk,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_synced<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.synced
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation, takes the image that is due before it, and fails it if that was planned.
    pub(super) fn begin(&mut self, operation: Operation) -> io::Result<()> {
        self.count();
        self.faults.check(operation)
    }

    pub(super) fn count(&mut self) {
        self.operations += 1;
        while let Some(marks) = self.freezer.due(self.operations) {
            let image = self.image();
            self.freezer.keep(Frozen {
                operation: self.operations,
                marks,
                image,
            });
        }
        if self.random.one_in(WRITE_BACK_ONE_IN) {
            self.write_some_page_back();
        }
    }

    pub(super) fn add(&mut self, file: Arc<File>, disk: Disk) -> FileNumber {
        self.files.push(MemoryFileState { file, disk });
        self.files.len() - 1
    }

    pub(super) fn shorten(&mut self, size: usize) -> usize {
        self.faults.shorten(size, &mut self.random)
    }

    pub(super) fn dirty(&self, number: FileNumber) -> io::Result<BTreeMap<usize, Vec<u8>>> {
        let file = &self.files[number];
        Ok(file.disk.dirty(&read_all(&file.file)?))
    }

    /// The kernel writes a dirty page whenever it likes; so a later state may reach the device before an earlier sync's.
    fn write_some_page_back(&mut self) {
        if self.files.is_empty() {
            return;
        }
        let number = self.files.len() - 1 - self.random.below(self.files.len().min(4));
        if self.files[number].disk.syncing {
            return;
        }
        let dirty = self.dirty(number).unwrap_or_default();
        let chosen = self.random.below(dirty.len().max(1));
        if let Some((page, bytes)) = dirty.into_iter().nth(chosen) {
            self.files[number].disk.write_back(page, &bytes);
        }
    }

    pub(super) fn finish_sync(
        &mut self,
        number: FileNumber,
        dirty: BTreeMap<usize, Vec<u8>>,
        failed: bool,
    ) {
        for (page, bytes) in dirty {
            let refused = failed && self.random.one_in(2);
            let disk = &mut self.files[number].disk;
            if refused {
                disk.mark_clean(page, bytes);
            } else {
                disk.write_back(page, &bytes);
            }
        }
        self.files[number].disk.syncing = false;
    }

    pub(super) fn image(&self) -> Image {
        let reachable = self.names.reachable();
        let files = reachable.into_iter().map(|number| {
            let file = &self.files[number];
            let live =
                read_all(&file.file).unwrap_or_else(|error| panic!("a file in memory: {error}"));
            let dirty = file.disk.dirty(&live);
            (
                number,
                FileImage {
                    durable: file.disk.durable().to_vec(),
                    dirty,
                    live,
                },
            )
        });
        Image {
            names: self.names.clone(),
            files: files.collect(),
        }
    }
}

pub(super) fn memory_file(size: u64) -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create(
        "pagelog-testing",
        MemfdFlags::CLOEXEC,
    )?);
    file.set_len(size)?;
    Ok(file)
}

/// Writes what is not zero, so that blocks never written stay holes as they do on a disk.
pub(super) fn write_data(file: &File, bytes: &[u8]) -> io::Result<()> {
    for (number, page) in bytes.chunks(PAGE_SIZE).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.write_all_at(page, (number * PAGE_SIZE) as u64)?;
        }
    }
    Ok(())
}

pub(super) fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
