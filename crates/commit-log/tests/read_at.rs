//! Reading by position: what was appended is found where it was said to lie, and nothing else passes for an entry.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Appended, Carry, CarryError, Directory, Log, LogOptions, NewEntry, Opened,
    Payload, Position, Route, StreamId, SyncSide,
};

const ROUTES: [Route; 2] = [
    Route::Staged {
        ring_size: 16 * 1024,
    },
    Route::Mapped,
];

const SEGMENT_SIZE: u64 = 8192;

fn open(path: &Path, route: Route) -> Opened {
    let options = LogOptions::new(SEGMENT_SIZE, route, 4096);
    let storage = Arc::new(Directory::open(path).unwrap());
    Log::open(storage, options, &mut |_| Ok(())).unwrap()
}

fn append(log: &Log, sync: &mut SyncSide, stream: u32, body: &[u8]) -> Appended {
    loop {
        match log.append(&log.stream(StreamId(stream)), &NewEntry::record(body)) {
            Err(AppendError::Busy(busy)) => {
                flush(sync);
                log.wait_room(busy, Duration::from_millis(10));
            }
            other => return other.unwrap(),
        }
    }
}

fn flush(sync: &mut SyncSide) {
    sync.write().unwrap();
    sync.sync().unwrap();
}

fn bytes(payload: &Payload) -> Vec<u8> {
    let mut bytes = vec![0; payload.size as usize];
    let file = payload.file.file();
    file.read_exact_at(&mut bytes, payload.at).unwrap();
    bytes
}

fn body(number: u32) -> Vec<u8> {
    vec![number as u8; (number as usize * 37) % 3000]
}

#[test]
fn each_entry_is_found_where_it_was_appended_also_after_reopening() {
    for route in ROUTES {
        let directory = tempfile::tempdir().unwrap();
        let Opened { log, mut sync, .. } = open(directory.path(), route);
        let appended: Vec<Appended> = (0..50)
            .map(|number| append(&log, &mut sync, 1 + number % 3, &body(number)))
            .collect();
        flush(&mut sync);
        let check = |log: &Log| {
            for (appended, number) in appended.iter().zip(0..) {
                let found = log.entry_at(appended.position, log.durable().get());
                let (header, payload) = found.unwrap().unwrap();
                assert_eq!(bytes(&payload), body(number));
                assert_eq!(header.stream, StreamId(1 + number % 3));
                let place = (payload.position, payload.end, payload.base_offset);
                assert_eq!(
                    place,
                    (appended.position, appended.end, appended.base_offset)
                );
            }
        };
        check(&log);
        sync.close().unwrap();
        drop((log, sync));
        check(&open(directory.path(), route).log);
    }
}

#[test]
fn what_is_no_beginning_of_an_entry_or_above_the_mark_is_not_found() {
    for route in ROUTES {
        let directory = tempfile::tempdir().unwrap();
        let Opened { log, mut sync, .. } = open(directory.path(), route);
        let first = append(&log, &mut sync, 1, &body(40));
        let second = append(&log, &mut sync, 1, &body(41));
        let found = |position, until| log.entry_at(position, until).unwrap().is_some();
        assert!(!found(first.position, log.durable().get()));
        flush(&mut sync);
        let until = log.durable().get();
        for position in first.position.0 + 1..second.position.0 {
            assert!(!found(Position(position), until), "{position}");
        }
        assert!(found(second.position, second.end));
        assert!(!found(second.position, Position(second.end.0 - 1)));
        assert!(!found(second.position, first.end));
        for position in [
            until,
            Position(until.0 + 100 * SEGMENT_SIZE),
            Position(u64::MAX),
        ] {
            assert!(!found(position, Position(u64::MAX)), "{position}");
        }
    }
}

/// A payload may hold any bytes, those of a whole entry with the position at which they come to lie included.
#[test]
fn a_payload_that_imitates_an_entry_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { log, mut sync, .. } = open(directory.path(), Route::Mapped);
    let first = append(&log, &mut sync, 1, b"what is imitated");
    flush(&mut sync);
    let size = (first.end.0 - first.position.0) as usize;
    let mut entry = vec![0; size];
    let file = std::fs::File::open(directory.path().join("00000000000000000000.log")).unwrap();
    file.read_exact_at(&mut entry, first.position.0).unwrap();
    let inner = first.end.0 + 80;
    entry[16..24].copy_from_slice(&inner.to_le_bytes());
    let outer = append(&log, &mut sync, 1, &entry);
    assert_eq!(outer.position, first.end);
    flush(&mut sync);
    let until = log.durable().get();
    assert!(log.entry_at(Position(inner), until).unwrap().is_none());
    assert!(log.entry_at(outer.position, until).unwrap().is_some());
}

#[test]
fn an_entry_is_not_found_where_a_segment_has_left_but_where_it_was_carried_to() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { log, mut sync, .. } = open(directory.path(), Route::Mapped);
    let first = append(&log, &mut sync, 1, b"carried");
    while append(&log, &mut sync, 2, &[4; 1000]).position.0 < SEGMENT_SIZE {}
    flush(&mut sync);
    let front = log.front().unwrap();
    let mut carry = Carry::new(&log, front.end);
    loop {
        match carry.step(1000) {
            Ok(true) => break,
            Ok(false) => flush(&mut sync),
            Err(CarryError::Append(AppendError::Busy(busy))) => {
                flush(&mut sync);
                log.wait_room(busy, Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    flush(&mut sync);
    log.remove_front(&front).unwrap();

    let until = log.durable().get();
    assert!(log.entry_at(first.position, until).unwrap().is_none());
    let stream = log.stream(StreamId(1));
    let copies = log.read(&stream, first.base_offset, until, 1000, true);
    let position = copies.unwrap()[0].position;
    let (header, payload) = log.entry_at(position, until).unwrap().unwrap();
    assert_eq!(
        (header.moved, header.base_offset),
        (true, first.base_offset)
    );
    assert_eq!(bytes(&payload), b"carried");
}

#[test]
fn a_flipped_bit_is_not_found() {
    let directory = tempfile::tempdir().unwrap();
    let Opened { log, mut sync, .. } = open(directory.path(), Route::Mapped);
    let first = append(&log, &mut sync, 1, &[1; 100]);
    let second = append(&log, &mut sync, 1, &[2; 100]);
    let path = directory.path().join("00000000000000000000.log");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.write_all_at(&[3], second.position.0 + 80 + 99)
        .unwrap();
    let last = loop {
        let appended = append(&log, &mut sync, 1, &[4; 1000]);
        if appended.position.0 >= SEGMENT_SIZE {
            break appended;
        }
    };
    flush(&mut sync);
    let until = log.durable().get();
    let found = |position| log.entry_at(position, until).unwrap().is_some();
    assert!(found(first.position) && found(last.position));
    assert!(!found(second.position));
}
