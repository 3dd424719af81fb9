//! The store: opening it, and the changes to its set of topics.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pagelog_commit_log::{
    Appended as InLog, Busy, Entry, Log, LogFailure, LogOptions, Recovery, SyncSide,
};
use pagelog_record::{Epoch, Kind, StreamId};
use pagelog_segment::Storage;
use uuid::Uuid;

use crate::answer::{Mark, Position};
use crate::clock::now_ms;
use crate::control::ControlEntry;
use crate::core::Core;
use crate::error::{
    CreateTopicError, DeleteTopicError, LogError, ProducerIdsExhausted, ReplayError,
};
use crate::kept::{Carrier, Keeper, Kept, Paused};
use crate::partition::{Partition, Past};
use crate::producer_ids::ProducerIds;
use crate::replay::{FoundEntry, PARTITIONS_LIMIT, Replay};
use crate::topic_name::TopicName;
use crate::topics::{Topic, Topics};

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The log's own options.
    pub log: LogOptions,
    /// The mark from which on an entry is not taken back: readers see what lies below it. [`Mark::Durable`] when every
    /// group of appends is synced, [`Mark::Written`] when syncs come at intervals.
    pub settles_at: Mark,
    /// A producer that has appended nothing to a partition for this long is forgotten there.
    pub producer_expiration: Duration,
    /// How many partitions all topics may have together; at most [`PARTITIONS_LIMIT`].
    pub partitions_max: u32,
}

impl StoreOptions {
    /// With these options of the log: settled when durable, producers forgotten after a day, 100,000 partitions.
    pub fn new(log: LogOptions) -> StoreOptions {
        StoreOptions {
            log,
            settles_at: Mark::Durable,
            producer_expiration: Duration::from_secs(24 * 60 * 60),
            partitions_max: 100_000,
        }
    }
}

/// A store that has been opened, and what came with it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Arc<Store>,
    /// The side of the log that writes and syncs; without someone who takes it, nothing is ever settled.
    pub sync: SyncSide,
    /// What opening found.
    pub recovery: Recovery,
}

/// Topics, partitions and producers over one log.
#[derive(Debug)]
pub struct Store {
    core: Arc<Core>,
    topics: ArcSwap<Topics>,
    /// Taken before any partition's lock.
    changes: Mutex<Changes>,
    producer_ids: ProducerIds,
    partitions_max: u32,
}

/// What only changes to the set of topics touch.
#[derive(Debug)]
struct Changes {
    streams_given: Kept<u32>,
    partition_count: u32,
    /// Where the entries lie that hold the topics.
    topics_at: HashMap<Uuid, Position>,
}

impl Store {
    /// Opens the log in `storage` and rebuilds the state from its entries.
    ///
    /// # Errors
    ///
    /// When the log cannot be opened, or holds a control entry that this version does not understand.
    pub fn open(
        storage: Arc<dyn Storage>,
        options: &StoreOptions,
    ) -> Result<Opened, pagelog_commit_log::OpenError> {
        let producer_expiration_ms =
            i64::try_from(options.producer_expiration.as_millis()).unwrap_or(i64::MAX);
        let mut replay = Replay::new(now_ms(), producer_expiration_ms);
        let opened = Log::open(storage, options.log, &mut |entry| {
            Ok(take_up(&mut replay, entry)?)
        })?;
        let core = Arc::new(Core {
            log: opened.log,
            settles_at: options.settles_at,
            producer_expiration_ms,
        });
        let (streams_given, topics_at) = (replay.streams_given(), replay.topics_at());
        let topics = replay.into_topics(&core);
        let partition_count = topics
            .iter()
            .map(|topic| topic.partitions().len() as u32)
            .sum();
        let store = Store {
            producer_ids: ProducerIds::new(core.log.epoch()),
            core,
            topics: ArcSwap::from_pointee(topics),
            changes: Mutex::new(Changes {
                streams_given,
                partition_count,
                topics_at,
            }),
            partitions_max: options.partitions_max.min(PARTITIONS_LIMIT),
        };
        Ok(Opened {
            store: Arc::new(store),
            sync: opened.sync,
            recovery: opened.recovery,
        })
    }

    /// The topics at this moment; without a lock.
    pub fn topics(&self) -> Arc<Topics> {
        self.topics.load_full()
    }

    /// Makes a topic. It can be used at once, and stays when [`Topic::created`] is settled: answer nobody before.
    ///
    /// # Errors
    ///
    /// See [`CreateTopicError`]; nothing has changed.
    pub fn create_topic(
        &self,
        name: &TopicName,
        partition_count: u32,
    ) -> Result<Arc<Topic>, CreateTopicError> {
        let mut changes = self.lock();
        self.check_new_topic(name, partition_count, &changes)?;
        let first_stream = changes.streams_given.value;
        let next_stream = first_stream
            .checked_add(partition_count)
            .ok_or(CreateTopicError::StreamsExhausted)?;
        let id = Uuid::new_v4();
        let created = self.append_control(&ControlEntry::TopicCreated {
            id,
            name: name.clone(),
            first_stream: StreamId(first_stream),
            partition_count,
        })?;
        changes.streams_given = Kept {
            value: next_stream,
            at: created.position,
        };
        changes.topics_at.insert(id, created.position);
        changes.partition_count += partition_count;
        let topic = Arc::new(Topic {
            id,
            name: name.clone(),
            partitions: (first_stream..next_stream)
                .map(|stream| self.new_partition(stream))
                .collect(),
            created: created.end,
        });
        self.change(|topics| topics.insert(Arc::clone(&topic)));
        Ok(topic)
    }

