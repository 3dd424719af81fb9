//! Storage that fails: nothing is acknowledged after it, and nothing that was acknowledged before it is lost.

use std::time::{Duration, Instant};

use pagelog_commit_log::{AppendError, LogFailure, OpenError, Route, WaitOutcome};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};

use crate::fixture::{FIRST_SEGMENT, Fixture, ROUTES, fill, open, open_with, payload};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

fn assert_latched(fixture: &mut Fixture) {
    let acknowledged = fixture.log.durable().get();
    assert!(fixture.log.failure().is_some());
    assert!(matches!(
        fixture.try_append(1, b"more"),
        Err(AppendError::Failed(_))
    ));
    assert!(
        fixture.sync.write().is_err()
            && fixture.sync.sync().is_err()
            && fixture.sync.close().is_err()
    );
    let next = pagelog_commit_log::Position(acknowledged.0 + 1);
    assert_eq!(
        fixture.log.durable().wait(next, Some(PATIENCE)),
        WaitOutcome::Failed
    );
    assert_eq!(
        fixture.log.durable().get(),
        acknowledged,
        "nothing is acknowledged after a failure"
    );
}

#[test]
fn a_failed_sync_is_final() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        fixture.append(1, b"synced");
        fixture.flush();
        fixture.append(1, b"not synced");
        fixture.sync.write().unwrap();
        storage.inject(Fault::once(Operation::Sync, 0, Errno::IO));
        let failure = fixture.sync.sync().unwrap_err();
        assert!(
            matches!(&*failure, LogFailure::Sync { file, .. } if file == FIRST_SEGMENT),
            "{failure}"
        );
        assert_latched(&mut fixture);
    }
}

/// The kernel keeps the page, believes it clean, and would never write it. Whoever opens the log sees the entry, so it must first be
/// written again: otherwise a reader sees what the next power cut takes back.
#[test]
fn what_a_failed_sync_left_in_the_cache_is_durable_before_it_is_visible() {
    for route in ROUTES {
        for seed in 0..20 {
            let storage = MemoryStorage::new(seed);
            let mut fixture = Fixture::new(&storage, route);
            fill(&mut fixture, 12, 3);
            for number in 100..110 {
                fixture.append(1, &payload(number));
            }
            fixture.sync.write().unwrap();
            storage.inject(Fault::always(Operation::Sync, 0, Errno::IO));
            fixture.sync.sync().unwrap_err();
            drop(fixture);
            storage.clear_faults();

            let visible = Fixture::new(&storage, route).entries();
            assert_eq!(visible.len(), 22);
            let after = storage.freeze().power_cut_losing_all();
            assert_eq!(
                Fixture::new(&after, route).entries(),
                visible,
                "seed {seed}"
            );
        }
    }
}

/// The same, but the kernel drops the page before anyone opens the log again: what is gone was never acknowledged.
#[test]
fn what_the_kernel_drops_after_a_failed_sync_was_not_acknowledged() {
    for seed in 0..20 {
        let storage = MemoryStorage::new(seed);
        let mut fixture = Fixture::new(&storage, ROUTES[0]);
        fill(&mut fixture, 12, 3);
        let acknowledged = fixture.entries();
        for number in 100..110 {
            fixture.append(1, &payload(number));
        }
        fixture.sync.write().unwrap();
        storage.inject(Fault::always(Operation::Sync, 0, Errno::IO));
        fixture.sync.sync().unwrap_err();
        drop(fixture);
        storage.clear_faults();
        storage.evict_falsely_clean().unwrap();
        assert!(
            Fixture::new(&storage, ROUTES[0])
                .entries()
                .starts_with(&acknowledged)
        );
    }
}

/// The same, but the kernel drops the page while the log is being opened, after its entries were read and before they are written again.
#[test]
fn what_the_kernel_drops_while_opening_is_noticed() {
    let mut noticed = 0;
    for route in ROUTES {
        for seed in 0..20 {
            let storage = MemoryStorage::new(seed);
            let mut fixture = Fixture::new(&storage, route);
            fill(&mut fixture, 12, 3);
            let acknowledged = fixture.entries();
            let mut last = 0;
            for number in 100..110 {
                last = fixture.append(1, &payload(number)).position.0;
            }
            fixture.sync.write().unwrap();
            storage.inject(Fault::always(Operation::Sync, 0, Errno::IO));
            fixture.sync.sync().unwrap_err();
            drop(fixture);
            storage.clear_faults();

            let opened = open_with(&storage, route, &mut |header| {
                if header.position == last {
                    storage.evict_falsely_clean().unwrap();
                }
            });
            match opened {
                Ok(fixture) => {
                    let after = storage.freeze().power_cut_losing_all();
                    let entries = fixture.entries();
                    assert_eq!(
                        Fixture::new(&after, route).entries(),
                        entries,
                        "seed {seed}"
                    );
                }
                Err(OpenError::Changed { .. }) => noticed += 1,
                Err(other) => panic!("seed {seed}: {other}"),
            }
            let again = Fixture::new(&storage, route).entries();
            assert!(again.starts_with(&acknowledged), "seed {seed}");
        }
    }
    assert!(noticed > 0, "no page was dropped that counted");
}

