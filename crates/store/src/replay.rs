//! Building the store's state from the entries of the log, while the log is opened.
//!
//! Headers alone say what a partition has to remember (producer, sequence, epoch); only control entries are read.

use std::collections::HashMap;
use std::sync::Arc;

use pagelog_record::{Header, StreamId};
use uuid::Uuid;

use crate::answer::Position;
use crate::catalog::Listed;
use crate::control::ControlEntry;
use crate::core::Core;
use crate::error::ReplayError;
use crate::kept::Kept;
use crate::partition::{Partition, Past};
use crate::producers::Remembered;
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
    deleted: Vec<StreamId>,
    streams_given: Kept<u32>,
}

/// Where a control entry was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundEntry {
    pub(crate) at: Position,
    pub(crate) end: Position,
    /// It says again what an earlier entry said, which may be gone.
    pub(crate) moved: bool,
}

struct Found {
    name: TopicName,
    first_stream: u32,
    partition_count: u32,
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
            deleted: Vec::new(),
            streams_given: Kept {
                value: StreamId::CONTROL.0 + 1,
                at: Position(u64::MAX),
            },
        }
    }

    /// Takes up records; those of deleted topics are passed over.
    pub(crate) fn data(&mut self, header: &Header, end: Position) {
        let Some(past) = self.streams.get_mut(&header.stream) else {
            return;
        };
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
        match ControlEntry::decode(payload)? {
            None => Ok(()),
            Some(ControlEntry::TopicDeleted { id }) => {
                self.deleted(id);
                Ok(())
            }
            Some(ControlEntry::TopicCreated {
                id,
                name,
                first_stream,
                partition_count,
            }) => {
                let topic = Found {
                    name,
                    first_stream: first_stream.0,
                    partition_count,
                    at: found.at,
                    created: found.end,
                };
                self.created(id, topic, found.moved)
            }
            Some(ControlEntry::StreamsGiven { next }) => {
                self.give_streams(next, found.at);
                Ok(())
            }
        }
    }

    /// Streams below `next` have been given, as the entry at `at` says; others may have said more.
    fn give_streams(&mut self, next: u32, at: Position) {
        if next >= self.streams_given.value {
            self.streams_given = Kept { value: next, at };
        }
    }

    fn created(&mut self, id: Uuid, found: Found, moved: bool) -> Result<(), ReplayError> {
        let (first_stream, count) = (found.first_stream, found.partition_count);
        if let (true, Some(known)) = (moved, self.topics.get_mut(&id)) {
            known.at = found.at;
            return Ok(());
        }
        let held = self.streams.len() as u64 + u64::from(count);
        let end = first_stream.checked_add(count);
        let (Some(end), true) = (end, count > 0 && held <= u64::from(PARTITIONS_LIMIT)) else {
            return Err(ReplayError::Partitions {
                name: found.name,
                count,
                first_stream,
            });
        };
        let given = self.streams_given.value;
        let reused = match moved {
            false => first_stream < given,
            true => (first_stream..end).any(|stream| self.streams.contains_key(&StreamId(stream))),
        };
        if reused {
            return Err(ReplayError::StreamReused {
                name: found.name,
                found: first_stream,
                expected: given,
            });
        }
        if self.names.insert(found.name.clone(), id).is_some() {
            return Err(ReplayError::CreatedTwice { name: found.name });
        }
        for stream in first_stream..end {
            self.streams.insert(StreamId(stream), Past::default());
        }
        self.give_streams(end, found.at);
        self.topics.insert(id, found);
        Ok(())
    }

    fn deleted(&mut self, id: Uuid) {
        let Some(found) = self.topics.remove(&id) else {
            tracing::warn!(%id, "the log deletes a topic that it does not hold");
            return;
        };
        self.names.remove(&found.name);
        for stream in found.streams() {
            self.streams.remove(&stream);
            self.deleted.push(stream);
        }
    }

    /// The topics that there are, in no order.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        let listed = |(id, found): (&Uuid, &Found)| Listed {
            name: found.name.clone(),
            id: *id,
            streams: found.first_stream..found.first_stream + found.partition_count,
        };
        self.topics.iter().map(listed).collect()
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

    /// The topics that there are; the log forgets those that there are no more.
    pub(crate) fn into_topics(mut self, core: &Arc<Core>) -> Topics {
        for stream in &self.deleted {
            core.log.forget(*stream);
        }
        let mut topics = Topics::default();
        for (id, found) in std::mem::take(&mut self.topics) {
            let partition = |stream| {
                let past = self.streams.remove(&stream).unwrap_or_default();
                Arc::new(Partition::new(
                    Arc::clone(core),
                    core.log.stream(stream),
                    past,
                ))
            };
            let partitions = found.streams().map(partition).collect();
            topics.insert(Arc::new(Topic {
                id,
                name: found.name,
                partitions,
                created: found.created,
            }));
        }
        topics
    }
}

