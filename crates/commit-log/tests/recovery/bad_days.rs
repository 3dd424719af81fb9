//! Bad days of a disk: each call fails in each way while the log is in use. Each failure has its name, an answer for those who append, and takes
//! nothing of what was acknowledged. `docs/operations.md` lists them.

use std::time::{Duration, Instant};

use pagelog_commit_log::{AppendError, LogFailure, Offset, OpenError, Route, StreamId};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};

use crate::fixture::{FIRST_SEGMENT, Fixture, ROUTES, SEGMENT_SIZE, fill, open, payload};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Appends and flushes until the log refuses for another reason than that it has no room yet.
fn append_until_refused(fixture: &mut Fixture) -> (usize, AppendError) {
    let deadline = Instant::now() + PATIENCE;
    let mut number = fixture.entries().len();
    loop {
        assert!(Instant::now() < deadline, "never refused");
        match fixture.try_append(1, &payload(number)) {
            Ok(_) => number += 1,
            Err(AppendError::Busy(busy)) => fixture.log.wait_room(busy, Duration::from_millis(1)),
            Err(other) => return (number, other),
        }
        fixture.flush();
    }
}

/// The making of the next segment fails in every step and way: whoever appends is told that very error, the log has not failed, what was
/// acknowledged can be read and survives, and once the disk is well again the log goes on by itself.
#[test]
fn an_allocation_may_fail_at_any_step() {
    let ways = [
        (Operation::Create, Errno::NOSPC),
        (Operation::Create, Errno::DQUOT),
        (Operation::Create, Errno::ROFS),
        (Operation::Rename, Errno::IO),
        (Operation::Map, Errno::NOMEM),
        (Operation::SyncDirectory, Errno::IO),
    ];
    // The allocator rests a second after a failure, so all at once.
    std::thread::scope(|scope| {
        for (operation, errno) in ways {
            // Appends through a mapping of their own have another answer to its refusal, below.
            let mapping = |route: &Route| operation == Operation::Map && *route == Route::Mapped;
            for route in ROUTES.into_iter().filter(|route| !mapping(route)) {
                scope.spawn(move || allocation_fails(operation, errno, route));
            }
        }
    });
}

fn allocation_fails(operation: Operation, errno: Errno, route: Route) {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, route);
    // Made ahead already, so that it is the allocation that fails and not the mapping of what is there.
    let deadline = Instant::now() + PATIENCE;
    while fixture.log.segments_ready() < 2 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    storage.inject(Fault::always(operation, 0, errno));
    let (number, refused) = append_until_refused(&mut fixture);
    match refused {
        AppendError::NoSpace(source) => {
            assert_eq!(
                source.raw_os_error(),
                Some(errno.raw_os_error()),
                "{source}"
            );
        }
        other => panic!("{operation:?}: {other}"),
    }
    assert!(fixture.log.failure().is_none());
    let entries = fixture.entries();
    assert_eq!(entries.len(), number);

    storage.clear_faults();
    let after = storage.freeze().power_cut_losing_all();
    assert_eq!(Fixture::new(&after, route).entries(), entries);
    // More than what is left of the last segment.
    while fixture.try_append(1, &[7; 2000]).is_err() {
        assert!(Instant::now() < deadline + PATIENCE);
        std::thread::yield_now();
    }
    fixture.flush();
    assert_eq!(fixture.entries().len(), number + 1);
}

