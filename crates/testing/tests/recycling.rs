//! Segments leave the run and their files come back, with the power cut before every operation of it: what is found is a run
//! without a gap, of files of full size, and whatever was durable in it is there.

use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{Position, Segment, Segments, SegmentsOptions, Storage};
use pagelog_testing::{Errno, Fault, Marks, MemoryStorage, Operation};

const SIZE: u64 = 8_192;
const LONG: Duration = Duration::from_secs(120);
/// How many segments are in use at a time.
const KEPT: u64 = 3;

fn open(storage: &MemoryStorage) -> Segments {
    let options = SegmentsOptions {
        spares_max: 2,
        ..SegmentsOptions::of_size(SIZE)
    };
    Segments::open(Arc::new(storage.clone()), options).unwrap()
}

fn start(storage: &MemoryStorage) -> Segments {
    let segments = open(storage);
    let run = segments.snapshot();
    segments
        .start_ahead(run.last().map_or(Position(0), |last| last.end()))
        .unwrap();
    segments
}

/// Every page of a segment tells where it lies.
fn page(position: Position) -> [u8; 4096] {
    let mut page = [0; 4096];
    for word in page.chunks_exact_mut(8) {
        word.copy_from_slice(&(position.0 + 1).to_le_bytes());
    }
    page
}

fn fill(segment: &Segment) {
    for at in (0..SIZE).step_by(4096) {
        segment
            .file()
            .write_at(at, &page(segment.base() + at))
            .unwrap();
    }
    segment.file().sync_data().unwrap();
}

fn is_filled(segment: &Segment) -> bool {
    (0..SIZE).step_by(4096).all(|at| {
        let mut found = [0; 4096];
        segment.file().read_at(at, &mut found).unwrap();
        found == page(segment.base() + at)
    })
}

fn wait_settled(segments: &Segments) {
    while segments.leaving() > 0 {
        std::thread::yield_now();
    }
}

/// Fills segments one after the other, keeping the last few. Answers how many were recycled.
fn live(segments: &Segments, count: u64) -> usize {
    let mut recycled = 0;
    for _ in 0..count {
        segments.wait_next(LONG).unwrap();
        let segment = segments.take_next().unwrap();
        recycled += usize::from(segment.is_recycled());
        fill(&segment);
        let run = segments.snapshot();
        if run.len() as u64 > KEPT {
            let oldest = run[0].base();
            drop((segment, run));
            segments.remove_front(oldest).unwrap();
            wait_settled(segments);
        }
    }
    recycled
}

#[test]
fn a_power_cut_before_any_operation_leaves_a_whole_run() {
    for seed in 0..5 {
        let storage = MemoryStorage::new(seed);
        let segments = start(&storage);
        let from = storage.operations();
        storage.freeze_at((from..from + 400).collect(), Arc::new(Marks::default));
        let recycled = live(&segments, 12);
        assert!(recycled >= 3, "only {recycled} were recycled");
        drop(segments);
        for frozen in storage.take_frozen() {
            for cut in 0..3 {
                check(
                    &frozen.image.power_cut(seed * 1_000 + cut),
                    frozen.operation,
                );
            }
            check(&frozen.image.power_cut_losing_all(), frozen.operation);
            check(&frozen.image.process_death(), frozen.operation);
        }
    }
}

fn check(storage: &MemoryStorage, operation: u64) {
    let segments = open(storage);
    let run = segments.snapshot();
    assert!(run.iter().all(|segment| segment.size() == SIZE));
    // Those in use are filled but for the last of them; those made ahead hold nothing, or what another place held.
    let filled: Vec<_> = run.iter().map(|segment| is_filled(segment)).collect();
    let first_unfilled = filled.iter().position(|filled| !filled);
    let behind = first_unfilled.map_or(&[][..], |first| &filled[first..]);
    assert!(
        !behind.contains(&true),
        "before operation {operation} the run is {filled:?}"
    );
    let in_use = filled.len() - behind.len();
    assert!(
        in_use as u64 >= KEPT - 1 || run.first().is_none_or(|first| first.base() == Position(0)),
        "before operation {operation} the run is {filled:?}"
    );
    let end = run.last().map_or(Position(0), |last| last.end());
    drop(run);
    segments.start_ahead(end).unwrap();
    segments.wait_next(LONG).unwrap();
    assert_eq!(segments.take_next().unwrap().base(), end);
}

#[test]
fn a_file_whose_pages_somebody_holds_is_not_used_again() {
    let storage = MemoryStorage::new(1);
    let segments = start(&storage);
    storage.hold_pages(1);
    assert_eq!(live(&segments, 6), 0);
    assert_eq!(segments.spares(), 0);
}

#[test]
fn any_failing_call_costs_the_reuse_at_most() {
    for operation in [
        Operation::LetGo,
        Operation::Rename,
        Operation::SyncDirectory,
    ] {
        for after in [0, 2] {
            let storage = MemoryStorage::new(after);
            let segments = start(&storage);
            live(&segments, KEPT);
            // The allocator has what it wants, so that the next call of this kind is one of ours or of a reuse.
            segments.wait_next(LONG).unwrap();
            storage.inject(Fault::once(operation, after, Errno::IO));
            for _ in 0..8 {
                while let Err(error) = segments.wait_next(LONG) {
                    assert!(error.to_string().contains("os error 5"), "{error}");
                    std::thread::yield_now();
                }
                fill(&segments.take_next().unwrap());
                let oldest = segments.snapshot()[0].base();
                // Refused once at most.
                if segments.remove_front(oldest).is_err() {
                    segments.remove_front(oldest).unwrap();
                }
            }
            wait_settled(&segments);
            let run = segments.snapshot();
            assert!(run.iter().all(|segment| is_filled(segment)));
            assert!(run.windows(2).all(|pair| pair[0].end() == pair[1].base()));
        }
    }
}

#[test]
fn a_disk_that_is_nearly_full_keeps_no_spares() {
    let storage = MemoryStorage::new(1);
    let segments = start(&storage);
    live(&segments, KEPT + 6);
    while segments.ready() < 2 {
        std::thread::yield_now();
    }
    let oldest = segments.snapshot()[0].base();
    segments.remove_front(oldest).unwrap();
    wait_settled(&segments);
    assert!(segments.spares() > 0);
    segments.keep_spares(false);
    wait_settled(&segments);
    assert_eq!(segments.spares(), 0);
    let names = storage.list().unwrap();
    assert!(
        names.iter().all(|name| !name.ends_with(".old")),
        "{names:?}"
    );
    segments.keep_spares(true);
    let oldest = segments.snapshot()[0].base();
    segments.remove_front(oldest).unwrap();
    wait_settled(&segments);
    assert_eq!(segments.spares(), 1);
}