#[test]
fn a_failed_write_is_final_and_takes_nothing_back() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 10, 2);
    let acknowledged = fixture.entries();
    fixture.append(1, b"does not arrive");
    storage.inject(Fault::once(Operation::Write, 0, Errno::NOSPC));
    let failure = fixture.sync.write().unwrap_err();
    assert!(matches!(&*failure, LogFailure::Write { .. }), "{failure}");
    assert_latched(&mut fixture);
    drop(fixture);
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), acknowledged);
}

#[test]
fn writes_may_move_one_byte_at_a_time() {
    let storage = MemoryStorage::new(1);
    storage.shorten_writes(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 30, 4);
    let entries = fixture.entries();
    assert_eq!(entries.len(), 30);
    drop(fixture);
    let after = storage.freeze().power_cut_losing_all();
    assert_eq!(Fixture::new(&after, ROUTES[0]).entries(), entries);
}

/// Without a next segment nothing more is taken, nobody waits for it, and once there is room again the log goes on by itself.
#[test]
fn a_full_disk_refuses_until_there_is_room() {
    for route in ROUTES {
        let storage = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&storage, route);
        storage.inject(Fault::always(Operation::Create, 0, Errno::NOSPC));
        let mut number = 0;
        let deadline = Instant::now() + PATIENCE;
        let error = loop {
            assert!(Instant::now() < deadline, "the disk never gets full");
            match fixture.try_append(1, &payload(number)) {
                Ok(_) => number += 1,
                Err(AppendError::Busy(busy)) => {
                    fixture.log.wait_room(busy, Duration::from_millis(1))
                }
                Err(other) => break other,
            }
            fixture.flush();
        };
        assert!(matches!(error, AppendError::NoSpace(_)), "{error}");
        assert!(
            fixture.log.failure().is_none(),
            "a full disk is no failure of the log"
        );
        assert_eq!(fixture.entries().len(), number, "what was taken is durable");

        storage.clear_faults();
        while let Err(error) = fixture.try_append(1, b"room again") {
            assert!(Instant::now() < deadline, "{error}");
            if let AppendError::Busy(busy) = error {
                fixture.log.wait_room(busy, Duration::from_millis(10));
            }
            std::thread::yield_now();
        }
        fixture.flush();
        assert_eq!(fixture.entries().len(), number + 1);
    }
}

#[test]
fn a_bad_sector_while_opening_is_named_and_nothing_is_cut() {
    let storage = MemoryStorage::new(1);
    let mut fixture = Fixture::new(&storage, ROUTES[0]);
    fill(&mut fixture, 30, 4);
    let entries = fixture.entries();
    drop(fixture);
    let before = storage.content(FIRST_SEGMENT);
    storage.fail_reads(FIRST_SEGMENT, 4096..4608);
    let Err(error) = open(&storage, ROUTES[0]) else {
        panic!("it must be refused")
    };
    assert!(
        matches!(&error, OpenError::Read { file, .. } if file == FIRST_SEGMENT),
        "{error}"
    );
    storage.clear_faults();
    assert_eq!(storage.content(FIRST_SEGMENT), before);
    assert_eq!(Fixture::new(&storage, ROUTES[0]).entries(), entries);
}

/// Every call of an opening fails once, one opening after the other: each ends with an error or a whole log, and no acknowledged entry is lost.
#[test]
fn an_opening_may_fail_at_any_call() {
    use Operation::{Create, List, Map, Open, Read, Rename, Sync, SyncDirectory, Write};
    for route in ROUTES {
        let original = MemoryStorage::new(1);
        let mut fixture = Fixture::new(&original, route);
        fill(&mut fixture, 30, 4);
        fixture.append(1, b"written only");
        fixture.sync.write().unwrap();
        let acknowledged = fixture.entries();
        drop(fixture);
        for operation in [
            Create,
            List,
            Map,
            Open,
            Read,
            Rename,
            Sync,
            SyncDirectory,
            Write,
        ] {
            for after in 0..12 {
                fail_once_while_opening(
                    &original,
                    route,
                    Fault::once(operation, after, Errno::IO),
                    acknowledged.len(),
                );
            }
        }
    }
}

fn fail_once_while_opening(
    original: &MemoryStorage,
    route: Route,
    fault: Fault,
    acknowledged: usize,
) {
    let storage = original.freeze().process_death();
    storage.inject(fault);
    if let Ok(mut fixture) = open(&storage, route) {
        assert!(fixture.entries().len() >= acknowledged, "{fault:?}");
        // The fault may still lie ahead: then it ends the log, or is met by the allocator.
        let _ = fixture.sync.close();
    }
    storage.clear_faults();
    let visible = Fixture::new(&storage, route).entries();
    assert!(visible.len() >= acknowledged, "{fault:?}");
    let after = storage.freeze().power_cut_losing_all();
    assert_eq!(Fixture::new(&after, route).entries(), visible, "{fault:?}");
}
