//! [`MemoryStorage`]: the storage seam over files in memory that remembers what a power cut would leave.

mod file;
mod state;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex};

use pagelog_segment::{Storage, StorageFile};
use rustix::io::Errno;

use self::file::MemoryFile;
use self::state::{Shared, State, memory_file, read_all, write_data};
use crate::disk::{Disk, PAGE_SIZE};
use crate::faults::{Fault, Faults, Operation};
use crate::freeze::{Freezer, Frozen, Marks};
use crate::image::Image;
use crate::names::{FileNumber, Names};
use crate::random::Random;

/// A directory of files in memory, each with its durable image. Clones share it, as two processes share a directory.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

impl MemoryStorage {
    /// An empty directory whose faults and write-backs follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            names: Names::default(),
            files: Vec::new(),
            operations: 0,
            random: Random::new(seed),
            faults: Faults::default(),
            freezer: Freezer::default(),
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                synced: Condvar::new(),
            }),
        }
    }

    pub(crate) fn builder(seed: u64) -> Builder {
        Builder {
            storage: Self::new(seed),
        }
    }

    /// What a power cut now may leave, as `seed` chooses; see [`Image::power_cut`].
    #[must_use]
    pub fn crash(&self, seed: u64) -> MemoryStorage {
        self.freeze().power_cut(seed)
    }

    /// The content of all files now.
    #[must_use]
    pub fn freeze(&self) -> Image {
        self.shared.lock().image()
    }

    /// Takes an image before each of the operations numbered in `points` (ascending; see [`MemoryStorage::operations`]), with
    /// what `marks` says just before.
    pub fn freeze_at(&self, points: Vec<u64>, marks: Arc<dyn Fn() -> Marks + Send + Sync>) {
        self.shared.lock().freezer.plan(points, marks);
    }

    /// How many planned images are still to be taken.
    #[must_use]
    pub fn freezes_remaining(&self) -> usize {
        self.shared.lock().freezer.remaining()
    }

    /// The images taken so far; those not taken yet are called off.
    #[must_use]
    pub fn take_frozen(&self) -> Vec<Frozen> {
        self.shared.lock().freezer.take()
    }

    /// How many operations that change something (or sync it) were begun.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.shared.lock().operations
    }

    /// Plans a fault. A failed sync writes some dirty pages and marks *all* of them clean, so the next sync succeeds without
    /// writing them (what ext4 was seen to do).
    pub fn inject(&self, fault: Fault) {
        self.shared.lock().faults.plan(fault);
    }

    /// Reads that touch `range` of the file fail with `EIO`.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn fail_reads(&self, name: &str, range: Range<u64>) {
        let mut state = self.shared.lock();
        let file = state
            .names
            .get(name)
            .unwrap_or_else(|| panic!("no file {name}"));
        state.faults.plan_bad_range(file, range);
    }

    /// From now on no write takes more than a random number of bytes up to `size_max`.
    pub fn shorten_writes(&self, size_max: usize) {
        self.shared.lock().faults.short_write_size_max = Some(size_max);
    }

    /// From now on `sync_data` says that it succeeded and does nothing: the proof that a test notices.
    pub fn mute_syncs(&self) {
        self.shared.lock().faults.mute_syncs = true;
    }

    /// From now on so many pages of each file are held by somebody and cannot be let go.
    pub fn hold_pages(&self, pages: u64) {
        self.shared.lock().faults.pages_held = pages;
    }

    /// Takes all faults back. Pages that a failed sync marked clean stay so.
    pub fn clear_faults(&self) {
        self.shared.lock().faults = Faults::default();
    }

    /// Memory pressure: pages falsely marked clean are dropped from the cache and read anew from the device.
    ///
    /// # Errors
    ///
    /// What the file in memory says.
    pub fn evict_falsely_clean(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        for number in 0..state.files.len() {
            let file = &mut state.files[number];
            let live = read_all(&file.file)?;
            for (page, bytes) in file.disk.evict_falsely_clean(&live) {
                file.file.write_all_at(&bytes, (page * PAGE_SIZE) as u64)?;
            }
        }
        Ok(())
    }

    /// Changes the file's bytes in the cache and on the device, as a failing device or a stray hand does; past its end it grows.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn overwrite(&self, name: &str, at: u64, bytes: &[u8]) {
        self.rewrite(name, |content| {
            let end = at as usize + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at as usize..end].copy_from_slice(bytes);
        });
    }

    /// Cuts or extends the file, in the cache and on the device.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn truncate(&self, name: &str, size: u64) {
        self.rewrite(name, |content| content.resize(size as usize, 0));
    }

    /// The file's content as a reader sees it now.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    #[must_use]
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.shared.lock();
        let number = state
            .names
            .get(name)
            .unwrap_or_else(|| panic!("no file {name}"));
        read_all(&state.files[number].file).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn rewrite(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut content = self.content(name);
        change(&mut content);
        let mut state = self.shared.lock();
        let number = state
            .names
            .get(name)
            .unwrap_or_else(|| panic!("no file {name}"));
        let file = &mut state.files[number];
        let written = file
            .file
            .set_len(content.len() as u64)
            .and_then(|()| file.file.write_all_at(&content, 0));
        written.unwrap_or_else(|error| panic!("{name}: {error}"));
        file.disk = Disk::with_durable(content);
    }

    fn handle(&self, number: FileNumber, file: Arc<File>) -> Arc<dyn StorageFile> {
        Arc::new(MemoryFile {
            number,
            file,
            shared: Arc::clone(&self.shared),
        })
    }
}

