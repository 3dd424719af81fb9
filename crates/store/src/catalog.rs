//! The topics of a log that is read without being opened.

use std::fmt;
use std::ops::Range;

use pagelog_commit_log::Entry;
use uuid::Uuid;

use crate::error::ReplayError;
use crate::replay::Replay;
use crate::store::take_up;
use crate::topic_name::TopicName;

/// Takes the entries of a log one by one, as [`crate::Store::open`] does, and says which topics they amount to.
pub struct Catalog {
    replay: Replay,
}

/// A topic, by what its control entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: TopicName,
    /// Its id.
    pub id: Uuid,
    /// The streams of its partitions, run after run, in their order; at least one.
    pub streams: Vec<Range<u32>>,
}

impl Default for Catalog {
    fn default() -> Catalog {
        // So late that no producer is remembered: nobody asks for them here.
        Catalog {
            replay: Replay::new(i64::MAX, 0),
        }
    }
}

impl Catalog {
    /// Takes the next entry of the log.
    ///
    /// # Errors
    ///
    /// What an opening would be refused with.
    pub fn take(&mut self, entry: &Entry<'_>) -> Result<(), ReplayError> {
        take_up(&mut self.replay, entry)
    }

    /// The topics that there are, in the order of their streams.
    #[must_use]
    pub fn topics(&self) -> Vec<Listed> {
        let mut topics = self.replay.listed();
        topics.sort_by_key(|topic| topic.streams.first().map(|run| run.start));
        topics
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.topics()).finish()
    }
}
