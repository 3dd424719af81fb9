//! Topics, partitions, offsets, producers and waiting readers over one commit log.
//!
//! What every protocol of this broker means, in no protocol's words. A topic is a set of partitions, a partition is a stream of the
//! log, and everything that is remembered of them can be built again from the log's entries: topics from control entries, what
//! producers sent and which epoch wrote what from the headers of the others.
//!
//! This crate never names a protocol and never touches a socket; [`answer`] is the vocabulary in which the two meet.

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
    Assigned, Body, Busy, LandingSize, Landings, LogOptions, NewEntry as Batch, Recovery, Route,
    SyncSide,
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
