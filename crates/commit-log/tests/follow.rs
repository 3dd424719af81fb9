//! Whoever follows a stream reads what there is, hears of what comes, and is never left waiting for what cannot come.

use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Carry, CarryError, Follower, Log, LogOptions, NewEntry, Offset, Opened, Route,
    Stream, StreamId, SyncSide, WaitOutcome,
};
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};

const ROUTES: [Route; 2] = [
    Route::Staged {
        ring_size: 8 * 1024,
    },
    Route::Mapped,
];

/// Far longer than anything here takes.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(60));
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

struct Followed {
    storage: MemoryStorage,
    log: Arc<Log>,
    sync: SyncSide,
    stream: Arc<Stream>,
}

fn followed(route: Route) -> Followed {
    let storage = MemoryStorage::new(1);
    let options = LogOptions::new(8192, route, 2048);
    let Opened { log, sync, .. } =
        Log::open(Arc::new(storage.clone()), options, &mut |_| Ok(())).unwrap();
    let stream = log.stream(StreamId(1));
    Followed {
        storage,
        log,
        sync,
        stream,
    }
}

impl Followed {
    fn append(&mut self, stream: u32, body: &[u8]) {
        let stream = self.log.stream(StreamId(stream));
        let entry = NewEntry::record(body);
        while let Err(error) = self.log.append(&stream, &entry) {
            self.room(error);
        }
    }

    /// Makes room as the flush thread would.
    fn room(&mut self, error: AppendError) {
        let AppendError::Busy(busy) = error else {
            panic!("{error}")
        };
        self.flush();
        self.log.wait_room(busy, Duration::from_millis(1));
    }

    fn flush(&mut self) {
        self.sync.write().unwrap();
        self.sync.sync().unwrap();
    }

    fn follower(&self) -> Follower {
        Follower::new(&self.log, &self.stream, self.log.durable(), Offset(0))
    }
}

/// Reads to the end that the follower sees; the offsets that it met.
fn drain(follower: &mut Follower) -> Vec<i64> {
    let mut offsets = Vec::new();
    while follower.wait(AT_ONCE) == WaitOutcome::Reached {
        let found = follower.read(4096).unwrap();
        assert!(!found.is_empty(), "there was said to be something");
        offsets.extend(found.iter().map(|payload| payload.base_offset.0));
    }
    offsets
}

#[test]
fn what_others_append_is_not_waited_for() {
    for route in ROUTES {
        let mut log = followed(route);
        let mut follower = log.follower();
        log.append(2, b"another stream");
        log.flush();
        assert_eq!(follower.wait(AT_ONCE), WaitOutcome::TimedOut);
        log.append(1, b"not durable");
        assert_eq!(follower.wait(AT_ONCE), WaitOutcome::TimedOut);
        log.flush();
        assert_eq!(follower.wait(AT_ONCE), WaitOutcome::Reached);
        assert_eq!(drain(&mut follower), [0]);
    }
}

#[test]
fn a_close_ends_a_wait_behind_what_can_be_read() {
    for route in ROUTES {
        let mut log = followed(route);
        log.append(1, b"the last one");
        let mut follower = log.follower();
        let thread = std::thread::spawn(move || {
            let first = follower.wait(PATIENCE);
            let read = drain(&mut follower);
            (first, read, follower.wait(None), follower.wait(AT_ONCE))
        });
        log.sync.close().unwrap();
        let closed = WaitOutcome::Closed;
        let seen = thread.join().unwrap();
        assert_eq!(seen, (WaitOutcome::Reached, vec![0], closed, closed));
    }
}

#[test]
fn a_failed_sync_ends_a_wait() {
    for route in ROUTES {
        let mut log = followed(route);
        log.append(1, b"never durable");
        log.storage
            .inject(Fault::once(Operation::Sync, 0, Errno::IO));
        let follower = log.follower();
        let thread = std::thread::spawn(move || follower.wait(None));
        log.sync.write().unwrap();
        log.sync.sync().unwrap_err();
        assert_eq!(thread.join().unwrap(), WaitOutcome::Failed);
    }
}

#[test]
fn what_was_deleted_is_passed_over_and_not_waited_for() {
    for route in ROUTES {
        let mut log = followed(route);
        for _ in 0..10 {
            log.append(1, &[7; 100]);
        }
        log.flush();
        let mut behind = log.follower();
        log.log.set_start(&log.stream, Offset(7));
        assert_eq!(drain(&mut behind), [7, 8, 9]);

        let mut emptied = log.follower();
        log.log.set_start(&log.stream, Offset(10));
        assert_eq!(emptied.wait(AT_ONCE), WaitOutcome::TimedOut);
        log.append(1, b"after");
        log.flush();
        assert_eq!(drain(&mut emptied), [10]);
    }
}

/// A slow reader is at offset 0 when all of the first segments is carried forward and they go.
#[test]
fn what_was_moved_is_read_once_and_in_order() {
    for route in ROUTES {
        let mut log = followed(route);
        for number in 0..40 {
            log.append(if number % 4 == 0 { 1 } else { 2 }, &[number; 700]);
        }
        log.flush();
        let other = log.log.stream(StreamId(2));
        log.log.set_start(&other, Offset(30));
        let mut follower = log.follower();
        let first = follower.read(1).unwrap();
        assert_eq!(first.len(), 1);

        for _ in 0..2 {
            let front = log.log.front().expect("there is more than one segment");
            let mut carry = Carry::new(&log.log, front.end);
            loop {
                match carry.step(1_000) {
                    Ok(true) => break,
                    Ok(false) => log.flush(),
                    Err(CarryError::Append(error)) => log.room(error),
                    Err(error) => panic!("{error}"),
                }
            }
            log.flush();
            log.log.remove_front(&front).unwrap();
        }
        let front = log.log.front().expect("some are left");
        assert!(first[0].position < front.start, "its segment has gone");
        assert_eq!(drain(&mut follower), (1..10).collect::<Vec<_>>());
    }
}
