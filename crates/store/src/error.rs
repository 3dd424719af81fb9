//! What can go wrong, one enum per activity.

use std::io;
use std::sync::Arc;

use pagelog_commit_log::{Busy, LogFailure};
use pagelog_record::Offset;
use uuid::Uuid;

use crate::control::ControlError;
use crate::groups::GroupEntryError;
use crate::producers::SequenceError;
use crate::topic_name::TopicName;

/// Why a batch was not appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The topic has been deleted.
    #[error("the topic has been deleted")]
    Deleted,
    /// The disk is past the limit up to which records are taken; see [`crate::DiskLimits`].
    #[error("the disk is too full for more records")]
    DiskFull,
    /// The producer's numbering forbids it.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The log did not take it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why the log did not take an entry.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// There is no room at this moment: wait with [`crate::Store::wait_room`] on a thread that may block, and try again.
    #[error("the log has no room yet: {0}")]
    Busy(Busy),
    /// The payload is larger than any the log takes.
    #[error("a payload of {size} bytes is larger than {max}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The largest that is taken.
        max: u32,
    },
    /// The disk has no room for the next segment; it is tried again by itself.
    #[error("no room for the next segment: {0}")]
    NoSpace(Arc<io::Error>),
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
    /// The log has failed for good; the process has to be started again.
    #[error(transparent)]
    Failed(Arc<LogFailure>),
}

impl From<pagelog_commit_log::AppendError> for LogError {
    fn from(error: pagelog_commit_log::AppendError) -> LogError {
        use pagelog_commit_log::AppendError as Log;
        match error {
            Log::Busy(what) => LogError::Busy(what),
            Log::TooLarge { size, max } => LogError::TooLarge { size, max },
            Log::NoSpace(source) => LogError::NoSpace(source),
            Log::Closed => LogError::Closed,
            Log::Failed(failure) => LogError::Failed(failure),
        }
    }
}

impl From<pagelog_commit_log::AppendError> for AppendError {
    fn from(error: pagelog_commit_log::AppendError) -> AppendError {
        AppendError::Log(error.into())
    }
}

/// Why records were not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// The topic has been deleted.
    #[error("the topic has been deleted")]
    Deleted,
    /// There is no such offset, or not yet for readers.
    #[error("offset {offset} is not in 0 ..= {end}")]
    OutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The offset behind the last one that can be read.
        end: Offset,
    },
    /// The log did not take the entry.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl DeleteRecordsError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            DeleteRecordsError::Log(error) => error.busy(),
            _ => None,
        }
    }
}

/// Why nothing can be read at an offset.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The topic has been deleted.
    #[error("the topic has been deleted")]
    Deleted,
    /// There is no such offset, or not yet for readers.
    #[error("offset {offset} is not in {start} ..= {end}")]
    OutOfRange {
        /// The offset asked for.
        offset: Offset,
        /// The first that can be read.
        start: Offset,
        /// The offset behind the last one that can be read.
        end: Offset,
    },
    /// It cannot be found out for now where it lies.
    #[error(transparent)]
    LookUp(#[from] pagelog_commit_log::ReadError),
}

/// Why a topic was not created.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CreateTopicError {
    /// There is one of this name.
    #[error("topic {name} exists already")]
    Exists {
        /// The name.
        name: TopicName,
    },
    /// A topic has at least one partition.
    #[error("a topic has at least one partition")]
    NoPartitions,
    /// The store would hold too many partitions.
    #[error(
        "{asked} more partitions would make more than the {max} that this store may hold (it holds {held})"
    )]
    TooManyPartitions {
        /// How many were asked for.
        asked: u32,
        /// How many there are.
        held: u32,
        /// How many there may be.
        max: u32,
    },
    /// Every stream id has been given once.
    #[error("the log has no more stream ids")]
    StreamsExhausted,
    /// The log did not take the entry.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a topic was not deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeleteTopicError {
    /// There is none with this id.
    #[error("there is no topic {id}")]
    Unknown {
        /// The id.
        id: Uuid,
    },
    /// The log did not take the entry.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Why a topic was not given more partitions.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GrowTopicError {
    /// There is none with this id.
    #[error("there is no topic {id}")]
    Unknown {
        /// The id.
        id: Uuid,
    },
    /// Partitions are never taken away.
    #[error("the topic has {held} partitions, and {asked} are not more")]
    NotMore {
        /// How many were asked for.
        asked: u32,
        /// How many it has.
        held: u32,
    },
    /// As for a topic that is made.
    #[error(transparent)]
    Refused(#[from] CreateTopicError),
}

/// Why a topic was not configured.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConfigureTopicError {
    /// There is none with this id.
    #[error("there is no topic {id}")]
    Unknown {
        /// The id.
        id: Uuid,
    },
    /// The log did not take the entry.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl LogError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            LogError::Busy(busy) => Some(*busy),
            _ => None,
        }
    }
}

impl AppendError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            AppendError::Log(error) => error.busy(),
            _ => None,
        }
    }
}

impl CreateTopicError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            CreateTopicError::Log(error) => error.busy(),
            _ => None,
        }
    }
}

impl GrowTopicError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            GrowTopicError::Refused(error) => error.busy(),
            GrowTopicError::Unknown { .. } | GrowTopicError::NotMore { .. } => None,
        }
    }
}

impl ConfigureTopicError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            ConfigureTopicError::Log(error) => error.busy(),
            ConfigureTopicError::Unknown { .. } => None,
        }
    }
}

impl DeleteTopicError {
    /// What to wait for before another attempt, if that is all that is wrong.
    pub fn busy(&self) -> Option<Busy> {
        match self {
            DeleteTopicError::Log(error) => error.busy(),
            DeleteTopicError::Unknown { .. } => None,
        }
    }
}

/// Why an entry of the log cannot be taken up while the store opens: the log holds what this version cannot understand.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A control entry cannot be read.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A control entry of a group cannot be read.
    #[error(transparent)]
    Group(#[from] GroupEntryError),
    /// The store's part of a checkpoint cannot be read.
    #[error("the store's part of a checkpoint cannot be read from its byte {at} on")]
    Told {
        /// Where in that part.
        at: usize,
    },
    /// A topic has a stream that another has.
    #[error("topic {name} has stream {found}, which is another topic's")]
    StreamReused {
        /// The topic.
        name: TopicName,
        /// The stream.
        found: u32,
    },
    /// A topic is created though there is one of its name.
    #[error("topic {name} is created a second time")]
    CreatedTwice {
        /// The topic.
        name: TopicName,
    },
    /// A topic has more partitions than there are stream ids.
    #[error(
        "topic {name} has {count} partitions from stream {first_stream} on, which are not that many"
    )]
    Partitions {
        /// The topic.
        name: TopicName,
        /// Its number of partitions.
        count: u32,
        /// Its first stream.
        first_stream: u32,
    },
}

/// Every producer id of this opening has been given; opening the log again gives new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no producer id is left in this epoch of the log; restart to begin another")]
pub struct ProducerIdsExhausted;