impl Found {
    fn streams(&self) -> impl Iterator<Item = StreamId> + use<> {
        (self.first_stream..self.first_stream + self.partition_count).map(StreamId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(name: &str, id: u128, first_stream: u32, partition_count: u32) -> Vec<u8> {
        ControlEntry::TopicCreated {
            id: Uuid::from_u128(id),
            name: TopicName::new(name).expect("a valid name"),
            first_stream: StreamId(first_stream),
            partition_count,
        }
        .encode()
    }

    fn replay(payloads: &[Vec<u8>]) -> Result<Replay, ReplayError> {
        let mut replay = Replay::new(0, 1_000);
        for payload in payloads {
            let found = FoundEntry {
                at: Position(0),
                end: Position(1),
                moved: false,
            };
            replay.control(payload, found)?;
        }
        Ok(replay)
    }

    #[test]
    fn a_deleted_topic_leaves_its_streams_unused() {
        let deleted = ControlEntry::TopicDeleted {
            id: Uuid::from_u128(1),
        }
        .encode();
        let log = [created("a", 1, 1, 3), deleted, created("a", 2, 4, 2)];
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

    fn found(moved: bool, at: u64) -> FoundEntry {
        FoundEntry {
            at: Position(at),
            end: Position(at + 100),
            moved,
        }
    }

    #[test]
    fn a_moved_topic_is_met_first_or_again() {
        let mut replay = Replay::new(0, 1_000);
        let mut take = |payload: &[u8], found| replay.control(payload, found);
        take(&created("b", 2, 4, 2), found(false, 100)).expect("new");
        take(&created("a", 1, 1, 3), found(true, 200)).expect("its first entry is gone");
        take(&created("b", 2, 4, 2), found(true, 300)).expect("known");
        let given = ControlEntry::StreamsGiven { next: 9 }.encode();
        take(&given, found(true, 400)).expect("more were given than are left");
        let overlap = take(&created("c", 3, 2, 1), found(true, 500));
        assert!(matches!(overlap, Err(ReplayError::StreamReused { .. })));
        let given = take(&created("c", 3, 8, 1), found(false, 500));
        assert!(matches!(given, Err(ReplayError::StreamReused { .. })));
        let at = replay.topics_at();
        let at = |id| at.get(&Uuid::from_u128(id)).copied();
        assert_eq!((at(1), at(2)), (Some(Position(200)), Some(Position(300))));
        let given = replay.streams_given();
        assert_eq!((given.value, given.at), (9, Position(400)));
    }

    #[test]
    fn what_cannot_have_been_written_is_refused() {
        let reused = replay(&[created("a", 1, 1, 3), created("b", 2, 3, 1)]);
        assert!(matches!(
            reused,
            Err(ReplayError::StreamReused {
                found: 3,
                expected: 4,
                ..
            })
        ));
        let twice = replay(&[created("a", 1, 1, 1), created("a", 2, 2, 1)]);
        assert!(matches!(twice, Err(ReplayError::CreatedTwice { .. })));
        for count in [0, PARTITIONS_LIMIT + 1, u32::MAX] {
            let many = replay(&[created("a", 1, 1, count)]);
            assert!(
                matches!(many, Err(ReplayError::Partitions { .. })),
                "{count}"
            );
        }
        let control = replay(&[vec![200, 0]]);
        assert!(matches!(control, Err(ReplayError::Control(_))));
    }
}
