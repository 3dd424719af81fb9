//! A small log in faulty storage, driven by one thread: nothing is written or synced that a test does not ask for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pagelog_commit_log::{
    AppendError, Appended, Derived, Draft, Entry, Header, IndexWork, Kind, Log, LogOptions,
    NewEntry, Offset, OpenError, Opened, Position, ReadError, Recovery, Route, Stream, StreamId,
    SyncSide,
};
use pagelog_segment::Storage;
use pagelog_testing::{MemoryStorage, Random};

pub(crate) const STAGED: Route = Route::Staged {
    ring_size: 8 * 1024,
};
pub(crate) const ROUTES: [Route; 2] = [STAGED, Route::Mapped];
pub(crate) const SEGMENT_SIZE: u64 = 8192;
pub(crate) const FIRST_SEGMENT: &str = "00000000000000000000.log";

const STREAMS: u32 = 3;

/// A log that is open, and what its opening met.
pub(crate) struct Fixture {
    pub(crate) log: Arc<Log>,
    pub(crate) sync: SyncSide,
    pub(crate) recovery: Recovery,
    /// All headers that replay gave, the log's own included.
    pub(crate) headers: Vec<Header>,
    /// What the log's owner derives of it.
    pub(crate) owned: Owned,
}

/// The entries of streams that were appended and not moved, by position: stream and offset. To take one twice changes nothing.
pub(crate) type Owned = BTreeMap<u64, (u32, i64)>;

/// Whoever derives something from the entries of a log.
struct Owner<'a> {
    owned: Owned,
    headers: Vec<Header>,
    met: &'a mut dyn FnMut(&Header),
}

type Refusal = Box<dyn std::error::Error + Send + Sync>;

impl Derived for Owner<'_> {
    fn restore(&mut self, told: &[u8]) -> Result<(), Refusal> {
        let (entries, rest) = told.as_chunks::<20>();
        if !rest.is_empty() {
            return Err("it was told something else".into());
        }
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let entry = |bytes: &[u8; 20]| {
            let stream = u32::from_le_bytes(bytes[8..12].try_into().unwrap());
            (number(&bytes[..8]), (stream, number(&bytes[12..]) as i64))
        };
        self.owned = entries.iter().map(entry).collect();
        Ok(())
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), Refusal> {
        let header = entry.header;
        self.headers.push(*header);
        (self.met)(header);
        if header.kind == Kind::Data && !header.moved {
            let entry = (header.stream.0, header.base_offset.0);
            self.owned.insert(header.position, entry);
        }
        Ok(())
    }
}

fn tell(owned: &Owned) -> Vec<u8> {
    let entry = |(position, (stream, offset)): (&u64, &(u32, i64))| {
        [
            &position.to_le_bytes()[..],
            &stream.to_le_bytes(),
            &offset.to_le_bytes(),
        ]
        .concat()
    };
    owned.iter().flat_map(entry).collect()
}

/// An entry as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) end: u64,
    pub(crate) stream: u32,
    pub(crate) base_offset: i64,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn open(storage: &MemoryStorage, route: Route) -> Result<Fixture, OpenError> {
    open_with(storage, route, &mut |_| {})
}

/// Opens the log, and tells `met` of every entry at the moment when it is replayed.
pub(crate) fn open_with(
    storage: &MemoryStorage,
    route: Route,
    met: &mut dyn FnMut(&Header),
) -> Result<Fixture, OpenError> {
    let options = LogOptions {
        // Wherever segments are removed, their files come back with what they held.
        spares_max: 2,
        ..LogOptions::new(SEGMENT_SIZE, route, 2048)
    };
    let mut owner = Owner {
        owned: Owned::new(),
        headers: Vec::new(),
        met,
    };
    let opened = Log::open_at_checkpoint(Arc::new(storage.clone()), options, &mut owner)?;
    let Opened {
        log,
        sync,
        recovery,
    } = opened;
    log.set_index_memory(INDEX_MEMORY);
    Ok(Fixture {
        log,
        sync,
        recovery,
        headers: owner.headers,
        owned: owner.owned,
    })
}

impl Fixture {
    pub(crate) fn new(storage: &MemoryStorage, route: Route) -> Fixture {
        open(storage, route).expect("nothing is wrong with it")
    }

    /// Appends one record; see [`Fixture::append_entry`].
    pub(crate) fn append(&mut self, stream: u32, payload: &[u8]) -> Appended {
        self.append_entry(stream, &one_record(payload))
    }

