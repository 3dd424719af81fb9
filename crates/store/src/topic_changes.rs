//! Changes to topics and configurations: each is one entry in the log, then a new table.

use std::ops::Range;
use std::sync::Arc;

use pagelog_commit_log::Appended as InLog;
use pagelog_record::StreamId;
use uuid::Uuid;

use crate::answer::Position;
use crate::clock::now_ms;
use crate::configs::{ConfigKey, ConfigKind};
use crate::control::{ControlEntry, StreamRun, TopicEntry};
use crate::error::{
    ConfigureTopicError, CreateTopicError, DeleteTopicError, GrowTopicError, LogError,
};
use crate::kept::{Carrier, Keeper, Kept, Paused};
use crate::partition::{Partition, Past};
use crate::store::{Changes, Store};
use crate::topic_config::{ConfigValues, TopicConfig};
use crate::topic_name::TopicName;
use crate::topics::{Topic, Topics};

impl Store {
    /// Makes a topic that sets no configuration; see [`Store::create_configured_topic`].
    ///
    /// # Errors
    ///
    /// See [`CreateTopicError`]; nothing has changed.
    pub fn create_topic(
        &self,
        name: &TopicName,
        partition_count: u32,
    ) -> Result<Arc<Topic>, CreateTopicError> {
        self.create_configured_topic(name, partition_count, &ConfigValues::new())
    }