    /// Whether [`Store::create_topic`] would be refused for its arguments; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Store::create_topic`], but for those of the log.
    pub fn check_topic(
        &self,
        name: &TopicName,
        partition_count: u32,
    ) -> Result<(), CreateTopicError> {
        self.check_new_topic(name, partition_count, &self.lock())
    }

    fn check_new_topic(
        &self,
        name: &TopicName,
        partition_count: u32,
        changes: &Changes,
    ) -> Result<(), CreateTopicError> {
        if partition_count == 0 {
            return Err(CreateTopicError::NoPartitions);
        }
        if self.topics.load().by_name(name.as_str()).is_some() {
            return Err(CreateTopicError::Exists { name: name.clone() });
        }
        let held = changes.partition_count;
        if partition_count > self.partitions_max.saturating_sub(held) {
            return Err(CreateTopicError::TooManyPartitions {
                asked: partition_count,
                held,
                max: self.partitions_max,
            });
        }
        Ok(())
    }

    fn new_partition(&self, stream: u32) -> Arc<Partition> {
        let core = Arc::clone(&self.core);
        let stream = core.log.stream(StreamId(stream));
        Arc::new(Partition::new(core, stream, Past::default()))
    }

    /// Deletes a topic: its partitions take nothing more and give nothing more. Answer when the position returned is settled.
    ///
    /// # Errors
    ///
    /// See [`DeleteTopicError`]; nothing has changed.
    pub fn delete_topic(&self, id: Uuid) -> Result<Position, DeleteTopicError> {
        let mut changes = self.lock();
        let Some(topic) = self.topics.load().by_id(id).cloned() else {
            return Err(DeleteTopicError::Unknown { id });
        };
        let deleted = self.append_control(&ControlEntry::TopicDeleted { id })?;
        changes.topics_at.remove(&id);
        changes.partition_count -= topic.partitions().len() as u32;
        self.change(|topics| {
            topics.remove(id);
        });
        for partition in topic.partitions() {
            partition.mark_deleted();
            self.core.log.forget(partition.stream());
        }
        Ok(deleted.end)
    }

    /// The changes' lock is held, so nobody else replaces the table.
    fn change(&self, change: impl FnOnce(&mut Topics)) {
        let mut topics = Topics::clone(&self.topics.load());
        change(&mut topics);
        self.topics.store(Arc::new(topics));
    }

    fn append_control(&self, entry: &ControlEntry) -> Result<InLog, LogError> {
        Ok(self.core.log.append_control(&entry.encode(), now_ms())?)
    }

    /// A producer id that was never given before in the life of the log, and never will be again.
    ///
    /// # Errors
    ///
    /// When this opening has given all it may (more than four thousand million).
    pub fn new_producer_id(&self) -> Result<i64, ProducerIdsExhausted> {
        self.producer_ids.give()
    }

    /// The log's identity: made once, kept for its life.
    pub fn log_id(&self) -> [u8; 16] {
        self.core.log.id()
    }

    /// The epoch of this opening, which is every partition's leader epoch.
    pub fn epoch(&self) -> Epoch {
        self.core.log.epoch()
    }

    /// The mark from which on an entry is not taken back, and topics stay.
    pub fn settles_at(&self) -> Mark {
        self.core.settles_at
    }

    /// Whether `mark` has reached `at`.
    pub fn has_reached(&self, mark: Mark, at: Position) -> bool {
        self.core.mark(mark).get() >= at
    }

    /// The log's failure, after which nothing more is written.
    pub fn failure(&self) -> Option<Arc<LogFailure>> {
        self.core.log.failure()
    }

    /// The log underneath: its marks, its counters.
    pub fn log(&self) -> &Arc<Log> {
        &self.core.log
    }

    /// Blocks until what an append was refused for may be there, for at most `timeout`. For threads that may wait.
    pub fn wait_room(&self, busy: Busy, timeout: Duration) {
        self.core.log.wait_room(busy, timeout);
    }

    /// A panic under the lock leaves it whole: the table and the counts are changed after everything that can fail.
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The topics, and how many streams have been given.
impl Keeper for Store {
    fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        let mut changes = self.lock();
        let topics = self.topics.load();
        for (id, at) in &mut changes.topics_at {
            if let (true, Some(topic)) = (*at < carrier.until(), topics.by_id(*id)) {
                *at = carrier.append(&topic.created_entry().encode())?;
            }
        }
        carrier.carry(&mut changes.streams_given, |next| {
            ControlEntry::StreamsGiven { next: *next }.encode()
        })
    }
}

pub(crate) fn take_up(replay: &mut Replay, entry: &Entry<'_>) -> Result<(), ReplayError> {
    let header = entry.header;
    let end = Position(header.position + header.entry_size());
    match header.kind {
        Kind::Filler => Ok(()),
        Kind::Control => {
            let found = FoundEntry {
                at: Position(header.position),
                end,
                moved: header.moved,
            };
            replay.control(entry.control.unwrap_or_default(), found)
        }
        Kind::Data => {
            replay.data(header, end);
            Ok(())
        }
    }
}
