//! The oldest segment leaves the run: what readers see, what a failure does, what a crash leaves.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pagelog_segment::{
    Directory, Position, RemoveError, Segments, SegmentsOptions, Storage, base_of, file_name,
    old_file_name,
};

mod faulty;

use faulty::Faulty;

const SIZE: u64 = 8_192;
const LONG: Duration = Duration::from_secs(120);

fn with_segments(storage: Arc<dyn Storage>, count: u64) -> Segments {
    let segments = Segments::open(storage, SegmentsOptions::of_size(SIZE)).unwrap();
    let taken = segments
        .snapshot()
        .last()
        .map_or(Position(0), |last| last.end());
    segments.start_ahead(taken).unwrap();
    while (segments.snapshot().len() as u64) < count {
        segments.wait_next(LONG).unwrap();
        let segment = segments.take_next().unwrap();
        let text = segment.base().0.to_string();
        segment.file().write_at(0, text.as_bytes()).unwrap();
    }
    segments
}

fn open(place: &Path) -> Arc<Directory> {
    Arc::new(Directory::open(place).unwrap())
}

fn names(storage: &dyn Storage) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.contains(".log"));
    names.sort();
    names
}

fn wait_deleted(segments: &Segments) {
    let deadline = std::time::Instant::now() + LONG;
    while segments.leaving() > 0 {
        assert!(std::time::Instant::now() < deadline, "never deleted");
        std::thread::yield_now();
    }
}

#[test]
fn the_oldest_leaves_and_its_file_goes_with_the_last_reference() {
    let place = tempfile::tempdir().unwrap();
    let storage = open(place.path());
    let segments = with_segments(Arc::<Directory>::clone(&storage), 3);
    let view = Arc::clone(segments.snapshot()[0].view());

    segments.remove_front(Position(0)).unwrap();
    assert_eq!(segments.snapshot()[0].base(), Position(SIZE));
    assert!(segments.find(Position(0)).is_none());
    let names = names(&*storage);
    assert!(
        names.contains(&old_file_name(Position(0))) && !names.contains(&file_name(Position(0)))
    );
    // Whoever is sending it goes on.
    let mut read = [9; 2];
    view.mapping().copy_out(0, &mut read).unwrap();
    assert_eq!(read, *b"0\0");
    assert_eq!(segments.leaving(), 1);

    drop(view);
    wait_deleted(&segments);
    assert!(!self::names(&*storage).contains(&old_file_name(Position(0))));
}

#[test]
fn only_the_oldest_of_several_leaves() {
    let place = tempfile::tempdir().unwrap();
    let segments = Segments::open(open(place.path()), SegmentsOptions::of_size(SIZE)).unwrap();
    let refused = segments.remove_front(Position(0)).unwrap_err();
    assert!(matches!(refused, RemoveError::NotStarted));
    drop(segments);
    let segments = with_segments(open(place.path()), 2);
    for base in [SIZE, 2 * SIZE, 5] {
        let refused = segments.remove_front(Position(base)).unwrap_err();
        assert!(
            matches!(refused, RemoveError::NotOldest { .. }),
            "{refused}"
        );
    }
    segments.remove_front(Position(0)).unwrap();
    // Now it is the oldest, and the only one.
    segments.remove_front(Position(SIZE)).unwrap_err();
}

#[test]
fn the_next_open_begins_behind_and_deletes_what_was_left() {
    let place = tempfile::tempdir().unwrap();
    let segments = with_segments(open(place.path()), 3);
    let held = segments.snapshot();
    segments.remove_front(Position(0)).unwrap();
    drop(segments);
    drop(held);
    let storage = open(place.path());
    assert!(names(&*storage).contains(&old_file_name(Position(0))));
    let segments = Segments::open(
        Arc::<Directory>::clone(&storage),
        SegmentsOptions::of_size(SIZE),
    )
    .unwrap();
    let run = segments.snapshot();
    assert_eq!(run[0].base(), Position(SIZE));
    segments.start_ahead(run[1].end()).unwrap();
    wait_deleted(&segments);
    assert!(!names(&*storage).contains(&old_file_name(Position(0))));
}

#[test]
fn it_can_be_removed_while_the_next_is_taken() {
    let place = tempfile::tempdir().unwrap();
    let segments = with_segments(open(place.path()), 2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for base in 0..20 {
                while segments.remove_front(Position(base * SIZE)).is_err() {
                    std::thread::yield_now();
                }
            }
        });
        for _ in 0..20 {
            segments.wait_next(LONG).unwrap();
            segments.take_next().unwrap();
        }
    });
    let run = segments.snapshot();
    let bases: Vec<_> = run.iter().map(|segment| segment.base().0 / SIZE).collect();
    assert_eq!(bases, [20, 21]);
}

#[test]
fn a_refused_change_leaves_the_segment_and_can_be_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let storage = Faulty::new(Directory::open(place.path()).unwrap(), usize::MAX);
    let segments = with_segments(Arc::<Faulty>::clone(&storage), 3);
    segments.wait_next(LONG).unwrap();
    for allowed in [0, 1] {
        // The allocator spends too, so what is refused may be either step.
        storage.allow(allowed);
        match segments.remove_front(Position(0)) {
            Err(RemoveError::Io { error, .. }) => assert_eq!(error.kind(), ErrorKind::StorageFull),
            other => panic!("{other:?}"),
        }
        assert_eq!(segments.snapshot()[0].base(), Position(0));
    }
    storage.allow(usize::MAX);
    segments.remove_front(Position(0)).unwrap();
    wait_deleted(&segments);
    assert!(segments.snapshot()[0].base() == Position(SIZE));
}

/// Stops the storage after each number of changes in turn: the run that is found begins at one segment or at the next, and
/// has no gap.
#[test]
fn a_crash_between_any_two_steps_leaves_a_run_without_a_gap() {
    for allowed in 0..10 {
        let place = tempfile::tempdir().unwrap();
        drop(with_segments(open(place.path()), 4));
        let storage = Faulty::new(Directory::open(place.path()).unwrap(), usize::MAX);
        let segments = with_segments(Arc::<Faulty>::clone(&storage), 4);
        storage.allow(allowed);
        let mut removed = 0;
        while removed < 3 && segments.remove_front(Position(removed * SIZE)).is_ok() {
            removed += 1;
        }
        assert!(removed == 3 || storage.refused() > 0);
        drop(segments);
        drop(storage);

        let storage = open(place.path());
        let bases = names(&*storage);
        let first = bases.iter().find_map(|name| base_of(name)).unwrap();
        let segments = Segments::open(storage, SegmentsOptions::of_size(SIZE)).unwrap();
        let begin = segments.snapshot()[0].base();
        assert_eq!(begin, first);
        assert!(
            begin.0 >= removed * SIZE && begin.0 <= (removed + 1) * SIZE,
            "{allowed}: {begin}"
        );
    }
}
