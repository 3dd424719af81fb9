//! Building the store's state from the entries of the log, while the log is opened.
//!
//! Headers alone say what a partition has to remember (producer, sequence, epoch); only control entries are read.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use pagelog_record::{Header, StreamId, entry_size};
use uuid::Uuid;

use crate::answer::Position;
use crate::catalog::Listed;
use crate::checkpoint::Record;
use crate::configs::Configs;
use crate::control::{ControlEntry, StreamRun, TopicEntry};
use crate::core::Core;
use crate::error::ReplayError;
use crate::groups::{Group, GroupName, GroupsReplay};
use crate::kept::Kept;
use crate::partition::{Partition, Past, Told};
use crate::partition_entries::{PartitionEntry, ProducersEntry};
use crate::producers::Remembered;
use crate::topic_config::{ConfigValues, TopicConfig};
use crate::topic_name::TopicName;
use crate::topics::{Topic, Topics};

/// More partitions than this are not believed, whatever the log says.
pub const PARTITIONS_LIMIT: u32 = 1_000_000;

/// What the entries so far amount to.
pub(crate) struct Replay {
    now_ms: i64,
    producer_expiration_ms: i64,
    topics: HashMap<Uuid, Found>,
    names: HashMap<TopicName, Uuid>,
    /// The streams of topics that have not been deleted.
    streams: HashMap<StreamId, Past>,
    streams_given: Kept<u32>,
    configs: Configs,
    groups: GroupsReplay,
    /// A checkpoint has told what the entries of topics and configurations below say.
    told_as_of: Position,
}

/// Where a control entry was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundEntry {
    pub(crate) at: Position,
    pub(crate) end: Position,
    /// It says again what an earlier entry said, which may be gone.
    pub(crate) moved: bool,
}

/// A topic by its newest entry.
struct Found {
    entry: TopicEntry,
    at: Position,
    created: Position,
}

impl Replay {
    pub(crate) fn new(now_ms: i64, producer_expiration_ms: i64) -> Replay {
        Replay {
            now_ms,
            producer_expiration_ms,
            topics: HashMap::new(),
            names: HashMap::new(),
            streams: HashMap::new(),
            streams_given: Kept {
                value: StreamId::CONTROL.0 + 1,
                at: Position(u64::MAX),
            },
            configs: Configs::default(),
            groups: GroupsReplay::default(),
            told_as_of: Position(0),
        }
    }

    /// Takes up what a checkpoint holds of one value.
    pub(crate) fn told(&mut self, record: &Record<'_>) -> Result<(), ReplayError> {
        let Record {
            at,
            as_of,
            payload,
            begin,
        } = *record;
        if self.groups.take(payload, at)? {
            return Ok(());
        }
        match ControlEntry::decode(payload)? {
            Some(ControlEntry::Topic(entry)) => {
                let created = Position(at.0.saturating_add(entry_size(payload.len() as u32)));
                self.topic(Found { entry, at, created })?;
            }
            Some(ControlEntry::StreamsGiven { next }) => self.give_streams(next, at),
            Some(ControlEntry::Config { key, values }) => self.configs.set(key, values, at),
            Some(ControlEntry::Producers(entry)) => {
                self.producers(&entry, at);
                return Ok(());
            }
            Some(ControlEntry::Partition(entry)) => {
                let (stream, next) = (entry.stream, entry.next);
                self.partition(entry, at);
                if let Some(past) = self.streams.get_mut(&stream) {
                    past.told = Told { next, as_of };
                }
                return Ok(());
            }
            _ => return Err(ReplayError::Told { at: begin }),
        }
        self.told_as_of = as_of;
        Ok(())
    }

    /// Takes up records; those of deleted topics are passed over, and so are moved ones, which say nothing that is not told elsewhere.
    pub(crate) fn data(&mut self, header: &Header, end: Position) {
        if header.moved {
            return;
        }
        let Some(past) = self.streams.get_mut(&header.stream) else {
            return;
        };
        if header.base_offset < past.told.next {
            return;
        }
        past.epochs.replay(header.epoch, header.base_offset);
        let age_ms = self.now_ms.saturating_sub(header.append_time_ms);
        if header.producer.id >= 0 && age_ms <= self.producer_expiration_ms {
            let batch = Remembered::new(header.base_offset, end, header.append_time_ms);
            past.producers.remember(
                header.producer,
                header.count,
                batch,
                self.producer_expiration_ms,
            );
        }
    }

