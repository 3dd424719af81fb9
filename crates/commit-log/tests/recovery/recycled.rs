//! Files of deleted segments come back full of whole entries of this very log: in other places, of the same epoch, sealed with its secret. None of them
//! passes for a new one, neither as an entry nor as a proof of damage.

use pagelog_commit_log::{NotWhole, Offset, Position, Route, StreamId};
use pagelog_testing::MemoryStorage;

use crate::fixture::{Fixture, ROUTES, SEGMENT_SIZE};

/// All entries are of this size, so that old ones lie at the very bytes of the file where new ones would.
const PAYLOAD_SIZE: usize = 420;
const ENTRY_SIZE: u64 = 504;
const PAGE_SIZE: usize = 4096;

fn append(fixture: &mut Fixture, number: u8) -> Position {
    fixture.append(1, &[number; PAYLOAD_SIZE]).end
}

/// Fills segments and removes them from the front until the log's last segment is a file that has been used before, and is begun. Answers the
/// base of that segment.
fn recycle(storage: &MemoryStorage, fixture: &mut Fixture) -> u64 {
    let stream = fixture.log.stream(StreamId(1));
    let mut base = 0;
    // Whether the next file is one that was used depends on how far the threads of the segments have come.
    for number in 0..5_000 {
        let end = append(fixture, number as u8);
        fixture.flush();
        let begun = end.0 / SEGMENT_SIZE * SEGMENT_SIZE;
        let next = (end.0 - begun + ENTRY_SIZE) as usize;
        let old = next + untouched(&fixture.log.options().route, next);
        let lies_old = || storage.content(&file(begun))[old..].starts_with(b"PLE1");
        if begun > base && begun >= 8 * SEGMENT_SIZE && lies_old() {
            return begun;
        }
        base = begun;
        fixture.log.set_start(&stream, Offset(number));
        while let Some(front) = fixture.log.front() {
            if front.end.0 + 2 * SEGMENT_SIZE > end.0 || fixture.log.remove_front(&front).is_err() {
                break;
            }
        }
    }
    panic!("no segment was begun in a file that was used before");
}

/// How far behind byte `from` the first old entry begins that appending up to `from` has left alone: a staged write covers the whole page.
fn untouched(route: &Route, from: usize) -> usize {
    let covered = match route {
        Route::Staged { .. } => from.next_multiple_of(PAGE_SIZE) - from,
        Route::Mapped => 0,
    };
    covered.next_multiple_of(ENTRY_SIZE as usize)
}

fn file(base: u64) -> String {
    format!("{base:020}.log")
}

/// How many headers of other places the file holds behind byte `from`.
fn left_over(storage: &MemoryStorage, base: u64, from: u64) -> usize {
    let content = storage.content(&file(base));
    let places = content[from as usize..].chunks_exact(8);
    places.filter(|place| place.starts_with(b"PLE1")).count()
}

#[test]
fn what_a_file_held_before_is_neither_read_nor_a_proof() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        let base = recycle(&storage, &mut fixture);
        let end = append(&mut fixture, 1);
        fixture.flush();
        let entries = fixture.entries();
        drop(fixture);
        assert!(
            left_over(&storage, base, end.0 - base) > 5,
            "the file is new: the test proves nothing"
        );
        for after in [storage.freeze().process_death(), storage.crash(1)] {
            let fixture = Fixture::new(&after, route);
            assert_eq!(fixture.entries(), entries);
            assert_eq!(fixture.recovery.end, end);
            // Right behind the last entry lies an old one, whole, of the same epoch; by the staged route only behind the zeros that fill its page.
            let cut = &fixture.recovery.cut;
            match route {
                Route::Staged { .. } => assert_eq!(*cut, None),
                Route::Mapped => assert!(
                    matches!(cut, Some(NotWhole::Position(old)) if old.0 < base),
                    "{cut:?}"
                ),
            }
        }
    }
}

/// The end is torn, and everything behind it was written before: it must be cut, not refused.
#[test]
fn a_torn_tail_before_old_entries_is_cut() {
    for route in ROUTES {
        let storage = MemoryStorage::new(2);
        let mut fixture = Fixture::new(&storage, route);
        let base = recycle(&storage, &mut fixture);
        let end = append(&mut fixture, 1);
        fixture.flush();
        append(&mut fixture, 2);
        append(&mut fixture, 3);
        fixture.sync.write().unwrap();
        drop(fixture);
        storage.overwrite(&file(base), end.0 - base + 80, &[0xee; 8]);
        assert!(left_over(&storage, base, end.0 - base + 2 * 500) > 3);
        let mut fixture = Fixture::new(&storage, route);
        assert_eq!(fixture.recovery.end, end);
        append(&mut fixture, 4);
        fixture.flush();
        let entries = fixture.entries();
        drop(fixture);
        assert_eq!(Fixture::new(&storage, route).entries(), entries);
    }
}

/// Damage is still told from the end, by the entries of this life that lie behind it among the old ones.
#[test]
fn damage_in_a_recycled_segment_is_refused() {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    let base = recycle(&storage, &mut fixture);
    let damaged = append(&mut fixture, 1);
    for number in 2..6 {
        append(&mut fixture, number);
        fixture.flush();
    }
    drop(fixture);
    storage.overwrite(&file(base), damaged.0 - base + 100, &[0xee; 8]);
    let refused = crate::fixture::open(&storage, ROUTES[0]).err().unwrap();
    assert!(
        matches!(
            refused,
            pagelog_commit_log::OpenError::Damaged { position, .. } if position == damaged
        ),
        "{refused}"
    );
}

#[test]
fn behind_a_clean_stop_nothing_is_torn() {
    let storage = MemoryStorage::new(4);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    recycle(&storage, &mut fixture);
    let end = fixture.sync.close().unwrap();
    drop(fixture);
    let fixture = Fixture::new(&storage, ROUTES[1]);
    assert_eq!(fixture.recovery.end, end);
    assert!(fixture.recovery.clean);
    assert_eq!(fixture.recovery.cut, None);
}
