//! What a flush thread does for its policy, and what it leaves undone until then.

use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Appended, Log, LogOptions, NewEntry, Opened, Route, StreamId, SyncSide,
    WaitOutcome,
};
use pagelog_flush::{Flush, Interval, Policy};
use pagelog_testing::MemoryStorage;

const ROUTES: [Route; 2] = [
    Route::Staged {
        ring_size: 128 * 1024,
    },
    Route::Mapped,
];
const PAGE_SIZE: usize = 4096;

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);
/// Far longer than anything here takes that is to come.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));

/// Nothing is due before the stop.
const AT_STOP: Interval = Interval {
    interval: NEVER,
    pages_least: u32::MAX,
    thorough: NEVER,
    write_interval: NEVER,
    write_pages_least: u32::MAX,
};

fn open(route: Route) -> (Arc<Log>, SyncSide) {
    let options = LogOptions::new(1 << 20, route, 32 * 1024);
    let storage = Arc::new(MemoryStorage::new(1));
    let Opened { log, sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    (log, sync)
}

fn append(log: &Log, body: &[u8]) -> Appended {
    let entry = NewEntry::record(body);
    let stream = log.stream(StreamId(1));
    loop {
        match log.append(&stream, &entry) {
            Err(AppendError::Busy(busy)) => log.wait_room(busy, Duration::from_secs(1)),
            other => return other.unwrap(),
        }
    }
}

#[test]
fn one_sync_serves_everyone_who_waits_when_it_starts() {
    for route in ROUTES {
        let (log, sync) = open(route);
        let opening = sync.counters().syncs;
        let ends: Vec<_> = (0..64).map(|_| append(&log, b"together").end).collect();
        let flush = Flush::start(sync, Policy::Sync).unwrap();
        let outcome = log.durable().wait(ends[63], PATIENCE);
        assert_eq!(outcome, WaitOutcome::Reached);
        let report = flush.stop().unwrap();
        // Theirs, and that of the entry which says that the log was closed.
        assert_eq!(report.counters.syncs - opening, 2, "{route:?}");
    }
}

#[test]
fn nothing_is_synced_for_nobody() {
    for route in ROUTES {
        let (log, sync) = open(route);
        let opening = sync.counters().syncs;
        let flush = Flush::start(sync, Policy::Sync).unwrap();
        for _ in 0..20 {
            let outcome = log.durable().wait(append(&log, b"alone").end, PATIENCE);
            assert_eq!(outcome, WaitOutcome::Reached);
            // The thread goes to sleep or looks about: whatever it does, it has nobody to sync for.
            std::thread::yield_now();
        }
        let report = flush.stop().unwrap();
        assert_eq!(report.counters.syncs - opening, 21, "{route:?}");
    }
}

#[test]
fn a_wait_can_end_before_the_sync_does() {
    for route in ROUTES {
        let (log, sync) = open(route);
        let opening = sync.counters().syncs;
        let flush = Flush::start(sync, Policy::Interval(AT_STOP)).unwrap();
        let end = append(&log, b"waits").end;
        let outcome = log.durable().wait(end, Some(Duration::from_millis(1)));
        assert_eq!(outcome, WaitOutcome::TimedOut);
        let report = flush.stop().unwrap();
        assert!(report.durable > end, "a stop syncs everything");
        assert_eq!(log.durable().wait(end, None), WaitOutcome::Reached);
        // What waited, and the entry which says that the log was closed.
        assert_eq!(report.counters.syncs - opening, 2, "{route:?}");
    }
}

/// Each of the two reasons to sync before the stop is enough without the other.
#[test]
fn enough_pages_or_enough_time_are_synced_at_a_look() {
    let often = Duration::from_millis(1);
    let pages = Interval {
        interval: often,
        pages_least: 2,
        write_interval: often,
        ..AT_STOP
    };
    let time = Interval {
        interval: often,
        thorough: often,
        write_interval: often,
        ..AT_STOP
    };
    for route in ROUTES {
        for (policy, size) in [(pages, 2 * PAGE_SIZE), (time, 1)] {
            let (log, sync) = open(route);
            let flush = Flush::start(sync, Policy::Interval(policy)).unwrap();
            let end = append(&log, &vec![1; size]).end;
            let outcome = log.durable().wait(end, PATIENCE);
            assert_eq!(outcome, WaitOutcome::Reached, "{route:?} {policy:?}");
            flush.stop().unwrap();
        }
    }
}

#[test]
fn enough_staged_pages_are_written_before_their_time() {
    let policy = Interval {
        write_pages_least: 4,
        ..AT_STOP
    };
    let (log, sync) = open(ROUTES[0]);
    let flush = Flush::start(sync, Policy::Interval(policy)).unwrap();
    let end = append(&log, &[1; 4 * PAGE_SIZE]).end;
    assert_eq!(log.written().wait(end, PATIENCE), WaitOutcome::Reached);
    assert!(log.durable().get() < end, "written is not synced");
    flush.stop().unwrap();
}

#[test]
fn what_is_staged_is_written_when_it_is_time() {
    let policy = Interval {
        write_interval: Duration::from_millis(1),
        ..AT_STOP
    };
    let (log, sync) = open(ROUTES[0]);
    let flush = Flush::start(sync, Policy::Interval(policy)).unwrap();
    let end = append(&log, b"one").end;
    assert_eq!(log.written().wait(end, PATIENCE), WaitOutcome::Reached);
    assert!(log.durable().get() < end, "written is not synced");
    flush.stop().unwrap();
}
