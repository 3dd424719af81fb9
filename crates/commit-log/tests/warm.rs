//! The mapped route over warmed segments: appenders meet no page that is not there, never wait for a file, and what was pinned
//! behind them is let go. Alone in its file, because what is locked in memory is counted for the whole process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pagelog_commit_log::{
    AppendError, Log, LogOptions, NewEntry, Opened, Route, StreamId, SyncSide, Warm,
};
use pagelog_os::process::{Process, Scope, usage};
use pagelog_page_cache::State;
use pagelog_segment::Directory;

const SEGMENT_SIZE: u64 = 8 << 20;
const PAYLOAD: [u8; 4000] = [7; 4000];
const LONG: Duration = Duration::from_secs(120);

const WHOLE: Warm = Warm {
    window: None,
    bytes_per_second: None,
    flush_every: None,
    pin_window: 0,
    pin_max: 0,
};

/// On a file system with a disk, where a first store into a page costs what it costs.
fn place() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn open(path: &Path, warm: Option<Warm>) -> (Arc<Log>, SyncSide) {
    let options = LogOptions {
        warm,
        ..LogOptions::new(SEGMENT_SIZE, Route::Mapped, 1 << 16)
    };
    let storage = Arc::new(Directory::open(path).unwrap());
    let Opened { log, sync, .. } = Log::open(storage, options, &mut |_| Ok(())).unwrap();
    (log, sync)
}

fn append(log: &Log) -> Result<(), AppendError> {
    let stream = log.stream(StreamId(1));
    let entry = NewEntry::record(&PAYLOAD);
    log.append(&stream, &entry).map(drop)
}

fn wait_until(what: &str, reached: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !reached() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

fn is_warm(log: &Log) -> bool {
    let all = log.warm_up();
    all.len() == 3 && all.iter().all(|one| one.state == State::Done)
}

/// The page faults of this thread while it appends through three segments, each of which is waited for before it is begun.
fn faults(log: &Log, warm: bool) -> u64 {
    let mut faults = 0;
    for _ in 0..3 {
        wait_until("two segments ready", || log.segments_ready() == 2);
        if warm {
            wait_until("all warm", || is_warm(log));
        }
        let before = usage(Scope::Thread).unwrap();
        for _ in 0..SEGMENT_SIZE / 4096 - 4 {
            append(log).unwrap();
        }
        let after = usage(Scope::Thread).unwrap();
        faults +=
            after.minor_faults + after.major_faults - before.minor_faults - before.major_faults;
    }
    faults
}

#[test]
fn appenders_meet_no_missing_page_and_wait_for_no_file() {
    let pages = 3 * SEGMENT_SIZE / 4096;
    let cold = {
        let place = place();
        let (log, _sync) = open(place.path(), None);
        faults(&log, false)
    };
    // The kernel may write a page back before the appender comes to it, and protects it for that: the least of some runs counts.
    let warm = (0..10)
        .map(|_| warm_faults())
        .find(|warm| *warm <= pages / 20);
    println!("{cold} faults cold, {warm:?} warm, of {pages} pages");
    assert!(
        cold >= pages / 2,
        "{cold} faults for {pages} pages: the test proves nothing"
    );
    // The index in memory grows, and so does the heap.
    assert!(
        warm.is_some(),
        "always more than a twentieth of {pages} warm pages is met with a fault"
    );
}

/// The page faults of an appender whose segments are warm. It waits for no file.
fn warm_faults() -> u64 {
    let place = place();
    let (log, _sync) = open(place.path(), Some(WHOLE));
    let faults = faults(&log, true);
    assert_eq!(log.waits_for_segments(), 0);
    faults
}

#[test]
fn what_is_pinned_is_let_go_behind_the_appender() {
    let place = place();
    // 64 KiB can be locked by any process.
    let warm = Warm {
        window: Some(1 << 20),
        pin_window: 32 << 10,
        pin_max: 64 << 10,
        ..WHOLE
    };
    let (log, mut sync) = open(place.path(), Some(warm));
    let locked = || Process::Own.memory().unwrap().locked;
    for _ in 0..3 {
        wait_until("two segments ready", || log.segments_ready() == 2);
        for _ in 0..SEGMENT_SIZE / 4096 - 4 {
            append(&log).unwrap();
        }
        sync.sync().unwrap();
        wait_until("something pinned", || locked() > 0);
        assert!(locked() <= 64 << 10, "{} bytes are locked", locked());
    }
    drop(sync);
    drop(log);
    assert_eq!(locked(), 0);
}
