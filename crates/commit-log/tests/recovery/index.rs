//! The index of a log that is filled, stopped and killed: it tells what the log holds, is made again when it is gone, and no crash in between is noticed.

use std::sync::Arc;

use pagelog_commit_log::{IndexWork, Offset, Replayer, StreamId};
use pagelog_segment::{Position, Storage};
use pagelog_testing::{Errno, Fault, Image, Marks, MemoryStorage, Operation};

use crate::fixture::{Fixture, Found, ROUTES, fill, retry};

const ENTRIES: usize = 120;

fn work(fixture: &Fixture) -> Vec<IndexWork> {
    let mut done = Vec::new();
    loop {
        match fixture.log.index_next().unwrap() {
            IndexWork::Nothing => return done,
            work => done.push(work),
        }
    }
}

fn names(storage: &MemoryStorage, suffix: &str) -> Vec<String> {
    let mut names = storage.list().unwrap();
    names.retain(|name| name.ends_with(suffix));
    names.sort();
    names
}

/// What is wrong with the indexes, by the log itself.
fn check(storage: &MemoryStorage) -> usize {
    let replayer = Replayer::open(storage).unwrap();
    let reports = replayer.check_indexes(storage, true).unwrap();
    for report in &reports {
        assert!(report.wrong.is_none(), "{report:?}");
    }
    reports.len()
}

#[test]
fn full_segments_have_an_index_and_the_last_one_after_a_stop() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fill(&mut fixture, ENTRIES, 5);
        let entries = fixture.entries();
        let done = work(&fixture);
        let sealed = names(&storage, ".index").len();
        let is_sealed = |work: &IndexWork| matches!(work, IndexWork::Sealed(_));
        assert_eq!(done.iter().filter(|work| is_sealed(work)).count(), sealed);
        assert!(sealed >= 3, "{sealed} segments");
        assert_eq!(fixture.entries(), entries);
        assert_eq!(check(&storage), sealed);
        fixture.sync.close().unwrap();
        fixture.log.index_all().unwrap();
        assert_eq!(fixture.log.index_memory(), 0);
        assert_eq!(check(&storage), sealed + 1);
        assert!(names(&storage, ".run").is_empty());
        drop(fixture);
        let fixture = Fixture::new(&storage, route);
        assert_eq!(
            fixture.log.index_memory(),
            0,
            "nothing is to be kept in memory"
        );
        assert_eq!(fixture.entries(), entries);
    }
}

/// A run is of use to the process that made it; the next opening finds an index all the same.
#[test]
fn after_a_stop_runs_have_become_the_index() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.log.set_index_memory(0);
        for number in 0..3 {
            fixture.append(1 + number, b"a record");
            fixture.flush();
            assert!(work(&fixture).contains(&IndexWork::Spilled));
        }
        assert_eq!(names(&storage, ".run").len(), 3);
        let entries = fixture.entries();
        fixture.sync.close().unwrap();
        fixture.log.index_all().unwrap();
        assert!(names(&storage, ".run").is_empty());
        assert_eq!(check(&storage), 1);
        drop(fixture);
        let fixture = Fixture::new(&storage, route);
        assert_eq!(fixture.log.index_memory(), 0);
        assert_eq!(fixture.entries(), entries);
    }
}

/// To join the runs of a large segment takes long, and entries go on coming.
#[test]
fn memory_is_emptied_while_a_full_segment_gets_its_index() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.append(1, b"a record");
        fixture.flush();
        fixture.log.set_index_memory(0);
        assert_eq!(work(&fixture), [IndexWork::Spilled]);
        fill(&mut fixture, ENTRIES, 5);
        fixture.flush();
        let entries = fixture.entries();
        let sealed = fixture.log.index_next().unwrap();
        assert_eq!(sealed, IndexWork::Sealed(Position(0)));
        assert_eq!(fixture.log.index_memory(), 0);
        assert!(names(&storage, ".run").len() >= 2);
        assert_eq!(fixture.entries(), entries);
        work(&fixture);
        assert_eq!(fixture.entries(), entries);
        assert_eq!(check(&storage), names(&storage, ".index").len());
    }
}

