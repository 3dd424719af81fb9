//! Files that are missing, cut short, damaged, or none of the log's.

use pagelog_commit_log::{MetaError, OpenError};
use pagelog_segment::{OpenError as SegmentsError, Storage};
use pagelog_testing::MemoryStorage;

use crate::fixture::{FIRST_SEGMENT, Fixture, Found, ROUTES, SEGMENT_SIZE, fill, open};

const META: &str = "log.meta";

/// Three segments with entries.
fn sample() -> (MemoryStorage, Vec<Found>) {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 45, 4);
    let entries = fixture.entries();
    assert!(
        entries
            .last()
            .is_some_and(|last| last.end > 2 * SEGMENT_SIZE)
    );
    (storage, entries)
}

fn segment(index: u64) -> String {
    format!("{:020}.log", index * SEGMENT_SIZE)
}

fn refused(storage: &MemoryStorage) -> OpenError {
    match open(storage, ROUTES[0]) {
        Ok(fixture) => panic!("opened, with {} entries", fixture.entries().len()),
        Err(error) => error,
    }
}

#[test]
fn a_segment_missing_in_the_middle_is_named() {
    let (storage, _) = sample();
    storage.remove(&segment(1)).unwrap();
    let error = refused(&storage);
    assert!(
        matches!(
            error,
            OpenError::Segments(SegmentsError::MissingSegment { .. })
        ),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains(FIRST_SEGMENT) && text.contains(&segment(2)),
        "{text}"
    );
}

/// The file's size is the only sign of it when it is the last one, so every size but the right one is refused.
#[test]
fn a_segment_cut_short_is_refused_wherever_it_is_cut() {
    let (storage, entries) = sample();
    let last = entries.last().expect("there are entries").end / SEGMENT_SIZE;
    for index in 0..=last {
        for size in [
            0,
            1,
            79,
            80,
            95,
            96,
            100,
            1000,
            4096,
            SEGMENT_SIZE - 4096,
            SEGMENT_SIZE - 1,
        ] {
            let copy = storage.freeze().power_cut_losing_all();
            // The ones made ahead would show a gap: they are taken away, as whoever cuts files short by hand may do.
            for ahead in last + 1..last + 4 {
                let _ = copy.remove(&segment(ahead));
            }
            copy.truncate(&segment(index), size);
            let text = refused(&copy).to_string();
            assert!(text.contains(&segment(index)), "cut to {size}: {text}");
        }
    }
}

#[test]
fn a_segment_made_longer_is_refused() {
    let (storage, _) = sample();
    let names = storage.list().unwrap();
    for name in names.iter().filter(|name| name.ends_with(".log")) {
        let copy = storage.freeze().power_cut_losing_all();
        copy.truncate(name, SEGMENT_SIZE + 4096);
        match open(&copy, ROUTES[0]) {
            Err(error) => assert!(error.to_string().contains(name.as_str()), "{error}"),
            // One that was made ahead holds nothing and names no size yet.
            Ok(_) => assert_eq!(
                Some(name),
                names.iter().rfind(|name| name.ends_with(".log"))
            ),
        }
    }
}

#[test]
fn files_that_are_not_the_log_s_are_left_alone() {
    let (storage, entries) = sample();
    let strangers = [
        "notes.txt",
        "123.log",
        "00000000000000000000.log.bak",
        "0000000000000000000x.log",
        ".hidden",
        "99999999999999999999.log",
    ];
    for name in strangers {
        storage.create(name, 10).unwrap();
    }
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), entries);
    let names = storage.list().unwrap();
    assert!(
        strangers
            .iter()
            .all(|name| names.iter().any(|there| there == name))
    );
}

#[test]
fn a_stranger_s_file_does_not_keep_a_log_from_beginning() {
    let storage = MemoryStorage::new(1);
    storage.create("server.log", 10).unwrap();
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), []);
}

#[test]
fn what_an_allocation_or_a_first_opening_left_is_removed() {
    let (storage, entries) = sample();
    storage.create("00000000000000999424.log.new", 100).unwrap();
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), entries);
    assert!(storage.open("00000000000000999424.log.new").is_err());

    let storage = MemoryStorage::new(1);
    storage.create("log.meta.new", 3).unwrap();
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), []);
    assert!(storage.open("log.meta.new").is_err());
}

#[test]
fn segments_without_their_identity_are_refused() {
    let (storage, _) = sample();
    storage.remove(META).unwrap();
    let error = refused(&storage);
    assert!(
        matches!(error, OpenError::Meta(MetaError::Missing { .. })),
        "{error}"
    );
    assert!(error.to_string().contains(META));
}

#[test]
fn every_damaged_bit_of_the_identity_is_refused() {
    let (storage, entries) = sample();
    let right = storage.content(META);
    for (at, byte) in right.iter().enumerate() {
        for bit in 0..8 {
            storage.overwrite(META, at as u64, &[byte ^ 1 << bit]);
            let error = refused(&storage);
            assert!(
                matches!(error, OpenError::Meta(MetaError::Damaged { .. })),
                "byte {at}: {error}"
            );
        }
        storage.overwrite(META, at as u64, &[*byte]);
    }
    for size in 0..right.len() as u64 {
        storage.truncate(META, size);
        assert!(matches!(
            refused(&storage),
            OpenError::Meta(MetaError::Damaged { .. })
        ));
    }
    storage.overwrite(META, 0, &right);
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), entries);
}

/// The segments of one log and the identity of another: the secret does not fit, so no entry is whole, and nothing of it may be taken for blank.
#[test]
fn another_log_s_segments_are_refused() {
    let (storage, _) = sample();
    let other = MemoryStorage::new(9);
    drop(Fixture::new(&other, ROUTES[0]));
    storage.overwrite(META, 0, &other.content(META));
    let error = refused(&storage);
    assert!(error.to_string().contains(FIRST_SEGMENT), "{error}");
}
