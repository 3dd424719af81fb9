//! Topics, and the table of them that is read without a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use crate::answer::Position;
use crate::control::ControlEntry;
use crate::partition::Partition;
use crate::topic_name::TopicName;

/// A topic. It does not change: a topic deleted and made again is another one, with another id.
#[derive(Debug)]
pub struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: TopicName,
    pub(crate) partitions: Box<[Arc<Partition>]>,
    pub(crate) created: Position,
}

impl Topic {
    /// Its id: the same for as long as it lives, never given to another.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Its name.
    pub fn name(&self) -> &TopicName {
        &self.name
    }

    /// Its partitions, by index; at least one.
    pub fn partitions(&self) -> &[Arc<Partition>] {
        &self.partitions
    }

    /// The partition of this index.
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// The control entry that says it is there. Its streams follow one another.
    pub(crate) fn created_entry(&self) -> ControlEntry {
        ControlEntry::TopicCreated {
            id: self.id,
            name: self.name.clone(),
            first_stream: self.partitions[0].stream(),
            partition_count: self.partitions.len() as u32,
        }
    }

    /// The position behind the entry that made it: when the mark of [`crate::Store::settles_at`] has reached it, the topic stays.
    pub fn created(&self) -> Position {
        self.created
    }
}

/// All topics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    by_name: BTreeMap<TopicName, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Topics {
    /// The topic of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    /// The topic with this id.
    pub fn by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// All of them, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn insert(&mut self, topic: Arc<Topic>) {
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        Some(topic)
    }
}
