//! A store over a real directory with segments so small that every test rolls them, and a flush thread that syncs it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pagelog_flush::{Flush, Policy};
use pagelog_segment::{Directory, ReadOnlyDirectory, Storage};
use pagelog_store::answer::{Context, Mark, Notify, Position};
use pagelog_store::{
    AppendError, Appended, Batch, LogOptions, Opened, Partition, Producer, ReadLimits, Recovery,
    Route, Store, StoreOptions, Topic, TopicName,
};
use tempfile::TempDir;

pub(crate) const SEGMENT_SIZE: u64 = 16 << 10;
pub(crate) const PAYLOAD_SIZE_MAX: u32 = 4 << 10;

/// A directory that outlives the stores that are opened in it.
pub(crate) struct Home {
    directory: TempDir,
    pub(crate) options: StoreOptions,
}

/// A store that is open and synced.
pub(crate) struct Running {
    pub(crate) store: Arc<Store>,
    pub(crate) recovery: Recovery,
    flush: Option<Flush>,
}

impl Home {
    pub(crate) fn new() -> Home {
        let log = LogOptions::new(
            SEGMENT_SIZE,
            Route::Staged {
                ring_size: 64 << 10,
            },
            PAYLOAD_SIZE_MAX,
        );
        Home {
            directory: tempfile::tempdir().expect("a temporary directory"),
            options: StoreOptions::new(log),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The directory for whoever only reads it.
    pub(crate) fn looked_at(&self) -> ReadOnlyDirectory {
        ReadOnlyDirectory::open(self.directory.path()).expect("it is there")
    }

    pub(crate) fn try_open(&self) -> Result<Opened, Box<dyn std::error::Error>> {
        let storage = Directory::open(self.directory.path())?;
        Ok(Store::open(Arc::new(storage), &self.options)?)
    }

    pub(crate) fn open(&self) -> Running {
        let storage = Directory::open(self.directory.path()).expect("nobody has it open");
        Running::open(Arc::new(storage), &self.options)
    }
}

impl Running {
    pub(crate) fn open(storage: Arc<dyn Storage>, options: &StoreOptions) -> Running {
        let Opened {
            store,
            sync,
            recovery,
        } = Store::open(storage, options).expect("the store opens");
        let flush = Flush::start(sync, Policy::Sync).expect("the flush thread starts");
        Running {
            store,
            recovery,
            flush: Some(flush),
        }
    }

    /// Stops the flush thread, which writes and syncs all there is.
    pub(crate) fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        if let Some(flush) = self.flush.take() {
            flush.stop().expect("a clean stop");
        }
    }

    pub(crate) fn create(&self, name: &str, partition_count: u32) -> Arc<Topic> {
        let name = TopicName::new(name).expect("a valid name");
        let topic = retry(
            &self.store,
            || self.store.create_topic(&name, partition_count),
            |error| error.busy(),
        )
        .expect("the topic is made");
        self.wait_settled(topic.created());
        topic
    }

    pub(crate) fn delete(&self, topic: &Topic) {
        let at = retry(
            &self.store,
            || self.store.delete_topic(topic.id()),
            |error| error.busy(),
        );
        self.wait_settled(at.expect("the topic is deleted"));
    }

    pub(crate) fn append(
        &self,
        partition: &Partition,
        new: &New<'_>,
    ) -> Result<Appended, AppendError> {
        let (head, body) = new.payload.split_at(new.payload.len().min(8));
        let batch = Batch {
            count: new.count,
            append_time_ms: pagelog_store::now_ms(),
            record_time_max_ms: new.time_ms,
            producer: new.producer,
            head,
            body,
            patch: |_, _| {},
        };
        retry(
            &self.store,
            || partition.append(&batch),
            |error| error.busy(),
        )
    }

    pub(crate) fn wait_settled(&self, at: Position) {
        let outcome = self
            .store
            .log()
            .durable()
            .wait(at, Some(Duration::from_secs(60)));
        assert_eq!(outcome, pagelog_commit_log::WaitOutcome::Reached);
    }
}

/// Tries again as long as only room is missing.
fn retry<T, E>(
    store: &Store,
    attempt: impl Fn() -> Result<T, E>,
    busy: impl Fn(&E) -> Option<pagelog_store::Busy>,
) -> Result<T, E> {
    loop {
        match attempt() {
            Err(error) => match busy(&error) {
                Some(busy) => store.wait_room(busy, Duration::from_secs(1)),
                None => return Err(error),
            },
            done => return done,
        }
    }
}

/// A batch of a test.
#[derive(Clone, Debug)]
pub(crate) struct New<'a> {
    pub(crate) count: u32,
    pub(crate) time_ms: i64,
    pub(crate) producer: Producer,
    pub(crate) payload: &'a [u8],
}

impl<'a> New<'a> {
    pub(crate) fn plain(payload: &'a [u8]) -> New<'a> {
        New {
            count: 1,
            time_ms: 0,
            producer: Producer::NONE,
            payload,
        }
    }

    pub(crate) fn numbered(payload: &'a [u8], id: i64, sequence: i32, count: u32) -> New<'a> {
        let producer = Producer {
            id,
            epoch: 0,
            sequence,
        };
        New {
            count,
            producer,
            ..New::plain(payload)
        }
    }
}

/// Everything, however large.
pub(crate) const ALL: ReadLimits = ReadLimits {
    size_max: u64::MAX,
    first_whole: true,
};

pub(crate) fn read(partition: &Partition, from: i64, limits: ReadLimits) -> Vec<u8> {
    let records = partition
        .read(pagelog_store::Offset(from), limits)
        .expect("readable");
    records.rope.read_all().expect("the files are there")
}

/// Remembers what it was told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<(u64, Mark, Position)>>);

impl Notify for Told {
    fn notify(&self, token: u64, mark: Mark, at: Position) {
        self.0
            .lock()
            .expect("no test panics with it")
            .push((token, mark, at));
    }
}

impl Told {
    pub(crate) fn take(&self) -> Vec<(u64, Mark, Position)> {
        std::mem::take(&mut self.0.lock().expect("no test panics with it"))
    }
}

pub(crate) fn context(notify: &Arc<dyn Notify>, token: u64) -> Context<'_> {
    Context {
        now: Instant::now(),
        notify,
        token,
    }
}
