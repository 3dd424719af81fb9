//! The store: opening it, and the changes to its set of topics.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pagelog_commit_log::{Busy, Entry, Log, LogFailure, LogOptions, Recovery, SyncSide};
use pagelog_record::{Epoch, Kind};
use pagelog_segment::Storage;
use uuid::Uuid;

use crate::answer::{Mark, Position};
use crate::checkpoint::State;
use crate::clock::now_ms;
use crate::configs::Configs;
use crate::core::Core;
use crate::error::{ProducerIdsExhausted, ReplayError};
use crate::groups::Groups;
use crate::kept::Kept;
use crate::producer_ids::ProducerIds;
use crate::replay::{FoundEntry, PARTITIONS_LIMIT, Replay};
use crate::topic_config::{ConfigValues, TopicConfig};
use crate::topics::Topics;

/// What a store is opened with.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The log's own options.
    pub log: LogOptions,
    /// The mark from which on an entry is not taken back: readers see what lies below it. [`Mark::Durable`] when every
    /// group of appends is synced, [`Mark::Written`] when syncs come at intervals.
    pub settles_at: Mark,
    /// Whether a record is acknowledged as soon as it is appended, whatever its writer asked for. The death of the process then
    /// takes acknowledged records that were staged and not written yet.
    pub acknowledges_appended: bool,
    /// A producer that has appended nothing to a partition for this long is forgotten there.
    pub producer_expiration: Duration,
    /// How many partitions all topics may have together; at most [`PARTITIONS_LIMIT`].
    pub partitions_max: u32,
    /// What a topic is kept with where neither it nor the broker's configuration says otherwise.
    pub topic_defaults: TopicConfig,
}

impl StoreOptions {
    /// With these options of the log: settled when durable, producers forgotten after a day, 100,000 partitions, everything kept.
    pub fn new(log: LogOptions) -> StoreOptions {
        StoreOptions {
            log,
            settles_at: Mark::Durable,
            acknowledges_appended: false,
            producer_expiration: Duration::from_secs(24 * 60 * 60),
            partitions_max: 100_000,
            topic_defaults: TopicConfig::default(),
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
    pub(crate) core: Arc<Core>,
    pub(crate) topics: ArcSwap<Topics>,
    /// Taken before any partition's lock.
    changes: Mutex<Changes>,
    producer_ids: ProducerIds,
    groups: Groups,
    pub(crate) partitions_max: u32,
    pub(crate) topic_defaults: TopicConfig,
}

/// What only changes to topics and configurations touch.
#[derive(Debug)]
pub(crate) struct Changes {
    pub(crate) streams_given: Kept<u32>,
    pub(crate) partition_count: u32,
    /// Where the entries lie that hold the topics.
    pub(crate) topics_at: HashMap<Uuid, Position>,
    pub(crate) configs: Configs,
    /// Of topics that set nothing themselves; they share it.
    pub(crate) plain_config: Arc<TopicConfig>,
}

impl Store {
    /// Opens the log in `storage` and rebuilds the state from its entries, those before a checkpoint excepted: what they amount to is told there.
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
        let mut state = State::new(now_ms(), producer_expiration_ms);
        let opened = Log::open_at_checkpoint(storage, options.log, &mut state)?;
        let mut replay = state.replay;
        let core = Arc::new(Core {
            log: opened.log,
            settles_at: options.settles_at,
            acknowledges_appended: options.acknowledges_appended,
            producer_expiration_ms,
            refuses_records: AtomicBool::new(false),
        });
        let groups = replay.take_groups();
        let (streams_given, topics_at) = (replay.streams_given(), replay.topics_at());
        let configs = replay.take_configs();
        let broker = configs.broker();
        let resolve = |values: &ConfigValues| {
            Arc::new(TopicConfig::resolve(
                &options.topic_defaults,
                &broker,
                values,
            ))
        };
        let plain_config = resolve(&ConfigValues::new());
        let topics = replay.into_topics(&core, |values| match values.is_empty() {
            true => Arc::clone(&plain_config),
            false => resolve(values),
        });
        let partition_count = topics
            .iter_unordered()
            .map(|topic| topic.partitions().len() as u32)
            .sum();
        let store = Store {
            producer_ids: ProducerIds::new(core.log.epoch()),
            groups: Groups::new(Arc::clone(&core), groups),
            core,
            topics: ArcSwap::from_pointee(topics),
            changes: Mutex::new(Changes {
                streams_given,
                partition_count,
                topics_at,
                configs,
                plain_config,
            }),
            partitions_max: options.partitions_max.min(PARTITIONS_LIMIT),
            topic_defaults: options.topic_defaults.clone(),
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

    /// The groups of consumers: how far they have come, and what their protocols keep.
    pub fn groups(&self) -> &Groups {
        &self.groups
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

    /// Whether a record is acknowledged as soon as it is appended; see [`StoreOptions::acknowledges_appended`].
    pub fn acknowledges_appended(&self) -> bool {
        self.core.acknowledges_appended
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

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// A panic under the lock leaves it whole: the table and the counts are changed after everything that can fail.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
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