/// The next segment is there and cannot be mapped for stores: the log ends by that name, and what was acknowledged is there again.
#[test]
fn a_mapping_may_be_refused() {
    let storage = MemoryStorage::new(8);
    let mut fixture = Fixture::new(&storage, Route::Mapped);
    let deadline = Instant::now() + PATIENCE;
    while fixture.log.segments_ready() < 2 {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    storage.inject(Fault::always(Operation::Map, 0, Errno::NOMEM));
    let (number, refused) = append_until_refused(&mut fixture);
    let AppendError::Failed(failure) = refused else {
        panic!("{refused}")
    };
    let LogFailure::Map { file, source } = &*failure else {
        panic!("{failure}")
    };
    assert_eq!(*file, format!("{SEGMENT_SIZE:020}.log"));
    assert_eq!(source.raw_os_error(), Some(Errno::NOMEM.raw_os_error()));
    drop(fixture);
    storage.clear_faults();
    let image = storage.freeze();
    for after in [image.process_death(), image.power_cut_losing_all()] {
        assert_eq!(Fixture::new(&after, Route::Mapped).entries().len(), number);
    }
}

/// A write or a sync that fails, however it does, ends the log, and the next opening has all that was acknowledged.
#[test]
fn a_write_or_a_sync_may_fail_in_any_way() {
    // The mapped route writes nothing by a call.
    let ways = [
        (ROUTES[0], Operation::Write),
        (ROUTES[0], Operation::Sync),
        (Route::Mapped, Operation::Sync),
    ];
    for (route, operation) in ways {
        for errno in [Errno::IO, Errno::NOSPC, Errno::DQUOT, Errno::ROFS] {
            let storage = MemoryStorage::new(2);
            let mut fixture = Fixture::new(&storage, route);
            fill(&mut fixture, 20, 3);
            let acknowledged = fixture.entries();
            fixture.append(1, b"never acknowledged");
            storage.inject(Fault::once(operation, 0, errno));
            let failed = fixture.sync.write().and_then(|_| fixture.sync.sync());
            let failure = failed.unwrap_err();
            let source = match &*failure {
                LogFailure::Write { file, source, .. } if operation == Operation::Write => {
                    (file, source)
                }
                LogFailure::Sync { file, source } if operation == Operation::Sync => (file, source),
                other => panic!("{other}"),
            };
            assert!(source.0.ends_with(".log"), "{failure}");
            assert_eq!(source.1.raw_os_error(), Some(errno.raw_os_error()));
            let refused = fixture.try_append(1, b"more").unwrap_err();
            assert!(matches!(refused, AppendError::Failed(_)), "{refused}");
            drop(fixture);
            for after in [storage.freeze().process_death(), storage.crash(3)] {
                let found = Fixture::new(&after, route).entries();
                assert!(found.starts_with(&acknowledged));
            }
        }
    }
}

/// A directory that became read-only is read as ever; it is opened again only once it can be written, and says so until then.
#[test]
fn a_directory_made_read_only_is_refused_and_not_harmed() {
    ROUTES.into_iter().for_each(read_only_directory);
}

fn read_only_directory(route: Route) {
    let storage = MemoryStorage::new(3);
    let mut fixture = Fixture::new(&storage, route);
    fill(&mut fixture, 20, 3);
    let entries = fixture.entries();
    drop(fixture);
    for operation in [
        Operation::Create,
        Operation::Rename,
        Operation::Write,
        Operation::Sync,
        Operation::SyncDirectory,
    ] {
        storage.inject(Fault::always(operation, 0, Errno::ROFS));
    }
    match open(&storage, route) {
        Err(OpenError::Segments(error)) => {
            assert!(error.to_string().contains("Read-only"), "{error}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("opened for writing"),
    }
    storage.clear_faults();
    assert_eq!(Fixture::new(&storage, route).entries(), entries);
}

/// The file is cut short beneath the mapping that an appender stores through: no signal kills the process, the log ends with the file's name, and
/// what lies in other files is still read.
#[test]
fn a_file_cut_short_under_the_mapping_ends_the_log_and_not_the_process() {
    let storage = MemoryStorage::new(4);
    let mut fixture = Fixture::new(&storage, Route::Mapped);
    fill(&mut fixture, 60, 3);
    let last = fixture.log.durable().get().0 / SEGMENT_SIZE * SEGMENT_SIZE;
    assert!(last > 0);
    let first = fixture.entries()[0].clone();
    storage.truncate(&format!("{last:020}.log"), 0);
    let failure = loop {
        match fixture.try_append(1, &[7; 500]) {
            Err(AppendError::Failed(failure)) => break failure,
            Err(AppendError::Busy(busy)) => fixture.log.wait_room(busy, Duration::from_millis(1)),
            other => panic!("{other:?}"),
        }
    };
    assert!(
        matches!(&*failure, LogFailure::Fault { file, .. } if *file == format!("{last:020}.log")),
        "{failure}"
    );
    let stream = fixture.log.stream(StreamId(first.stream));
    let until = fixture.log.durable().get();
    let found = fixture
        .log
        .read(&stream, Offset(0), until, 1, true)
        .unwrap();
    let mut payload = vec![0; found[0].size as usize];
    let copied = found[0]
        .file
        .mapping()
        .copy_out(found[0].at as usize, &mut payload);
    assert!(copied.is_ok() && payload == first.payload);
}

/// A reader of a file that was cut short gets an error for what he asked, again and again, and nobody else is concerned.
#[test]
fn a_file_cut_short_under_a_reader_is_an_error_for_that_reader() {
    ROUTES.into_iter().for_each(file_cut_short_under_reader);
}

fn file_cut_short_under_reader(route: Route) {
    let storage = MemoryStorage::new(5);
    let mut fixture = Fixture::new(&storage, route);
    fill(&mut fixture, 60, 3);
    storage.truncate(FIRST_SEGMENT, 0);
    let stream = fixture.log.stream(StreamId(1));
    let until = fixture.log.durable().get();
    let found = fixture
        .log
        .read(&stream, Offset(0), until, u64::MAX, true)
        .unwrap();
    let (lost, kept) = (&found[0], &found[found.len() - 1]);
    let mut bytes = vec![0; lost.size as usize];
    assert!(
        lost.file
            .mapping()
            .copy_out(lost.at as usize, &mut bytes)
            .is_err()
    );
    let read = pagelog_os::file::read_exact_at(lost.file.file(), lost.at, &mut bytes);
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
    let mut bytes = vec![0; kept.size as usize];
    assert!(
        kept.file
            .mapping()
            .copy_out(kept.at as usize, &mut bytes)
            .is_ok()
    );
    fixture.append(1, b"goes on");
    fixture.flush();
}

/// The log reads no clock: whatever times its callers give, in whatever order, entries keep their places and are found again.
#[test]
fn a_clock_that_jumps_back_moves_nothing() {
    ROUTES.into_iter().for_each(clock_jumps_back);
}

fn clock_jumps_back(route: Route) {
    let storage = MemoryStorage::new(6);
    let mut fixture = Fixture::new(&storage, route);
    let times = [1_000, 2_000, -5, 0, i64::MAX, i64::MIN, 1_500, 3];
    for (number, time) in times.into_iter().enumerate() {
        let body = payload(number);
        let entry = pagelog_commit_log::NewEntry {
            append_time_ms: time,
            record_time_max_ms: time,
            ..pagelog_commit_log::NewEntry::record(&body)
        };
        let appended = fixture.append_entry(1, &entry);
        assert_eq!(appended.base_offset, Offset(number as i64));
    }
    fixture.flush();
    let entries = fixture.entries();
    assert_eq!(entries.len(), times.len());
    drop(fixture);
    let fixture = Fixture::new(&storage, route);
    assert_eq!(fixture.entries(), entries);
    let stored: Vec<_> = fixture
        .headers
        .iter()
        .filter(|one| one.count == 1)
        .collect();
    let found: Vec<_> = stored.iter().map(|one| one.append_time_ms).collect();
    assert_eq!(found, times);
}