    /// Makes a topic. It can be used at once, and stays when [`Topic::created`] is settled: answer nobody before.
    ///
    /// # Errors
    ///
    /// See [`CreateTopicError`]; nothing has changed.
    pub fn create_configured_topic(
        &self,
        name: &TopicName,
        partition_count: u32,
        values: &ConfigValues,
    ) -> Result<Arc<Topic>, CreateTopicError> {
        let mut changes = self.lock();
        self.check_new_topic(name, partition_count, &changes)?;
        let streams = changes.streams_given.value..changes.end_of(partition_count)?;
        let entry = TopicEntry {
            id: Uuid::new_v4(),
            name: name.clone(),
            runs: vec![StreamRun {
                first: StreamId(streams.start),
                count: partition_count,
            }],
            values: values.clone(),
        };
        let id = entry.id;
        let appended = self.append_control(&ControlEntry::Topic(entry))?;
        changes.give(partition_count, appended.position);
        changes.topics_at.insert(id, appended.position);
        let topic = Arc::new(Topic {
            id,
            name: name.clone(),
            partitions: streams
                .clone()
                .map(|one| self.new_partition(one, appended.position))
                .collect(),
            streams: vec![streams],
            config: self.resolved(&changes, values),
            created: appended.end,
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
        self.check_room(partition_count, changes)
    }

    fn check_room(&self, more: u32, changes: &Changes) -> Result<(), CreateTopicError> {
        let held = changes.partition_count;
        if more > self.partitions_max.saturating_sub(held) {
            return Err(CreateTopicError::TooManyPartitions {
                asked: more,
                held,
                max: self.partitions_max,
            });
        }
        Ok(())
    }

    /// A partition that is told of by the entry at `anchor`.
    fn new_partition(&self, stream: u32, anchor: Position) -> Arc<Partition> {
        let core = Arc::clone(&self.core);
        let stream = core.log.stream(StreamId(stream));
        Arc::new(Partition::new(core, stream, Past::new(anchor)))
    }

    /// Gives a topic more partitions, so that it has `partition_count`. They can be used at once, and stay when
    /// [`Topic::created`] of the topic returned is settled.
    ///
    /// # Errors
    ///
    /// See [`GrowTopicError`]; nothing has changed.
    pub fn grow_topic(&self, id: Uuid, partition_count: u32) -> Result<Arc<Topic>, GrowTopicError> {
        let mut changes = self.lock();
        let (topic, more) = self.check_growth(id, partition_count, &changes)?;
        let streams = changes.streams_given.value..changes.end_of(more)?;
        let mut all = topic.streams.clone();
        all.push(streams.clone());
        let entry = ControlEntry::Topic(topic.entry(&all, topic.config.values()));
        let appended = self
            .append_control(&entry)
            .map_err(CreateTopicError::from)?;
        changes.give(more, appended.position);
        changes.topics_at.insert(id, appended.position);
        let old = topic.partitions.iter().cloned();
        let new = streams.map(|one| self.new_partition(one, appended.position));
        let grown = Arc::new(Topic {
            id,
            name: topic.name.clone(),
            partitions: old.chain(new).collect(),
            streams: all,
            config: Arc::clone(&topic.config),
            created: appended.end,
        });
        self.change(|topics| topics.insert(Arc::clone(&grown)));
        Ok(grown)
    }

    /// Whether [`Store::grow_topic`] would be refused for its arguments; changes nothing.
    ///
    /// # Errors
    ///
    /// As [`Store::grow_topic`], but for those of the log.
    pub fn check_grow(&self, id: Uuid, partition_count: u32) -> Result<(), GrowTopicError> {
        self.check_growth(id, partition_count, &self.lock())
            .map(|_| ())
    }

    /// The topic, and how many partitions it lacks.
    fn check_growth(
        &self,
        id: Uuid,
        partition_count: u32,
        changes: &Changes,
    ) -> Result<(Arc<Topic>, u32), GrowTopicError> {
        let Some(topic) = self.topics.load().by_id(id).cloned() else {
            return Err(GrowTopicError::Unknown { id });
        };
        let held = topic.partitions.len() as u32;
        if partition_count <= held {
            return Err(GrowTopicError::NotMore {
                asked: partition_count,
                held,
            });
        }
        let more = partition_count - held;
        self.check_room(more, changes)?;
        Ok((topic, more))
    }

    /// Replaces the values that are set for a topic. Answer when the position returned is settled.
    ///
    /// # Errors
    ///
    /// See [`ConfigureTopicError`]; nothing has changed.
    pub fn configure_topic(
        &self,
        id: Uuid,
        values: &ConfigValues,
    ) -> Result<Position, ConfigureTopicError> {
        let mut changes = self.lock();
        let Some(topic) = self.topics.load().by_id(id).cloned() else {
            return Err(ConfigureTopicError::Unknown { id });
        };
        let entry = ControlEntry::Topic(topic.entry(&topic.streams, values));
        let appended = self.append_control(&entry)?;
        changes.topics_at.insert(id, appended.position);
        let config = self.resolved(&changes, values);
        self.change(|topics| topics.insert(Arc::new(topic.with_config(config))));
        Ok(appended.end)
    }

    /// What was configured of something that is no topic; empty when nothing was.
    pub fn config(&self, key: &ConfigKey) -> ConfigValues {
        self.lock().configs.get(key)
    }

    /// All configurations of a kind, by name.
    pub fn configs(&self, kind: ConfigKind) -> Vec<(String, ConfigValues)> {
        self.lock().configs.of_kind(kind)
    }

    /// Replaces what was configured; no values: nothing is. Answer when the position returned is settled.
    ///
    /// # Errors
    ///
    /// When the log does not take the entry; nothing has changed.
    pub fn configure(&self, key: &ConfigKey, values: &ConfigValues) -> Result<Position, LogError> {
        let mut changes = self.lock();
        let entry = ControlEntry::Config {
            key: key.clone(),
            values: values.clone(),
        };
        let appended = self.append_control(&entry)?;
        let at = appended.position;
        changes.configs.set(key.clone(), values.clone(), at);
        if key.kind == ConfigKind::Broker {
            self.resolve_all(&mut changes);
        }
        Ok(appended.end)
    }

    /// The broker's values have changed, and with them what topics take from it.
    fn resolve_all(&self, changes: &mut Changes) {
        let broker = changes.configs.broker();
        let resolve = |values: &ConfigValues| {
            Arc::new(TopicConfig::resolve(&self.topic_defaults, &broker, values))
        };
        changes.plain_config = resolve(&ConfigValues::new());
        self.change(|topics| {
            let all: Vec<Arc<Topic>> = topics.iter_unordered().cloned().collect();
            for topic in all {
                let config = match topic.config.values() {
                    values if values.is_empty() => Arc::clone(&changes.plain_config),
                    values => resolve(values),
                };
                topics.insert(Arc::new(topic.with_config(config)));
            }
        });
    }

    fn resolved(&self, changes: &Changes, values: &ConfigValues) -> Arc<TopicConfig> {
        if values.is_empty() {
            return Arc::clone(&changes.plain_config);
        }
        let broker = changes.configs.broker();
        Arc::new(TopicConfig::resolve(&self.topic_defaults, &broker, values))
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
        self.groups().topic_deleted(id);
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
}

/// The topics, how many streams have been given, and what is configured.
impl Keeper for Store {
    fn carry(&self, carrier: &mut Carrier<'_>) -> Result<(), Paused> {
        let mut changes = self.lock();
        carrier.locked();
        let topics = self.topics.load();
        for (id, at) in &mut changes.topics_at {
            if let Some(topic) = topics.by_id(*id) {
                let entry = || topic.entry(&topic.streams, topic.config.values());
                carrier.carry_at(at, || ControlEntry::Topic(entry()).encode())?;
            }
        }
        carrier.carry(&mut changes.streams_given, |next| {
            ControlEntry::StreamsGiven { next: *next }.encode()
        })?;
        changes.configs.carry(carrier)
    }
}

impl Changes {
    /// The stream behind the next `count`.
    fn end_of(&self, count: u32) -> Result<u32, CreateTopicError> {
        self.streams_given
            .value
            .checked_add(count)
            .ok_or(CreateTopicError::StreamsExhausted)
    }

    /// The next `count` streams are given, as the entry at `at` says.
    fn give(&mut self, count: u32, at: Position) {
        self.streams_given = Kept {
            value: self.streams_given.value + count,
            at,
        };
        self.partition_count += count;
    }
}

impl Topic {
    fn entry(&self, streams: &[Range<u32>], values: &ConfigValues) -> TopicEntry {
        let run = |range: &Range<u32>| StreamRun {
            first: StreamId(range.start),
            count: range.end - range.start,
        };
        TopicEntry {
            id: self.id,
            name: self.name.clone(),
            runs: streams.iter().map(run).collect(),
            values: values.clone(),
        }
    }

    fn with_config(&self, config: Arc<TopicConfig>) -> Topic {
        Topic {
            id: self.id,
            name: self.name.clone(),
            partitions: self.partitions.clone(),
            streams: self.streams.clone(),
            config,
            created: self.created,
        }
    }
}