/// A storage that is being filled with files.
pub(crate) struct Builder {
    storage: MemoryStorage,
}

impl Builder {
    /// A file whose readers see `live` and whose device holds `durable`.
    pub(crate) fn add(&mut self, name: String, live: &[u8], durable: Vec<u8>) {
        let file =
            memory_file(live.len() as u64).and_then(|file| write_data(&file, live).map(|()| file));
        let file = file.unwrap_or_else(|error| panic!("a file in memory: {error}"));
        let mut state = self.storage.shared.lock();
        let number = state.add(Arc::new(file), Disk::with_durable(durable));
        state.names.insert(&name, number);
    }

    pub(crate) fn build(self) -> MemoryStorage {
        self.storage.shared.lock().names.sync();
        self.storage
    }
}

impl Storage for MemoryStorage {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.shared.lock();
        state.faults.check(Operation::List)?;
        Ok(state.names.list())
    }

    /// In two steps, as in life: a power cut between them leaves a name and an empty file.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        let mut state = self.shared.lock();
        state.begin(Operation::Create)?;
        if state.names.get(name).is_some() {
            return Err(Errno::EXIST.into());
        }
        let file = Arc::new(memory_file(0)?);
        let number = state.add(Arc::clone(&file), Disk::default());
        state.names.insert(name, number);
        drop(state);

        let mut state = self.shared.lock();
        state.count();
        file.set_len(size)?;
        state.files[number].disk.resize(size as usize);
        drop(state);
        Ok(self.handle(number, file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let mut state = self.shared.lock();
        state.faults.check(Operation::Open)?;
        let number = state.names.get(name).ok_or(Errno::NOENT)?;
        let file = Arc::clone(&state.files[number].file);
        drop(state);
        Ok(self.handle(number, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.begin(Operation::Rename)?;
        if state.names.rename(from, to) {
            Ok(())
        } else {
            Err(Errno::NOENT.into())
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.begin(Operation::Remove)?;
        if state.names.remove(name) {
            Ok(())
        } else {
            Err(Errno::NOENT.into())
        }
    }

    /// Directories are the beginnings of names here.
    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        let to = format!("{directory}/{name}");
        if self.shared.lock().names.get(&to).is_some() {
            return Err(Errno::EXIST.into());
        }
        self.rename(name, &to)?;
        self.sync_directory()
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.begin(Operation::SyncDirectory)?;
        state.names.sync();
        Ok(())
    }
}
