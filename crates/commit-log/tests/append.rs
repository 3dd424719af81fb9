//! Entries go in from many threads, over many segments, on both routes, and come back after every reopening.

use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Appended, Log, LogOptions, NewEntry, Offset, Opened, Payload, Producer, Route,
    StreamId, SyncSide,
};
use pagelog_segment::Directory;
use pagelog_testing::MemoryStorage;

const ROUTES: [Route; 2] = [
    Route::Staged {
        ring_size: 16 * 1024,
    },
    Route::Mapped,
];

fn open(path: &std::path::Path, route: Route) -> Opened {
    let options = LogOptions::new(8192, route, 2048);
    let storage = Arc::new(Directory::open(path).unwrap());
    Log::open(storage, options, &mut |_| Ok(())).unwrap()
}

fn append(log: &Log, stream: u32, body: &[u8]) -> Appended {
    let stream = log.stream(StreamId(stream));
    let entry = NewEntry {
        count: 1,
        append_time_ms: 0,
        record_time_max_ms: 0,
        producer: Producer::NONE,
        head: &[0; 8],
        body,
        patch: |assigned, head| head.copy_from_slice(&assigned.base_offset.0.to_be_bytes()),
    };
    loop {
        match log.append(&stream, &entry) {
            Err(AppendError::Busy(busy)) => log.wait_room(busy, Duration::from_secs(1)),
            other => return other.unwrap(),
        }
    }
}

fn bytes(payload: &Payload) -> Vec<u8> {
    let mut bytes = vec![0; payload.size as usize];
    pagelog_os::file::read_exact_at(payload.file.file(), payload.at, &mut bytes).unwrap();
    bytes
}

fn flush(sync: &mut SyncSide) {
    sync.write().unwrap();
    sync.sync().unwrap();
}

fn body(stream: u32, number: u32) -> Vec<u8> {
    let size = (stream * 131 + number * 17) % 1500;
    vec![(stream * 31 + number) as u8; size as usize]
}

fn check(log: &Log, streams: u32, count: u32) {
    for id in 1..=streams {
        let stream = log.stream(StreamId(id));
        let all = log.read(&stream, Offset(0), log.durable().get(), u64::MAX, true);
        let all = all.unwrap();
        assert_eq!(all.len(), count as usize, "stream {id}");
        for (number, payload) in all.iter().enumerate() {
            let mut expected = (number as i64).to_be_bytes().to_vec();
            expected.extend(body(id, number as u32));
            assert_eq!(bytes(payload), expected, "record {number} of stream {id}");
        }
    }
}

#[test]
fn what_many_threads_append_is_there_after_every_reopening() {
    for route in ROUTES {
        let directory = tempfile::tempdir().unwrap();
        let mut total = 0;
        for round in 0..3 {
            let Opened {
                log,
                sync,
                recovery,
            } = open(directory.path(), route);
            assert_eq!(recovery.clean, round > 0, "{route:?} {recovery:?}");
            check(&log, 4, total);
            let flush = pagelog_flush_loop(sync);
            std::thread::scope(|scope| {
                for stream in 1..=4 {
                    let log = &log;
                    scope.spawn(move || {
                        for number in total..total + 50 {
                            append(log, stream, &body(stream, number));
                        }
                    });
                }
            });
            total += 50;
            flush.join();
            check(&log, 4, total);
            assert!(matches!(
                log.append_control(&[16], 0),
                Err(AppendError::Closed)
            ));
        }
    }
}

/// A thread that writes and syncs until it is joined, then closes the log.
struct Flushing(
    Arc<std::sync::atomic::AtomicBool>,
    std::thread::JoinHandle<()>,
);

fn pagelog_flush_loop(mut sync: SyncSide) -> Flushing {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        while !stopping.load(SeqCst) {
            flush(&mut sync);
        }
        sync.close().unwrap();
    });
    Flushing(stop, thread)
}

impl Flushing {
    fn join(self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        self.1.join().unwrap();
    }
}

#[test]
fn what_was_only_staged_is_not_visible_and_is_gone_after_the_process() {
    let directory = tempfile::tempdir().unwrap();
    {
        let Opened { log, mut sync, .. } = open(directory.path(), ROUTES[0]);
        let kept = append(&log, 1, b"kept");
        flush(&mut sync);
        let staged = append(&log, 1, b"staged");
        assert!(log.durable().get() >= kept.end && log.written().get() < staged.end);
        let stream = log.stream(StreamId(1));
        let visible = log.read(&stream, Offset(0), log.durable().get(), u64::MAX, true);
        assert_eq!(visible.unwrap().len(), 1);
    }
    let Opened { log, recovery, .. } = open(directory.path(), ROUTES[0]);
    assert!(!recovery.clean);
    assert_eq!(log.stream(StreamId(1)).next_offset(), Offset(1));
}

#[test]
fn a_full_ring_is_busy_until_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { log, mut sync, .. } = open(directory.path(), ROUTES[0]);
    let stream = log.stream(StreamId(1));
    let entry = NewEntry::record(&[7; 1000]);
    let mut appended = 0;
    let busy = loop {
        match log.append(&stream, &entry) {
            Ok(_) => appended += 1,
            Err(AppendError::Busy(busy)) => break busy,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(appended > 3, "{busy} after {appended}");
    flush(&mut sync);
    while let Err(AppendError::Busy(busy)) = log.append(&stream, &entry) {
        log.wait_room(busy, Duration::from_secs(1));
        flush(&mut sync);
    }
    flush(&mut sync);
    assert_eq!(stream.next_offset(), Offset(appended + 1));
}

#[test]
fn the_size_of_a_payload_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { log, .. } = open(directory.path(), Route::Mapped);
    let entry = NewEntry {
        head: &[0; 1],
        ..NewEntry::record(&[0; 2048])
    };
    let refused = log.append(&log.stream(StreamId(1)), &entry);
    assert!(matches!(
        refused,
        Err(AppendError::TooLarge {
            size: 2049,
            max: 2048
        })
    ));
}

/// Else the kernel would read what it keeps of a page, in a file that was used before: from the disk, with everybody waiting.
#[test]
fn a_staged_write_covers_whole_pages_and_no_more() {
    const PAGE_SIZE: usize = 4096;
    const STALE: u8 = 0xa5;
    let storage = MemoryStorage::new(1);
    let options = LogOptions::new(4 * PAGE_SIZE as u64, ROUTES[0], 2048);
    let opened = Log::open(Arc::new(storage.clone()), options, &mut |_| Ok(()));
    let Opened { log, mut sync, .. } = opened.unwrap();
    let name = "00000000000000000000.log";
    let begun = log.written().get().0 as usize;
    storage.overwrite(name, begun as u64, &[STALE; 4 * PAGE_SIZE][begun..]);
    loop {
        append(&log, 1, &body(3, 5));
        let end = sync.write().unwrap().0 as usize;
        let content = storage.content(name);
        if end > content.len() {
            // The segment was filled to its last byte, and the next one begun.
            assert_eq!(content.len(), 4 * PAGE_SIZE);
            return;
        }
        let (padding, behind) = content[end..].split_at(end.next_multiple_of(PAGE_SIZE) - end);
        assert!(padding.iter().all(|byte| *byte == 0), "behind {end}");
        assert!(behind.iter().all(|byte| *byte == STALE), "behind {end}");
    }
}
