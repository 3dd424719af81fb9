//! Allocation ahead: what is handed out, what a failure does, what a crash leaves.

mod faulty;

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use faulty::Faulty;
use pagelog_segment::{
    Directory, NextError, Position, Segment, Segments, SegmentsOptions, Storage, base_of,
};

const SIZE: u64 = 8_192;
/// Longer than any wait in a test that goes well.
const LONG: Duration = Duration::from_secs(120);

fn directory(place: &Path) -> Directory {
    Directory::open(place).unwrap()
}

fn next(segments: &Segments) -> Arc<Segment> {
    segments.wait_next(LONG).unwrap();
    segments.take_next().unwrap()
}

#[test]
fn before_the_start_nothing_is_ready() {
    let place = tempfile::tempdir().unwrap();
    let segments = Segments::open(
        Arc::new(directory(place.path())),
        SegmentsOptions::of_size(SIZE),
    )
    .unwrap();
    assert!(matches!(segments.take_next(), Err(NextError::NotReady)));
    assert!(matches!(segments.wait_next(LONG), Err(NextError::NotReady)));
}

#[test]
fn segments_follow_one_another_and_are_complete() {
    let place = tempfile::tempdir().unwrap();
    let segments = Segments::open(
        Arc::new(directory(place.path())),
        SegmentsOptions::of_size(SIZE),
    )
    .unwrap();
    segments.start_ahead(Position(0)).unwrap();
    for index in 0..5 {
        let segment = next(&segments);
        assert_eq!(
            segment.positions(),
            Position(index * SIZE)..Position((index + 1) * SIZE)
        );
        assert_eq!(segment.file().size().unwrap(), SIZE);
        segment
            .append_mapping()
            .unwrap()
            .copy_in(0, b"stored")
            .unwrap();
        let found = segments.find(Position(index * SIZE)).unwrap();
        let mut read = [0; 6];
        found.view().mapping().copy_out(0, &mut read).unwrap();
        assert_eq!(&read, b"stored");
    }
    assert_eq!(segments.snapshot().len(), 5);
}

#[test]
fn segments_made_ahead_by_an_earlier_life_are_taken_first() {
    let place = tempfile::tempdir().unwrap();
    {
        let segments = Segments::open(
            Arc::new(directory(place.path())),
            SegmentsOptions::of_size(SIZE),
        )
        .unwrap();
        segments.start_ahead(Position(0)).unwrap();
        for _ in 0..4 {
            next(&segments);
        }
    }
    let segments = Segments::open(
        Arc::new(directory(place.path())),
        SegmentsOptions::of_size(2 * SIZE),
    )
    .unwrap();
    let found = segments.snapshot();
    assert!(found.len() >= 4);
    // The tail lies in the second one.
    segments.start_ahead(Position(2 * SIZE)).unwrap();
    assert_eq!(segments.snapshot().len(), 2);
    for known in &found[2..] {
        assert_eq!(next(&segments).positions(), known.positions());
    }
    let end = found.last().unwrap().end();
    assert_eq!(next(&segments).positions(), end..end + 2 * SIZE);
}

#[test]
#[should_panic(expected = "no segment ends or begins at position 5")]
fn a_start_in_the_middle_of_a_segment_panics() {
    let place = tempfile::tempdir().unwrap();
    let storage = directory(place.path());
    storage
        .create(&pagelog_segment::file_name(Position(0)), SIZE)
        .unwrap();
    let segments = Segments::open(Arc::new(storage), SegmentsOptions::of_size(SIZE)).unwrap();
    let _ = segments.start_ahead(Position(5));
}

#[test]
fn a_full_disk_is_told_and_recovered_from() {
    let place = tempfile::tempdir().unwrap();
    let storage = Faulty::new(directory(place.path()), usize::MAX);
    let segments = Segments::open(
        Arc::<Faulty>::clone(&storage),
        SegmentsOptions::of_size(SIZE),
    )
    .unwrap();
    storage.allow(0);
    segments.start_ahead(Position(0)).unwrap();

    match segments.wait_next(LONG) {
        Err(NextError::Failed(error)) => assert_eq!(error.kind(), ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
    assert!(matches!(segments.take_next(), Err(NextError::Failed(_))));

    storage.allow(usize::MAX);
    while let Err(NextError::Failed(_)) = segments.wait_next(LONG) {
        std::thread::yield_now();
    }
    assert_eq!(segments.take_next().unwrap().base(), Position(0));
    assert_eq!(next(&segments).base(), Position(SIZE));
}

/// Stops the storage after each number of changes in turn: whatever was reached, no incomplete file
/// has a segment's name, and the next open goes on.
#[test]
fn a_crash_between_any_two_steps_leaves_whole_segments_only() {
    for allowed in 1..12 {
        let place = tempfile::tempdir().unwrap();
        let storage = Faulty::new(directory(place.path()), allowed);
        let segments = Segments::open(
            Arc::<Faulty>::clone(&storage),
            SegmentsOptions::of_size(SIZE),
        )
        .unwrap();
        segments.start_ahead(Position(0)).unwrap();
        while storage.refused() == 0 {
            let _ = segments.take_next();
            std::thread::yield_now();
        }
        drop(segments);
        drop(storage);

        let storage = directory(place.path());
        for name in storage
            .list()
            .unwrap()
            .iter()
            .filter(|name| base_of(name).is_some())
        {
            let size = storage.open(name).unwrap().size().unwrap();
            assert_eq!(size, SIZE, "{name} after {allowed} changes");
        }
        let segments = Segments::open(Arc::new(storage), SegmentsOptions::of_size(SIZE)).unwrap();
        let end = segments
            .snapshot()
            .last()
            .map_or(Position(0), |segment| segment.end());
        segments.start_ahead(end).unwrap();
        assert_eq!(next(&segments).base(), end);
    }
}

#[test]
fn the_end_of_the_run_ends_the_thread_while_it_waits_to_retry() {
    let place = tempfile::tempdir().unwrap();
    let storage = Faulty::new(directory(place.path()), 1);
    let segments = Segments::open(
        Arc::<Faulty>::clone(&storage),
        SegmentsOptions::of_size(SIZE),
    )
    .unwrap();
    segments.start_ahead(Position(0)).unwrap();
    segments.wait_next(LONG).unwrap_err();
    drop(segments);
    // Joined: nobody else holds the storage.
    assert_eq!(Arc::strong_count(&storage), 1);
}
