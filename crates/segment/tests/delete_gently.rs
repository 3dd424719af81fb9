//! A large file goes bit by bit: at most 16 MiB at once, the name last, and what was interrupted is gone on with.

use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pagelog_segment::{
    Directory, MappedFile, Mapping, Position, Segments, SegmentsOptions, Storage, StorageFile,
    old_file_name,
};

const MEBIBYTE: u64 = 1 << 20;
const LONG: Duration = Duration::from_secs(120);

/// What was done to get a file out of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Shortened(u64),
    Refused,
    Removed(String),
}

/// A directory, and the steps of deleting in it, of which so many may shorten.
#[derive(Clone, Debug)]
struct Recorded {
    directory: Arc<Directory>,
    steps: Arc<Mutex<Vec<Step>>>,
    allowed: Arc<AtomicUsize>,
}

impl Recorded {
    fn open(place: &Path, allowed: usize) -> Arc<Recorded> {
        Arc::new(Recorded {
            directory: Arc::new(Directory::open(place).unwrap()),
            steps: Arc::default(),
            allowed: Arc::new(AtomicUsize::new(allowed)),
        })
    }

    fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }

    fn did(&self, step: Step) {
        self.steps.lock().unwrap().push(step);
    }

    fn wrap(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        let recorded = self.clone();
        Arc::new(RecordedFile { file, recorded })
    }
}

impl Storage for Recorded {
    fn list(&self) -> io::Result<Vec<String>> {
        self.directory.list()
    }
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn StorageFile>> {
        Ok(self.wrap(self.directory.create(name, size)?))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(self.wrap(self.directory.open(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.directory.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.directory.remove(name)?;
        self.did(Step::Removed(name.to_owned()));
        Ok(())
    }
    fn set_aside(&self, name: &str, directory: &str) -> io::Result<()> {
        self.directory.set_aside(name, directory)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync_directory()
    }
}

#[derive(Debug)]
struct RecordedFile {
    file: Arc<dyn StorageFile>,
    recorded: Recorded,
}

impl StorageFile for RecordedFile {
    fn sync_range(&self, range: Range<u64>) -> io::Result<()> {
        self.file.sync_range(range)
    }
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(at, into)
    }
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(at, bytes)
    }
    fn write_gather_at(
        &self,
        at: u64,
        memory: &Mapping,
        ranges: &[Range<usize>],
    ) -> io::Result<usize> {
        self.file.write_gather_at(at, memory, ranges)
    }
    fn write_zeros(&self, range: Range<u64>) -> io::Result<u64> {
        self.file.write_zeros(range)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }
    fn data_end(&self) -> io::Result<u64> {
        self.file.data_end()
    }
    fn let_go(&self, range: Range<u64>) -> io::Result<u64> {
        self.file.let_go(range)
    }
    fn shorten(&self, size: u64) -> io::Result<()> {
        let spend = |left: usize| left.checked_sub(1);
        if self
            .recorded
            .allowed
            .fetch_update(SeqCst, SeqCst, spend)
            .is_err()
        {
            self.recorded.did(Step::Refused);
            return Err(ErrorKind::Other.into());
        }
        self.file.shorten(size)?;
        self.recorded.did(Step::Shortened(size));
        Ok(())
    }
    fn view(&self) -> io::Result<Arc<MappedFile>> {
        self.file.view()
    }
    fn map_for_append(&self) -> io::Result<Mapping> {
        self.file.map_for_append()
    }
}

/// A run of two segments of `size` bytes, of which the first leaves.
fn remove_first(storage: &Arc<Recorded>, size: u64) -> Segments {
    let options = SegmentsOptions::of_size(size);
    let segments = Segments::open(Arc::<Recorded>::clone(storage), options).unwrap();
    segments.start_ahead(Position(0)).unwrap();
    for _ in 0..2 {
        segments.wait_next(LONG).unwrap();
        segments.take_next().unwrap();
    }
    segments.remove_front(Position(0)).unwrap();
    segments
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn removed() -> Step {
    Step::Removed(old_file_name(Position(0)))
}

#[test]
fn no_more_than_16_mebibytes_go_at_once_and_the_name_goes_last() {
    for (size, ends) in [
        (16 * MEBIBYTE, &[][..]),
        (16 * MEBIBYTE + 4096, &[16][..]),
        (33 * MEBIBYTE, &[32, 16][..]),
    ] {
        let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let storage = Recorded::open(place.path(), usize::MAX);
        let segments = remove_first(&storage, size);
        wait_until("deleted", || segments.leaving() == 0);
        let shortened = ends.iter().map(|end| Step::Shortened(end * MEBIBYTE));
        let wanted: Vec<Step> = shortened.chain([removed()]).collect();
        assert_eq!(storage.steps(), wanted, "a file of {size} bytes");
        assert!(!place.path().join(old_file_name(Position(0))).exists());
    }
}

#[test]
fn what_was_interrupted_is_gone_on_with_at_the_next_open() {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let storage = Recorded::open(place.path(), 1);
    let segments = remove_first(&storage, 33 * MEBIBYTE);
    wait_until("refused", || storage.steps().contains(&Step::Refused));
    drop(segments);
    let first = Step::Shortened(32 * MEBIBYTE);
    assert_eq!(storage.steps()[..2], [first, Step::Refused]);
    let left = place.path().join(old_file_name(Position(0)));
    assert_eq!(left.metadata().unwrap().len(), 32 * MEBIBYTE);
    drop(storage);

    let storage = Recorded::open(place.path(), usize::MAX);
    let options = SegmentsOptions::of_size(33 * MEBIBYTE);
    let segments = Segments::open(Arc::<Recorded>::clone(&storage), options).unwrap();
    segments.start_ahead(Position(2 * 33 * MEBIBYTE)).unwrap();
    wait_until("deleted", || segments.leaving() == 0);
    let rest = [Step::Shortened(16 * MEBIBYTE), removed()];
    assert_eq!(storage.steps(), rest);
}
