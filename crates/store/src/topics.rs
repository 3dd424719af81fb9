//! Topics, and the table of them that is read without a lock.
//!
//! A change makes a new table. It shares with the old one all but the two parts that changed, of a thousand, so that the hundred thousandth topic is
//! made about as quickly as the first.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::Range;
use std::sync::Arc;

use uuid::Uuid;

use crate::answer::Position;
use crate::kept::{Carrier, Keeper, Paused};
use crate::partition::Partition;
use crate::topic_config::TopicConfig;
use crate::topic_name::TopicName;

/// Parts of each table: with a hundred thousand topics, a change copies a part of a hundred and a list of a thousand.
const PARTS: usize = 1024;

/// A topic as it is at one moment: more partitions or another configuration make a new one of these, with the same id. A topic
/// deleted and made again is another topic, with another id.
#[derive(Debug)]
pub struct Topic {
    pub(crate) id: Uuid,
    pub(crate) name: TopicName,
    pub(crate) partitions: Box<[Arc<Partition>]>,
    /// The streams of its partitions, in their order.
    pub(crate) streams: Vec<Range<u32>>,
    pub(crate) config: Arc<TopicConfig>,
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

    /// What it is kept with.
    pub fn config(&self) -> &Arc<TopicConfig> {
        &self.config
    }

    /// The position behind the entry that made it, or gave it its newest partitions: when the mark of
    /// [`crate::Store::settles_at`] has reached it, they stay.
    pub fn created(&self) -> Position {
        self.created
    }
}

/// All topics at one moment.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    by_name: Table<TopicName>,
    by_id: Table<Uuid>,
    count: usize,
}

/// The partitions of all topics.
impl Keeper for Topics {
    fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        self.iter_unordered()
            .flat_map(|topic| topic.partitions())
            .try_for_each(|partition| partition.carry(carrier))
    }
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

    /// All of them, ordered by name; they are sorted for this.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        let mut all: Vec<&Arc<Topic>> = self.iter_unordered().collect();
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all.into_iter()
    }

    /// All of them, in no order.
    pub fn iter_unordered(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.parts.iter().flat_map(|part| part.values())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a topic, or replaces the one with its id.
    pub(crate) fn insert(&mut self, topic: Arc<Topic>) {
        let replaced = self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
        self.count += usize::from(replaced.is_none());
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        self.count -= 1;
        Some(topic)
    }
}

/// A map in parts, of which a copy shares what it does not change.
#[derive(Clone, Debug)]
struct Table<Key> {
    hasher: RandomState,
    parts: Box<[Arc<Part<Key>>]>,
}

type Part<Key> = HashMap<Key, Arc<Topic>>;

impl<Key> Default for Table<Key> {
    fn default() -> Table<Key> {
        // One empty part, shared until something is put into it.
        let empty = Arc::new(Part::new());
        Table {
            hasher: RandomState::new(),
            parts: vec![empty; PARTS].into(),
        }
    }
}

impl<Key: Clone + Eq + Hash> Table<Key> {
    fn part_of<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }

    fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&Arc<Topic>>
    where
        Key: Borrow<Q>,
    {
        self.parts[self.part_of(key)].get(key)
    }

    fn insert(&mut self, key: Key, topic: Arc<Topic>) -> Option<Arc<Topic>> {
        let part = self.part_of(&key);
        Arc::make_mut(&mut self.parts[part]).insert(key, topic)
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<Topic>> {
        let part = self.part_of(key);
        Arc::make_mut(&mut self.parts[part]).remove(key)
    }
}
