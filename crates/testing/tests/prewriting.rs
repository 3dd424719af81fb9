//! Blocks written ahead of a writer: they are, and no byte of his is ever lost by it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_segment::{
    Directory, Position, Segment, Segments, SegmentsOptions, Storage, file_name,
};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation, Random};

const SIZE: u64 = 1 << 20;
/// So small that the zeros are always right in front of the writer.
const WINDOW: u64 = 32 << 10;
const PAGE_SIZE: u64 = 4096;
const LONG: Duration = Duration::from_secs(120);

fn place() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn directory(place: &Path) -> Arc<dyn Storage> {
    Arc::new(Directory::open(place).unwrap())
}

fn options(prewrite: u64) -> SegmentsOptions {
    SegmentsOptions {
        prewrite,
        spares_max: 1,
        ..SegmentsOptions::of_size(SIZE)
    }
}

fn open(storage: &Arc<dyn Storage>, options: SegmentsOptions) -> Segments {
    let segments = Segments::open(Arc::clone(storage), options).unwrap();
    let run = segments.snapshot();
    let end = run.last().map_or(Position(0), |last| last.end());
    segments.start_ahead(end).unwrap();
    segments
}

fn next(segments: &Segments) -> Arc<Segment> {
    segments.wait_next(LONG).unwrap();
    segments.take_next().unwrap()
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// Writes all of the segment in groups of random sizes, as the log does: whole pages, zeros behind the last byte, which the next group overwrites.
fn write_through(segment: &Segment, random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    while (content.len() as u64) < segment.size() {
        let at = content.len();
        let left = segment.size() as usize - at;
        let group = left.min(1 + random.below(3 * PAGE_SIZE as usize));
        content.extend((0..group).map(|_| 1 + random.below(255) as u8));
        let mut bytes = content[at..].to_vec();
        bytes.resize((at + group).next_multiple_of(PAGE_SIZE as usize) - at, 0);
        segment.writing(&(at as u64..(at + bytes.len()) as u64));
        let mut done = 0;
        while done < bytes.len() {
            let written = segment
                .file()
                .write_at((at + done) as u64, &bytes[done..])
                .unwrap();
            done += written;
        }
        if random.one_in(3) {
            segment.file().sync_data().unwrap();
            segment.synced();
        }
    }
    content
}

fn read(segment: &Segment) -> Vec<u8> {
    let mut bytes = vec![0; segment.size() as usize];
    segment.view().mapping().copy_out(0, &mut bytes).unwrap();
    bytes
}

fn assert_nothing_is_lost(storage: &Arc<dyn Storage>, seed: u64, segments_count: usize) {
    let seed = pagelog_testing::seed(seed);
    let mut random = Random::new(seed);
    let segments = open(storage, options(WINDOW));
    for number in 0..segments_count {
        let segment = next(&segments);
        let content = write_through(&segment, &mut random);
        let found = read(&segment);
        let differs = content
            .iter()
            .zip(&found)
            .position(|(left, right)| left != right);
        assert_eq!(differs, None, "segment {number}, seed {seed}");
    }
}

#[test]
fn no_byte_of_the_writer_is_lost_on_a_disk() {
    let place = place();
    assert_nothing_is_lost(&directory(place.path()), 1, 6);
}

#[test]
fn no_byte_of_the_writer_is_lost_with_short_writes() {
    let storage = MemoryStorage::new(2);
    storage.shorten_writes(3000);
    let storage: Arc<dyn Storage> = Arc::new(storage);
    assert_nothing_is_lost(&storage, 3, 1);
}

/// What the file system says was written, in a file that was only allocated.
fn data_end(segment: &Segment) -> u64 {
    segment.file().data_end().unwrap()
}

/// Whether the file system tells blocks that were written from those that were not.
fn tells_blocks(storage: &Arc<dyn Storage>) -> bool {
    let file = storage.create("probe", SIZE).unwrap();
    file.data_end().unwrap() == 0
}

#[test]
fn blocks_are_written_ahead_of_the_writer_and_not_further() {
    let place = place();
    let storage = directory(place.path());
    if !tells_blocks(&storage) {
        println!("skipped: this file system does not tell which blocks were written");
        return;
    }
    let segments = open(&storage, options(SIZE / 2));
    let segment = next(&segments);
    let begun = SIZE / 2 / 8;
    wait_until("an eighth before the begin", || data_end(&segment) >= begun);
    assert_eq!(data_end(&segment), begun);

    segment.writing(&(0..100));
    segment.file().write_at(0, &[7; 100]).unwrap();
    segment.file().sync_data().unwrap();
    segment.synced();
    wait_until("the window", || data_end(&segment) >= SIZE / 2 - SIZE / 16);
    assert!(data_end(&segment) <= SIZE / 2 + PAGE_SIZE);
    let found = read(&segment);
    assert!(found[..100].iter().all(|byte| *byte == 7));
    assert!(found[100..].iter().all(|byte| *byte == 0));
}

#[test]
fn what_an_earlier_life_has_written_is_left_as_it_is() {
    let place = place();
    let storage = directory(place.path());
    let content = vec![9; SIZE as usize / 2];
    {
        let segments = open(&storage, options(0));
        let segment = next(&segments);
        segment.file().write_at(0, &content).unwrap();
    }
    let segments = open(&storage, options(SIZE / 4));
    let segment = segments.find(Position(0)).unwrap();
    // He may go on anywhere: nothing before the last byte that was written is taken for empty.
    segment.writing(&(100..100));
    segment.synced();
    segment.prewrite(SIZE / 4).unwrap();
    let from = next(&segments);
    from.writing(&(0..SIZE));
    segment.writing(&(100..SIZE / 2 - 8));
    wait_until("something was filled, or cannot be", || {
        data_end(&segment) > SIZE / 2
    });
    assert_eq!(read(&segment)[..content.len()], content);
}

/// A disk that refuses the zeros: nobody is told but a log line, and the segment can be written as ever.
#[test]
fn a_disk_that_refuses_zeros_costs_nothing_but_time() {
    for errno in [Errno::NOSPC, Errno::IO] {
        let memory = MemoryStorage::new(4);
        memory.inject(Fault::always(Operation::WriteZeros, 1, errno));
        let storage: Arc<dyn Storage> = Arc::new(memory.clone());
        assert_nothing_is_lost(&storage, 5, 1);
    }
}

/// What stores through the mapping tells nobody before: no zeros from then on.
#[test]
fn nothing_is_written_ahead_of_who_stores_through_the_mapping() {
    let place = place();
    let segments = open(&directory(place.path()), options(WINDOW));
    let segment = next(&segments);
    let mapping = segment.append_mapping().unwrap();
    mapping
        .copy_in(SIZE as usize / 2, &[5; PAGE_SIZE as usize])
        .unwrap();
    segment.writing(&(0..SIZE / 2));
    segment.synced();
    segment.prewrite(WINDOW).unwrap();
    drop(segments);
    let found = read(&segment);
    assert!(found[SIZE as usize / 2..][..PAGE_SIZE as usize] == [5; PAGE_SIZE as usize]);
}

/// The thread keeps no file from being used again, and of one that is nothing is overwritten with zeros.
#[test]
fn a_full_segments_file_is_used_again_and_not_filled_then() {
    let place = place();
    let storage = directory(place.path());
    let segments = open(&storage, options(WINDOW));
    let mut random = Random::new(6);
    let write = |segment: Arc<Segment>, random: &mut Random| {
        drop(write_through(&segment, random));
        segment.file().sync_data().unwrap();
        segment.base()
    };
    let first = write(next(&segments), &mut random);
    let second = write(next(&segments), &mut random);
    let counts = match segments.find(second).unwrap().file().let_go(0..SIZE) {
        Ok(_) => true,
        Err(error) => {
            println!("skipped: {error}");
            false
        }
    };
    segments.remove_front(first).unwrap();
    if !counts {
        return;
    }
    wait_until("the first one's file is kept", || segments.spares() == 1);
    // Those that are ready come first.
    let recycled = (0..4)
        .map(|_| next(&segments))
        .find(|segment| segment.is_recycled());
    let recycled = recycled.expect("a file that was used before");
    recycled.writing(&(0..1));
    recycled.prewrite(SIZE).unwrap();
    drop(segments);
    let found = read(&recycled);
    assert!(found.iter().all(|byte| *byte != 0), "zeros were written");
    assert!(place.path().join(file_name(recycled.base())).exists());
}