    /// Takes up a control entry; the log's own are passed over.
    pub(crate) fn control(&mut self, payload: &[u8], found: FoundEntry) -> Result<(), ReplayError> {
        let FoundEntry { at, end, moved } = found;
        if self.groups.take(payload, at)? {
            return Ok(());
        }
        let entry = ControlEntry::decode(payload)?;
        match entry.filter(|entry| !self.is_told(entry, at)) {
            None => {}
            Some(ControlEntry::TopicDeleted { id }) => self.deleted(id),
            Some(ControlEntry::StreamsGiven { next }) => self.give_streams(next, at),
            Some(ControlEntry::LogStart { stream, start }) => {
                if let Some(past) = self.streams.get_mut(&stream) {
                    past.start = past.start.max(start);
                }
            }
            Some(ControlEntry::Partition(entry)) => self.partition(entry, at),
            Some(ControlEntry::Producers(entry)) => self.producers(&entry, end),
            Some(ControlEntry::Config { key, values }) => self.configs.set(key, values, at),
            Some(ControlEntry::Topic(entry)) => {
                // What was moved says nothing new.
                let before = self.topics.get(&entry.id).filter(|_| moved);
                let created = before.map_or(end, |before| before.created);
                self.topic(Found { entry, at, created })?;
            }
        }
        Ok(())
    }

    /// Whether a checkpoint holds what the entry at `at` says, or something newer.
    fn is_told(&self, entry: &ControlEntry, at: Position) -> bool {
        let of_partition = |stream| {
            let past: Option<&Past> = self.streams.get(stream);
            past.is_some_and(|past| at < past.told.as_of)
        };
        match entry {
            ControlEntry::LogStart { stream, .. } => of_partition(stream),
            ControlEntry::Partition(entry) => of_partition(&entry.stream),
            ControlEntry::Producers(entry) => of_partition(&entry.stream),
            _ => at < self.told_as_of,
        }
    }

    /// Streams below `next` have been given, as the entry at `at` says; others may have said more.
    fn give_streams(&mut self, next: u32, at: Position) {
        if next >= self.streams_given.value {
            self.streams_given = Kept { value: next, at };
        }
    }

    /// A topic that is there already has been given more partitions or another configuration, or its entry has been moved.
    fn topic(&mut self, found: Found) -> Result<(), ReplayError> {
        let name = &found.entry.name;
        let id = found.entry.id;
        let known: HashSet<StreamId> = match self.topics.get(&id) {
            Some(known) => known.entry.streams().collect(),
            None => HashSet::new(),
        };
        let end = self.check_runs(&found.entry, &known)?;
        if self.names.get(name).is_some_and(|other| *other != id) {
            return Err(ReplayError::CreatedTwice { name: name.clone() });
        }
        self.names.insert(name.clone(), id);
        for stream in found.entry.streams() {
            let past = || Past::new(found.at);
            self.streams.entry(stream).or_insert_with(past);
        }
        self.give_streams(end, found.at);
        self.topics.insert(id, found);
        Ok(())
    }

    /// Every stream is the topic's own, and they are not too many. Gives the first stream behind them.
    fn check_runs(
        &self,
        entry: &TopicEntry,
        known: &HashSet<StreamId>,
    ) -> Result<u32, ReplayError> {
        let refused = |run: &StreamRun| ReplayError::Partitions {
            name: entry.name.clone(),
            count: run.count,
            first_stream: run.first.0,
        };
        let mut held = (self.streams.len() - known.len()) as u64;
        let mut end = 0;
        let nothing = StreamRun {
            first: StreamId::CONTROL,
            count: 0,
        };
        if entry.runs.is_empty() {
            return Err(refused(&nothing));
        }
        for run in &entry.runs {
            held += u64::from(run.count);
            let run_end = run.first.0.checked_add(run.count);
            let fits = run.count > 0 && run.first != StreamId::CONTROL;
            let (Some(run_end), true) = (run_end, fits && held <= u64::from(PARTITIONS_LIMIT))
            else {
                return Err(refused(run));
            };
            end = end.max(run_end);
        }
        let mut of_another = entry
            .streams()
            .filter(|stream| self.streams.contains_key(stream) && !known.contains(stream));
        match of_another.next() {
            None => Ok(end),
            Some(stream) => Err(ReplayError::StreamReused {
                name: entry.name.clone(),
                found: stream.0,
            }),
        }
    }

