//! The opening of a store whose log's files were changed by hand: it opens, or says why not, and what it opened it opens again.
//!
//! The fuzzer does not know the log's secret, so besides raw bytes it can put sealed entries of its own where it likes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use pagelog_commit_log::{AppendError, Log, NewEntry, Position, Storage};
use pagelog_record::{Offset, Producer, SECRET_SIZE, Seed, StreamId};
use pagelog_segment::file_name;
use pagelog_store::{LogOptions, Opened, Route, Store, StoreOptions, SyncSide, TopicName};
use pagelog_testing::MemoryStorage;

use crate::entry;
use crate::input::Input;

const SEGMENT_SIZE: u64 = 8192;
const SEGMENTS: u64 = 3;
/// The file that holds the secret, and where in it (docs/format.md).
const META: &str = "log.meta";
const SECRET_AT: usize = 24;
/// Changes to one log; more make an input slower and not more telling.
const CHANGES_MAX: usize = 16;

/// Changes the files of a small log as `bytes` say, and opens it twice.
///
/// # Panics
/// When the second opening does not find what the first one left.
pub fn check(bytes: &[u8]) {
    let files = original();
    let storage = storage(files);
    let mut input = Input::new(bytes);
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        change(&storage, files, &mut input);
    }
    let Some(first) = open(&storage) else { return };
    let second = open(&storage).expect("what could be opened can be opened again");
    assert!(
        second >= first,
        "a log up to {first} became one up to {second}"
    );
}

pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The files of a log of two topics and some entries over three segments, with a checkpoint between them, made once.
pub(crate) fn original() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let storage = MemoryStorage::new(1);
        let opened = Store::open(Arc::new(storage.clone()), &options());
        let Opened { store, sync, .. } = opened.expect("nothing is wrong with an empty directory");
        let mut sync = sync;
        for (name, partitions) in [("first", 2), ("second", 1)] {
            let name = TopicName::new(name).expect("a good name");
            store
                .create_topic(&name, partitions)
                .expect("there is room");
        }
        for number in 0..40u32 {
            if number == 30 {
                checkpoint(&store, &mut sync);
            }
            let payload = vec![number as u8; number as usize * 20];
            append(store.log(), StreamId(1 + number % 3), &payload);
            if number % 3 == 0 {
                sync.write()
                    .and_then(|_| sync.sync())
                    .expect("memory takes it");
            }
        }
        sync.write()
            .and_then(|_| sync.sync())
            .expect("memory takes it");
        store.log().index_all().expect("memory takes it");
        let names = storage.list().expect("memory has names");
        let file = |name: String| (name.clone(), storage.content(&name));
        names.into_iter().map(file).collect()
    })
}

fn checkpoint(store: &Store, sync: &mut SyncSide) {
    sync.write()
        .and_then(|_| sync.sync())
        .expect("memory takes it");
    store.log().index_all().expect("memory takes it");
    let draft = store.take_checkpoint().expect("the first one");
    store
        .log()
        .write_checkpoint(draft)
        .expect("all of it is durable");
}

fn append(log: &Arc<Log>, stream: StreamId, payload: &[u8]) {
    let entry = NewEntry {
        count: 1,
        append_time_ms: 5,
        record_time_max_ms: 5,
        producer: Producer {
            id: 9,
            epoch: 0,
            sequence: payload.len() as i32,
        },
        head: &[],
        body: payload,
        patch: |_, _| {},
    };
    while let Err(error) = log.append(&log.stream(stream), &entry) {
        match error {
            AppendError::Busy(busy) => log.wait_room(busy, Duration::from_millis(1)),
            error => panic!("{error}"),
        };
    }
}

fn options() -> StoreOptions {
    StoreOptions::new(LogOptions::new(SEGMENT_SIZE, Route::Mapped, 2048))
}

pub(crate) fn storage(files: &Files) -> MemoryStorage {
    let storage = MemoryStorage::new(1);
    for (name, content) in files {
        storage
            .create(name, content.len() as u64)
            .expect("memory takes it");
        storage.overwrite(name, 0, content);
    }
    storage
}

fn change(storage: &MemoryStorage, files: &Files, input: &mut Input<'_>) {
    let kind = input.u8();
    let (name, content) = &files[usize::from(kind / 4) % files.len()];
    let at = u64::from(input.u16()) % content.len() as u64;
    let room = content.len() - at as usize;
    match kind % 4 {
        0 => {
            let size = usize::from(input.u8()).min(room);
            storage.overwrite(name, at, input.take(size));
        }
        1 => storage.truncate(name, at),
        2 => storage.overwrite(name, at, &vec![0; usize::from(input.u16()).min(room)]),
        _ => put_entry(storage, files, input),
    }
}

/// A sealed entry at its own position, or at another's.
fn put_entry(storage: &MemoryStorage, files: &Files, input: &mut Input<'_>) {
    let at = u64::from(input.u16()) * 8 % (SEGMENTS * SEGMENT_SIZE);
    let flags = input.u8();
    let mut header = entry::header(input);
    if flags & 1 == 0 {
        header.position = at;
    }
    if flags & 2 != 0 {
        header.durable = u64::from(input.u16());
    }
    // The last epochs can be opened once and not again, which is right and would end the check.
    header.epoch.0 %= 1 << 31;
    let size = usize::from(input.u8());
    let payload = input.take(size);
    if flags & 4 == 0 {
        header.payload_size = payload.len() as u32;
    }
    let covered = &payload[..payload.len().min(header.covered_size() as usize)];
    let sealed = seed(files).seal(&header, &[covered]);
    let (segment, within) = (at / SEGMENT_SIZE * SEGMENT_SIZE, at % SEGMENT_SIZE);
    let bytes = [&sealed[..], covered].concat();
    let room = (SEGMENT_SIZE - within) as usize;
    storage.overwrite(
        &file_name(Position(segment)),
        within,
        &bytes[..bytes.len().min(room)],
    );
}

fn seed(files: &Files) -> Seed {
    let meta = files.iter().find(|(name, _)| name == META);
    let (_, content) = meta.expect("the log has its secret in a file");
    let (secret, _) = content[SECRET_AT..]
        .split_first_chunk::<SECRET_SIZE>()
        .expect("it is whole");
    Seed::from_secret(secret)
}

/// Opens the store: where its log ends, or none when it is refused.
pub(crate) fn open(storage: &MemoryStorage) -> Option<u64> {
    let opened = Store::open(Arc::new(storage.clone()), &options());
    let opened = opened.ok()?;
    let log = opened.store.log();
    for stream in (0..8).map(|id| log.stream(StreamId(id))) {
        let until = log.durable().get();
        // Whatever the index says: an error, or places.
        let _ = log.read(&stream, Offset(0), until, u64::MAX, true);
        let _ = log.first_at_or_after(&stream, 5, until);
        let _ = log.with_time_max(&stream, until);
    }
    Some(opened.recovery.end.0)
}