    /// Appends, writing when the ring is full and waiting when a segment is not ready.
    pub(crate) fn append_entry(&mut self, stream: u32, entry: &NewEntry<'_>) -> Appended {
        let stream = self.log.stream(StreamId(stream));
        loop {
            match self.log.append(&stream, entry) {
                Err(AppendError::Busy(busy)) => {
                    self.sync.write().expect("writes succeed");
                    self.log.wait_room(busy, Duration::from_millis(1));
                }
                other => {
                    let appended = other.expect("the log takes entries");
                    self.own(&stream, &appended);
                    return appended;
                }
            }
        }
    }

    /// Has the log's owner know of an entry.
    pub(crate) fn own(&mut self, stream: &Stream, appended: &Appended) {
        let entry = (stream.id().0, appended.base_offset.0);
        self.owned.insert(appended.position.0, entry);
    }

    /// Takes a checkpoint as far as indexes tell of the log, if that is further than the last one.
    pub(crate) fn take_checkpoint(&self) -> Option<Draft> {
        self.log.take_checkpoint(|| tell(&self.owned))
    }

    /// Indexes all that is durable, and writes a checkpoint of it.
    pub(crate) fn checkpoint(&self) -> Position {
        self.log.index_all().expect("files are written");
        let draft = self.take_checkpoint().expect("there is something new");
        self.log
            .write_checkpoint(draft)
            .expect("all of it is durable")
    }

    pub(crate) fn try_append(&self, stream: u32, payload: &[u8]) -> Result<Appended, AppendError> {
        self.log
            .append(&self.log.stream(StreamId(stream)), &one_record(payload))
    }

    pub(crate) fn flush(&mut self) {
        self.sync.write().expect("writes succeed");
        self.sync.sync().expect("syncs succeed");
    }

    /// Everything that is durable, in the log's order.
    pub(crate) fn entries(&self) -> Vec<Found> {
        let mut found: Vec<_> = (1..=STREAMS)
            .flat_map(|stream| self.stream(stream))
            .collect();
        found.sort();
        found
    }

    fn stream(&self, id: u32) -> Vec<Found> {
        let stream = self.log.stream(StreamId(id));
        let until = self.log.durable().get();
        let read = |log: &Log| log.read(&stream, Offset(0), until, u64::MAX, true);
        let payloads = retry(&self.log, read);
        let found = payloads.into_iter().map(|entry| {
            let mut payload = vec![0; entry.size as usize];
            let read = pagelog_os::file::read_exact_at(entry.file.file(), entry.at, &mut payload);
            read.expect("the file is as long as it was");
            Found {
                end: entry.end.0,
                stream: id,
                base_offset: entry.base_offset.0,
                payload,
            }
        });
        found.collect()
    }
}

/// So little that a few entries have to go into a file.
const INDEX_MEMORY: usize = 1500;

/// Of what tells where entries lie, some is gone and some is not as it was.
pub(crate) fn spoil(storage: &MemoryStorage, seed: u64) {
    let mut random = Random::new(seed);
    for name in storage.list().unwrap() {
        let derived = name.ends_with(".index") || name.ends_with(".checkpoint");
        if !derived || random.one_in(2) {
            continue;
        }
        let content = storage.content(&name);
        match random.below(3) {
            1 if !content.is_empty() => {
                let at = random.below(content.len());
                storage.overwrite(&name, at as u64, &[content[at] ^ 1]);
            }
            2 if !content.is_empty() => {
                storage.truncate(&name, random.below(content.len()) as u64);
            }
            _ => storage.remove(&name).unwrap(),
        }
    }
}

/// Looks something up; if a damaged index is in the way, again when it has been built again.
pub(crate) fn retry<T>(log: &Log, look_up: impl Fn(&Log) -> Result<T, ReadError>) -> T {
    loop {
        match look_up(log) {
            Ok(found) => return found,
            Err(_) => index_again(log),
        }
    }
}

/// Builds again the index that a look-up could not use.
pub(crate) fn index_again(log: &Log) {
    assert!(matches!(log.index_next(), Ok(IndexWork::Rebuilt(_))));
}

fn one_record(payload: &[u8]) -> NewEntry<'_> {
    NewEntry {
        record_time_max_ms: 0,
        ..NewEntry::record(payload)
    }
}

/// A payload that differs from every other one.
pub(crate) fn payload(number: usize) -> Vec<u8> {
    let size = 8 + number * 37 % 600;
    let mut payload = vec![number as u8; size];
    payload[..8].copy_from_slice(&(number as u64).to_be_bytes());
    payload
}

/// Appends `count` entries, synced in groups of `group`.
pub(crate) fn fill(fixture: &mut Fixture, count: usize, group: usize) {
    for number in 0..count {
        fixture.append(1 + number as u32 % STREAMS, &payload(number));
        if number % group == group - 1 {
            fixture.flush();
        }
    }
    fixture.flush();
}