    /// A partition tells all of itself anew. Of a topic that is not there it is what a deletion has left.
    fn partition(&mut self, entry: PartitionEntry, at: Position) {
        if let Some(past) = self.streams.get_mut(&entry.stream) {
            past.start = past.start.max(entry.start);
            past.next = past.next.max(entry.next);
            past.epochs.restore(entry.epochs);
            past.anchor = at;
        }
    }

    fn producers(&mut self, entry: &ProducersEntry, end: Position) {
        if let Some(past) = self.streams.get_mut(&entry.stream) {
            let expired_ms = self.now_ms.saturating_sub(self.producer_expiration_ms);
            for producer in &entry.producers {
                past.producers.restore(producer, end, expired_ms);
            }
        }
    }

    fn deleted(&mut self, id: Uuid) {
        let Some(found) = self.topics.remove(&id) else {
            // The entry that made it has gone with its segment.
            return;
        };
        self.names.remove(&found.entry.name);
        for stream in found.entry.streams() {
            self.streams.remove(&stream);
        }
    }

    /// The topics that there are, in no order.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let listed = |found: &Found| Listed {
            name: found.entry.name.clone(),
            id: found.entry.id,
            streams: found.entry.runs.iter().map(StreamRun::range).collect(),
        };
        self.topics.values().map(listed).collect()
    }

    /// The groups; what they committed in deleted topics is gone. To be taken before the topics.
    pub(crate) fn take_groups(&mut self) -> HashMap<GroupName, Group> {
        let groups = std::mem::take(&mut self.groups);
        groups.finish(|topic| self.topics.contains_key(&topic))
    }

    /// The first stream id that has never been given.
    pub(crate) fn streams_given(&self) -> Kept<u32> {
        self.streams_given
    }

    /// Where the entries lie that hold the topics.
    pub(crate) fn topics_at(&self) -> HashMap<Uuid, Position> {
        let at = |(id, found): (&Uuid, &Found)| (*id, found.at);
        self.topics.iter().map(at).collect()
    }

    /// The configurations of what is no topic.
    pub(crate) fn take_configs(&mut self) -> Configs {
        std::mem::take(&mut self.configs)
    }

    /// The topics that there are; the log forgets those that there are no more.
    pub(crate) fn into_topics(
        mut self,
        core: &Arc<Core>,
        config: impl Fn(&ConfigValues) -> Arc<TopicConfig>,
    ) -> Topics {
        // Of a deleted topic there may be no entry left but its records.
        core.log
            .forget_all_but(|stream| self.streams.contains_key(&stream));
        let mut topics = Topics::default();
        for (id, found) in std::mem::take(&mut self.topics) {
            let partition = |stream| {
                let past = self.streams.remove(&stream);
                let past = past.unwrap_or_else(|| Past::new(found.at));
                Arc::new(Partition::new(
                    Arc::clone(core),
                    core.log.stream(stream),
                    past,
                ))
            };
            let partitions = found.entry.streams().map(partition).collect();
            topics.insert(Arc::new(Topic {
                id,
                partitions,
                streams: found.entry.runs.iter().map(StreamRun::range).collect(),
                config: config(&found.entry.values),
                name: found.entry.name,
                created: found.created,
            }));
        }
        topics
    }
}

impl TopicEntry {
    fn streams(&self) -> impl Iterator<Item = StreamId> + use<'_> {
        self.runs.iter().flat_map(|run| run.range()).map(StreamId)
    }
}

impl StreamRun {
    fn range(&self) -> Range<u32> {
        self.first.0..self.first.0 + self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, id: u128, runs: &[(u32, u32)]) -> Vec<u8> {
        let run = |(first, count): &(u32, u32)| StreamRun {
            first: StreamId(*first),
            count: *count,
        };
        ControlEntry::Topic(TopicEntry {
            id: Uuid::from_u128(id),
            name: TopicName::new(name).expect("a valid name"),
            runs: runs.iter().map(run).collect(),
            values: ConfigValues::new(),
        })
        .encode()
    }