#[test]
fn nothing_is_indexed_that_is_not_durable() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[1]);
    for number in 0..90 {
        fixture.append(1, &crate::fixture::payload(number));
    }
    assert!(fixture.log.appended().0 > 2 * crate::fixture::SEGMENT_SIZE);
    fixture.log.set_index_memory(1 << 20);
    assert_eq!(work(&fixture), []);
    fixture.log.index_all().unwrap();
    // Only what the opening had written is durable.
    assert_eq!(check(&storage), 1);
    fixture.flush();
    assert!(!work(&fixture).is_empty());
}

#[test]
fn an_index_that_is_gone_or_wrong_is_made_again_the_same() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, ENTRIES, 5);
    work(&fixture);
    let entries = fixture.entries();
    let first = names(&storage, ".index").remove(0);
    let bytes = storage.content(&first);
    // In use: the reader is told, and finds it again when it has been built.
    // The rest of the header's page means nothing.
    let means_nothing = 80..4096;
    let places = (0..bytes.len() as u64).step_by(23);
    for at in places.filter(|at| !means_nothing.contains(at)) {
        drop(fixture);
        storage.overwrite(&first, at, &[bytes[at as usize] ^ 0x40]);
        fixture = Fixture::new(&storage, ROUTES[0]);
        assert_eq!(fixture.entries(), entries, "byte {at}");
        work(&fixture);
        assert_eq!(check(&storage), names(&storage, ".index").len());
        assert_eq!(storage.content(&first), bytes, "byte {at}");
    }
    drop(fixture);
    storage.remove(&first).unwrap();
    let fixture = Fixture::new(&storage, ROUTES[0]);
    assert_eq!(fixture.entries(), entries);
    work(&fixture);
    assert_eq!(storage.content(&first), bytes);
}

/// Every image holds the same entries, whatever became of the files.
fn same_after(image: &Image, entries: &[Found]) {
    let cuts = (0..2).map(|seed| image.power_cut(seed));
    let others = [image.process_death(), image.power_cut_losing_all()];
    for after in cuts.chain(others) {
        let fixture = Fixture::new(&after, ROUTES[0]);
        assert_eq!(fixture.entries(), entries);
        work(&fixture);
        assert_eq!(fixture.entries(), entries);
        check(&after);
        assert!(
            names(&after, ".new")
                .iter()
                .all(|name| !name.contains("index"))
        );
    }
}

#[test]
fn a_crash_at_any_step_of_sealing_changes_nothing() {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, ENTRIES, 5);
    let entries = fixture.entries();
    let first = storage.operations() + 1;
    storage.freeze_at((first..first + 400).collect(), Arc::new(Marks::default));
    work(&fixture);
    fixture.log.index_all().unwrap();
    drop(fixture);
    let frozen = storage.take_frozen();
    assert!(frozen.len() > 30, "{} steps", frozen.len());
    for step in frozen {
        same_after(&step.image, &entries);
    }
}

#[test]
fn a_full_disk_leaves_it_in_memory() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, ENTRIES, 5);
    let entries = fixture.entries();
    for operation in [Operation::Create, Operation::Rename, Operation::Sync] {
        storage.inject(Fault::always(operation, 0, Errno::NOSPC));
        assert!(fixture.log.index_next().is_err());
        storage.clear_faults();
        assert_eq!(fixture.entries(), entries);
        assert!(fixture.log.failure().is_none());
    }
    work(&fixture);
    assert_eq!(fixture.entries(), entries);
    check(&storage);
}

#[test]
fn a_time_is_found_in_memory_and_in_files() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, ENTRIES, 5);
    let stream = fixture.log.stream(StreamId(1));
    let until = fixture.log.durable().get();
    let first = |fixture: &Fixture, time_ms| {
        let found = retry(&fixture.log, |log| {
            log.first_at_or_after(&stream, time_ms, until)
        });
        found.map(|found| found.base_offset)
    };
    for _ in 0..2 {
        assert_eq!(first(&fixture, 0), Some(Offset(0)));
        assert_eq!(first(&fixture, 1), None);
        let latest = fixture.log.with_time_max(&stream, until).unwrap();
        assert_eq!(latest.map(|found| found.base_offset), Some(Offset(0)));
        work(&fixture);
    }
}
