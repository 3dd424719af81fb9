//! [`MemoryStorage`]: the storage seam over files in memory that remembers what a power cut would leave.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pagelog_os::{MappedFile, Mapping, file};
use pagelog_segment::{Storage, StorageFile};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;

use crate::disk::{Disk, PAGE_SIZE};
use crate::faults::{Fault, Faults, Operation};
use crate::freeze::{Freezer, Frozen, Marks};
use crate::image::{FileImage, Image};
use crate::names::{FileNumber, Names};
use crate::random::Random;

/// Before one operation in this many the kernel writes some dirty page back of its own accord.
const WRITE_BACK_ONE_IN: usize = 8;

/// A directory of files in memory, each with its durable image. Clones share it, as two processes share a directory.
#[derive(Clone, Debug)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Some file's sync has ended.
    synced: Condvar,
}

/// Every operation holds this lock, so an image is always taken between two operations. Stores through mappings go past it,
/// as they go past the kernel.
#[derive(Debug)]
struct State {
    names: Names,
    files: Vec<MemoryFileState>,
    operations: u64,
    random: Random,
    faults: Faults,
    freezer: Freezer,
}

#[derive(Debug)]
struct MemoryFileState {
    file: Arc<File>,
    disk: Disk,
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

/// An open file of a [`MemoryStorage`].
#[derive(Debug)]
struct MemoryFile {
    number: FileNumber,
    file: Arc<File>,
    shared: Arc<Shared>,
}

impl StorageFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        state.faults.check(Operation::Read)?;
        state.faults.check_range(self.number, at, into.len())?;
        self.file.read_at(into, at)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        state.begin(Operation::Write)?;
        let size = state.shorten(bytes.len());
        let written = self.file.write_at(&bytes[..size], at)?;
        state.files[self.number].disk.touched(at as usize, written);
        Ok(written)
    }

    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize> {
        let mut bytes = Vec::new();
        for range in ranges {
            let from = bytes.len();
            bytes.resize(from + range.len(), 0);
            memory
                .copy_out(range.start, &mut bytes[from..])
                .map_err(|_| Errno::FAULT)?;
        }
        self.write_at(at, &bytes)
    }

    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64> {
        let mut state = self.shared.lock();
        state.begin(Operation::WriteZeros)?;
        let size = state.shorten((range.end - range.start) as usize);
        let written = self.file.write_at(&vec![0; size], range.start)?;
        state.files[self.number]
            .disk
            .touched(range.start as usize, written);
        Ok(written as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.shared.lock();
        while state.files[self.number].disk.syncing {
            state = self.shared.wait_synced(state);
        }
        let failure = state.begin(Operation::Sync).err();
        if failure.is_none() && state.faults.mute_syncs {
            return Ok(());
        }
        let dirty = state.dirty(self.number)?;
        // What others store from here on is not served by this sync: give them the chance.
        state.files[self.number].disk.syncing = true;
        drop(state);
        std::thread::yield_now();
        self.shared
            .lock()
            .finish_sync(self.number, dirty, failure.is_some());
        self.shared.synced.notify_all();
        failure.map_or(Ok(()), Err)
    }

    fn data_end(&self) -> io::Result<u64> {
        file::data_end(&self.file)
    }

    fn let_go(&self, _range: Range<u64>) -> io::Result<u64> {
        self.sync_data()?;
        let mut state = self.shared.lock();
        state.begin(Operation::LetGo)?;
        Ok(state.faults.pages_held)
    }

    /// The new size is on the device at once.
    fn shorten(&self, size: u64) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.begin(Operation::Shorten)?;
        self.file.set_len(size)?;
        state.files[self.number].disk.resize(size as usize);
        Ok(())
    }

    fn view(&self) -> io::Result<Arc<MappedFile>> {
        self.shared.lock().faults.check(Operation::Map)?;
        Ok(Arc::new(MappedFile::new(self.file.try_clone()?)?))
    }

    fn map_for_append(&self) -> io::Result<Mapping> {
        self.shared.lock().faults.check(Operation::Map)?;
        Mapping::shared(&self.file, self.size()? as usize)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_synced<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.synced
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts an operation, takes the image that is due before it, and fails it if that was planned.
    fn begin(&mut self, operation: Operation) -> io::Result<()> {
        self.count();
        self.faults.check(operation)
    }

    fn count(&mut self) {
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

    fn add(&mut self, file: Arc<File>, disk: Disk) -> FileNumber {
        self.files.push(MemoryFileState { file, disk });
        self.files.len() - 1
    }

    fn shorten(&mut self, size: usize) -> usize {
        self.faults.shorten(size, &mut self.random)
    }

    fn dirty(&self, number: FileNumber) -> io::Result<BTreeMap<usize, Vec<u8>>> {
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

    fn finish_sync(&mut self, number: FileNumber, dirty: BTreeMap<usize, Vec<u8>>, failed: bool) {
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

    fn image(&self) -> Image {
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

fn memory_file(size: u64) -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create(
        "pagelog-testing",
        MemfdFlags::CLOEXEC,
    )?);
    file.set_len(size)?;
    Ok(file)
}

/// Writes what is not zero, so that blocks never written stay holes as they do on a disk.
fn write_data(file: &File, bytes: &[u8]) -> io::Result<()> {
    for (number, page) in bytes.chunks(PAGE_SIZE).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.write_all_at(page, (number * PAGE_SIZE) as u64)?;
        }
    }
    Ok(())
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; file.metadata()?.len() as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
