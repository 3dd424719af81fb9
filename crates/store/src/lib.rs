//! Topics, partitions, offsets, producers and waiting readers over one commit log.
//!
//! What every protocol of this broker means, in no protocol's words. A topic is a set of partitions, a partition is a stream of the
//! log, and everything that is remembered of them can be built again from the log's entries: topics from control entries, what
//! producers sent and which epoch wrote what from the headers of the others.
//!
//! This crate never names a protocol and never touches a socket; [`answer`] is the vocabulary in which the two meet.
//!
//! ```
//! use std::sync::Arc;
//! use pagelog_store::{
//!     Batch, Directory, LogOptions, Offset, Opened, Producer, ReadLimits, Route, Store, StoreOptions, TopicName, now_ms,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let storage = Arc::new(Directory::open(directory.path())?);
//! let log = LogOptions::new(1 << 20, Route::Staged { ring_size: 1 << 20 }, 1 << 16);
//! let Opened { store, mut sync, .. } = Store::open(storage, &StoreOptions::new(log))?;
//!
//! let topic = store.create_topic(&TopicName::new("weather")?, 1)?;
//! let partition = &topic.partitions()[0];
//! let appended = partition.append(&Batch {
//!     count: 2,
//!     append_time_ms: now_ms(),
//!     record_time_max_ms: now_ms(),
//!     producer: Producer::NONE,
//!     head: &[],
//!     body: b"rain, then sun",
//!     patch: |_, _| {},
//! })?;
//!
//! // Nothing is seen that could be taken back.
//! assert_eq!(partition.high_watermark(), Offset(0));
//! sync.write()?;
//! sync.sync()?;
//! assert!(store.log().durable().get() >= appended.end);
//! assert_eq!(partition.high_watermark(), Offset(2));
//!
//! // Ranges of files, as they are sent.
//! let limits = ReadLimits { size_max: 1 << 20, first_whole: true };
//! let records = partition.read(Offset(0), limits)?;
//! assert_eq!(records.rope.read_all()?, b"rain, then sun");
//! # Ok(())
//! # }
//! ```

pub mod answer;
mod carry;
mod catalog;
mod checkpoint;
mod clock;
mod configs;
mod control;
mod core;
mod disk_watch;
mod epochs;
mod error;
mod groups;
mod housekeeping;
mod indexer;
mod kept;
mod landing;
mod partition;
mod partition_entries;
mod producer_ids;
mod producers;
mod reading;
mod replay;
mod retention;
mod shorten;
mod store;
mod topic_changes;
mod topic_config;
mod topic_name;
mod topics;
mod waiting;

pub use carry::Carried;
pub use catalog::{Catalog, Listed};
pub use clock::now_ms;
pub use configs::{ConfigKey, ConfigKind};
pub use control::ControlError;
pub use disk_watch::{DiskLimits, MeasureDisk};
pub use epochs::EpochEnd;
pub use error::{
    AppendError, ConfigureTopicError, CreateTopicError, DeleteRecordsError, DeleteTopicError,
    GrowTopicError, LogError, ProducerIdsExhausted, ReadError, ReplayError,
};
pub use groups::{
    Commit, GROUP_NAME_SIZE_MAX, GroupEntryError, GroupName, GroupNameError, Groups, Place,
};
pub use housekeeping::{Housekeeping, HousekeepingOptions};
pub use indexer::{FinishError, Indexer};
pub use kept::{Carrier, Keeper, Kept, Paused};
pub use landing::{Arrival, NotLanded};
pub use pagelog_commit_log::{
    Assigned, Body, Busy, Directory, LandingSize, Landings, LogOptions, NewEntry as Batch,
    Recovery, Route, SyncSide,
};
pub use pagelog_record::{Epoch, Offset, Producer, StreamId};
pub use partition::{Appended, Partition, StartMoved};
pub use producers::{KnownProducer, PRODUCERS_PER_PARTITION_MAX, SequenceError};
pub use reading::{FoundBatch, ReadLimits, Records, Watch};
pub use replay::PARTITIONS_LIMIT;
pub use shorten::{PassError, Passed};
pub use store::{Opened, Store, StoreOptions};
pub use topic_config::{Cleanup, ConfigValues, TimestampType, TopicConfig};
pub use topic_name::{TOPIC_NAME_SIZE_MAX, TopicName, TopicNameError};
pub use topics::{Topic, Topics};
pub use waiting::Waiter;