    fn found(moved: bool, at: u64) -> FoundEntry {
        FoundEntry {
            at: Position(at),
            end: Position(at + 100),
            moved,
        }
    }

    fn replay(payloads: &[Vec<u8>]) -> Result<Replay, ReplayError> {
        let mut replay = Replay::new(0, 1_000);
        for payload in payloads {
            replay.control(payload, found(false, 1))?;
        }
        Ok(replay)
    }

    #[test]
    fn a_deleted_topic_leaves_its_streams_unused() {
        let deleted = ControlEntry::TopicDeleted {
            id: Uuid::from_u128(1),
        }
        .encode();
        let log = [topic("a", 1, &[(1, 3)]), deleted, topic("a", 2, &[(4, 2)])];
        let replay = replay(&log).expect("a valid log");
        assert_eq!(
            (
                replay.streams_given().value,
                replay.topics.len(),
                replay.streams.len()
            ),
            (6, 1, 2)
        );
    }

    #[test]
    fn a_topic_that_grew_and_entries_in_another_order_are_taken_up() {
        let log = [
            topic("b", 2, &[(2, 1)]),
            topic("a", 1, &[(1, 1)]),
            topic("a", 1, &[(1, 1), (3, 2)]),
            topic("a", 1, &[(1, 1), (3, 2)]),
        ];
        let replay = replay(&log).expect("a valid log");
        assert_eq!((replay.streams_given().value, replay.streams.len()), (5, 4));
        let mut listed = replay.listed();
        listed.sort_by_key(|topic| topic.id);
        assert_eq!(listed[0].streams, [1..2, 3..5]);
    }

    #[test]
    fn a_moved_topic_is_met_first_or_again() {
        let mut replay = Replay::new(0, 1_000);
        let mut take = |payload: &[u8], found| replay.control(payload, found);
        take(&topic("b", 2, &[(4, 2)]), found(false, 100)).expect("new");
        take(&topic("a", 1, &[(1, 3)]), found(true, 200)).expect("its first entry is gone");
        take(&topic("b", 2, &[(4, 2)]), found(true, 300)).expect("known");
        let given = ControlEntry::StreamsGiven { next: 9 }.encode();
        take(&given, found(true, 400)).expect("more were given than are left");
        let overlap = take(&topic("c", 3, &[(2, 1)]), found(true, 500));
        assert!(matches!(overlap, Err(ReplayError::StreamReused { .. })));
        let at = replay.topics_at();
        let at = |id| at.get(&Uuid::from_u128(id)).copied();
        assert_eq!((at(1), at(2)), (Some(Position(200)), Some(Position(300))));
        assert_eq!(
            replay.topics[&Uuid::from_u128(2)].created,
            Position(200),
            "it had settled there"
        );
        let given = replay.streams_given();
        assert_eq!((given.value, given.at), (9, Position(400)));
    }

    #[test]
    fn what_cannot_have_been_written_is_refused() {
        let reused = replay(&[topic("a", 1, &[(1, 3)]), topic("b", 2, &[(3, 1)])]);
        assert!(matches!(
            reused,
            Err(ReplayError::StreamReused { found: 3, .. })
        ));
        let twice = replay(&[topic("a", 1, &[(1, 1)]), topic("a", 2, &[(2, 1)])]);
        assert!(matches!(twice, Err(ReplayError::CreatedTwice { .. })));
        for runs in [
            &[(1, 0)][..],
            &[(1, PARTITIONS_LIMIT + 1)],
            &[(1, u32::MAX)],
            &[(1, 1), (2, PARTITIONS_LIMIT)],
            &[(0, 1)],
            &[],
        ] {
            let many = replay(&[topic("a", 1, runs)]);
            assert!(
                matches!(many, Err(ReplayError::Partitions { .. })),
                "{runs:?}"
            );
        }
        let control = replay(&[vec![200, 0]]);
        assert!(matches!(control, Err(ReplayError::Control(_))));
    }
}
