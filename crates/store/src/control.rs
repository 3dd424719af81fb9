//! The store's own entries in the log: which topics there are, and what was configured.
//!
//! The bytes are drawn in `docs/format.md`, "Control entries of the store". The first byte is the type; 1 to 15 belong
//! to the log and are passed over here. Integers are little-endian. Nothing here does I/O. What is kept by such entries stays by
//! [`crate::kept`].
//!
//! Every entry has a key, and the newest of a key is what counts: a topic that gets more partitions or another configuration is
//! written anew as a whole.

use pagelog_record::{Offset, StreamId};
use uuid::Uuid;

use crate::configs::{ConfigKey, ConfigKind};
use crate::partition_entries::{
    LOG_START, PARTITION, PRODUCERS, PartitionEntry, ProducersEntry, decode_log_start,
    encode_log_start,
};
use crate::topic_config::ConfigValues;
use crate::topic_name::{TopicName, TopicNameError};

/// Types below this belong to the log.
pub(crate) const CONTROL_TYPE_MIN: u8 = 16;
const TOPIC: u8 = 16;
const TOPIC_DELETED: u8 = 17;
const STREAMS_GIVEN: u8 = 18;
const CONFIG: u8 = 48;

/// Layout 0 had one run of streams and no configuration.
const TOPIC_LAYOUT: u8 = 1;

/// One control entry of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlEntry {
    /// A topic as it is from here on.
    Topic(TopicEntry),
    /// A topic is gone; its streams are never used again.
    TopicDeleted { id: Uuid },
    /// Every stream below `next` has been given once, though no topic may be left to say so.
    StreamsGiven { next: u32 },
    /// What lies below `start` in a stream is deleted.
    LogStart { stream: StreamId, start: Offset },
    /// A partition as it is from here on.
    Partition(PartitionEntry),
    /// Producers of a partition as they are from here on.
    Producers(ProducersEntry),
    /// A configuration as it is from here on; no values: there is none any more.
    Config {
        key: ConfigKey,
        values: ConfigValues,
    },
}

/// What is written of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicEntry {
    pub(crate) id: Uuid,
    pub(crate) name: TopicName,
    /// The streams of its partitions, in their order.
    pub(crate) runs: Vec<StreamRun>,
    /// Its configuration.
    pub(crate) values: ConfigValues,
}

/// Streams that were given together, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamRun {
    pub(crate) first: StreamId,
    pub(crate) count: u32,
}

/// Why a control entry whose checksum is right cannot be understood: it was written by another version, or by another program.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The type is the store's, but not one of this version.
    #[error(
        "control entry of unknown type {found}; a newer version of pagelog may have written it"
    )]
    UnknownType {
        /// The type byte.
        found: u8,
    },
    /// The layout's version is not known.
    #[error("control entry of type {kind} has layout {found}, which this version does not read")]
    UnknownLayout {
        /// The type byte.
        kind: u8,
        /// The layout byte.
        found: u8,
    },
    /// The entry is shorter or longer than its fields.
    #[error("control entry of type {kind} has {found} bytes, which its fields do not fill")]
    Size {
        /// The type byte.
        kind: u8,
        /// The size found.
        found: usize,
    },
    /// A name or a value is not UTF-8 text.
    #[error("a name in a control entry is not text")]
    NotText(#[from] std::str::Utf8Error),
    /// The name is not a valid one.
    #[error("the topic name is refused: {0}")]
    Name(#[from] TopicNameError),
    /// A configuration of something unknown.
    #[error(
        "configuration of unknown kind {found}; a newer version of pagelog may have written it"
    )]
    UnknownConfig {
        /// The kind's byte.
        found: u8,
    },
}

impl ControlEntry {
    /// The bytes that go into the log.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            ControlEntry::Topic(topic) => topic.encode(),
            ControlEntry::TopicDeleted { id } => {
                let mut bytes = head(TOPIC_DELETED, 0, 0);
                bytes.extend_from_slice(id.as_bytes());
                bytes
            }
            ControlEntry::StreamsGiven { next } => {
                let mut bytes = head(STREAMS_GIVEN, 0, 0);
                bytes.extend_from_slice(&next.to_le_bytes());
                bytes
            }
            ControlEntry::LogStart { stream, start } => encode_log_start(*stream, *start),
            ControlEntry::Partition(partition) => partition.encode(),
            ControlEntry::Producers(producers) => producers.encode(),
            ControlEntry::Config { key, values } => encode_config(key, values),
        }
    }

    /// Reads an entry; `None` when it is one of the log's own.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<ControlEntry>, ControlError> {
        let kind = bytes.first().copied().unwrap_or(0);
        if kind < CONTROL_TYPE_MIN {
            return Ok(None);
        }
        let layout = match kind {
            TOPIC => TOPIC_LAYOUT,
            TOPIC_DELETED | STREAMS_GIVEN | LOG_START | PARTITION | PRODUCERS | CONFIG => 0,
            found => return Err(ControlError::UnknownType { found }),
        };
        if let Some(&found) = bytes.get(1)
            && found != layout
        {
            return Err(ControlError::UnknownLayout { kind, found });
        }
        let mut fields = Fields {
            kind,
            size: bytes.len(),
            rest: bytes,
        };
        let entry = match kind {
            TOPIC => ControlEntry::Topic(TopicEntry::decode(&mut fields)?),
            TOPIC_DELETED => decode_deleted(&mut fields)?,
            STREAMS_GIVEN => decode_streams_given(&mut fields)?,
            LOG_START => {
                let (stream, start) = decode_log_start(&mut fields)?;
                ControlEntry::LogStart { stream, start }
            }
            PARTITION => ControlEntry::Partition(PartitionEntry::decode(&mut fields)?),
            PRODUCERS => ControlEntry::Producers(ProducersEntry::decode(&mut fields)?),
            _ => decode_config(&mut fields)?,
        };
        fields.end()?;
        Ok(Some(entry))
    }
}

/// The entry of a configuration.
pub(crate) fn encode_config(key: &ConfigKey, values: &ConfigValues) -> Vec<u8> {
    let mut bytes = head(CONFIG, 0, key.name.len() as u16);
    bytes.extend([key.kind as u8, 0, 0, 0]);
    bytes.extend_from_slice(&(values.len() as u32).to_le_bytes());
    bytes.extend_from_slice(key.name.as_bytes());
    put_values(&mut bytes, values);
    bytes
}

impl TopicEntry {
    fn encode(&self) -> Vec<u8> {
        let name = self.name.as_str().as_bytes();
        let mut bytes = head(TOPIC, TOPIC_LAYOUT, name.len() as u16);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&(self.runs.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(self.values.len() as u32).to_le_bytes());
        for run in &self.runs {
            bytes.extend_from_slice(&run.first.0.to_le_bytes());
            bytes.extend_from_slice(&run.count.to_le_bytes());
        }
        bytes.extend_from_slice(name);
        put_values(&mut bytes, &self.values);
        bytes
    }

    fn decode(fields: &mut Fields<'_>) -> Result<TopicEntry, ControlError> {
        let name_size = fields.head()?;
        let id = Uuid::from_bytes(fields.array()?);
        let run_count = fields.u32()?;
        let value_count = fields.u32()?;
        let mut runs = Vec::new();
        for _ in 0..run_count {
            runs.push(StreamRun {
                first: StreamId(fields.u32()?),
                count: fields.u32()?,
            });
        }
        Ok(TopicEntry {
            id,
            runs,
            name: TopicName::new(fields.text(name_size)?)?,
            values: fields.values(value_count)?,
        })
    }
}

pub(crate) fn head(kind: u8, layout: u8, name_size: u16) -> Vec<u8> {
    let size = name_size.to_le_bytes();
    vec![kind, layout, size[0], size[1]]
}

fn put_values(bytes: &mut Vec<u8>, values: &ConfigValues) {
    for (name, value) in values {
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(value.as_bytes());
    }
}

fn decode_deleted(fields: &mut Fields<'_>) -> Result<ControlEntry, ControlError> {
    fields.head()?;
    Ok(ControlEntry::TopicDeleted {
        id: Uuid::from_bytes(fields.array()?),
    })
}

fn decode_streams_given(fields: &mut Fields<'_>) -> Result<ControlEntry, ControlError> {
    fields.head()?;
    Ok(ControlEntry::StreamsGiven {
        next: fields.u32()?,
    })
}

fn decode_config(fields: &mut Fields<'_>) -> Result<ControlEntry, ControlError> {
    let name_size = fields.head()?;
    let [kind, ..] = fields.array::<4>()?;
    let value_count = fields.u32()?;
    let kind = ConfigKind::from_byte(kind).ok_or(ControlError::UnknownConfig { found: kind })?;
    let name = fields.text(name_size)?.to_owned();
    Ok(ControlEntry::Config {
        key: ConfigKey { kind, name },
        values: fields.values(value_count)?,
    })
}

/// The fields of an entry that are not read yet.
pub(crate) struct Fields<'a> {
    kind: u8,
    size: usize,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn wrong_size(&self) -> ControlError {
        ControlError::Size {
            kind: self.kind,
            found: self.size,
        }
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], ControlError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(size)
            .ok_or_else(|| self.wrong_size())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], ControlError> {
        let mut array = [0; SIZE];
        array.copy_from_slice(self.take(SIZE)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, ControlError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, ControlError> {
        self.array().map(i64::from_le_bytes)
    }

    /// Type, layout, and the size that follows them.
    pub(crate) fn head(&mut self) -> Result<usize, ControlError> {
        let [_, _, low, high] = self.array()?;
        Ok(usize::from(u16::from_le_bytes([low, high])))
    }

    fn text(&mut self, size: usize) -> Result<&'a str, ControlError> {
        Ok(std::str::from_utf8(self.take(size)?)?)
    }

    fn values(&mut self, count: u32) -> Result<ConfigValues, ControlError> {
        let mut values = ConfigValues::new();
        for _ in 0..count {
            let name_size = self.u32()? as usize;
            let value_size = self.u32()? as usize;
            let name = self.text(name_size)?.to_owned();
            values.insert(name, self.text(value_size)?.to_owned());
        }
        Ok(values)
    }

    fn end(&self) -> Result<(), ControlError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong_size())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition_entries::{BatchEntry, ProducerEntry};
    use pagelog_record::Epoch;

    fn topic() -> TopicEntry {
        TopicEntry {
            id: Uuid::from_u128(7),
            name: TopicName::new("orders").expect("a valid name"),
            runs: vec![run(5, 3), run(9, 1)],
            values: ConfigValues::from([("a.b".to_owned(), "1".to_owned())]),
        }
    }

    fn run(first: u32, count: u32) -> StreamRun {
        StreamRun {
            first: StreamId(first),
            count,
        }
    }

    fn producer(id: i64, count: i32) -> ProducerEntry {
        let batch = |number| BatchEntry {
            first_sequence: number,
            last_sequence: number + 1,
            base_offset: Offset(9),
            append_time_ms: -1,
        };
        ProducerEntry {
            id,
            epoch: 2,
            batches: (0..count).map(batch).collect(),
        }
    }

    fn config(name: &str) -> ControlEntry {
        ControlEntry::Config {
            key: ConfigKey {
                kind: ConfigKind::Client,
                name: name.to_owned(),
            },
            values: ConfigValues::from([("rate".to_owned(), "5".to_owned())]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for entry in [
            ControlEntry::Topic(topic()),
            ControlEntry::TopicDeleted {
                id: Uuid::from_u128(9),
            },
            ControlEntry::StreamsGiven { next: 77 },
            ControlEntry::LogStart {
                stream: StreamId(3),
                start: Offset(40),
            },
            ControlEntry::Partition(PartitionEntry {
                stream: StreamId(3),
                start: Offset(40),
                next: Offset(50),
                epochs: vec![(Epoch(1), Offset(0)), (Epoch(4), Offset(45))],
            }),
            ControlEntry::Producers(ProducersEntry {
                stream: StreamId(3),
                producers: vec![producer(7, 1), producer(-8, 5)],
            }),
            config("someone"),
            config(""),
        ] {
            assert_eq!(
                ControlEntry::decode(&entry.encode()).expect("valid"),
                Some(entry)
            );
        }
    }

    proptest::proptest! {
        /// What a checksum has let through is still no reason to panic or to take memory that is not there.
        #[test]
        fn any_bytes_are_an_entry_or_an_error(kind in 16..60_u8, rest in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let layout = u8::from(kind == TOPIC);
            let bytes = [&[kind, layout], &rest[..]].concat();
            if let Ok(Some(entry)) = ControlEntry::decode(&bytes) {
                let again = ControlEntry::decode(&entry.encode()).expect("it was read");
                proptest::prop_assert_eq!(again, Some(entry));
            }
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let mut expected = vec![16, 1, 6, 0];
        expected.extend([0; 15]);
        expected.extend([7, 2, 0, 0, 0, 1, 0, 0, 0]);
        expected.extend([5, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0]);
        expected.extend(b"orders");
        expected.extend([3, 0, 0, 0, 1, 0, 0, 0]);
        expected.extend(b"a.b1");
        assert_eq!(ControlEntry::Topic(topic()).encode(), expected);
        let mut expected = vec![48, 0, 2, 0, 2, 0, 0, 0, 1, 0, 0, 0];
        expected.extend(b"me");
        expected.extend([4, 0, 0, 0, 1, 0, 0, 0]);
        expected.extend(b"rate5");
        assert_eq!(config("me").encode(), expected);
    }

    #[test]
    fn the_logs_own_types_are_passed_over() {
        for kind in 0..CONTROL_TYPE_MIN {
            assert_eq!(ControlEntry::decode(&[kind, 9]).expect("not ours"), None);
        }
        assert_eq!(ControlEntry::decode(&[]).expect("not ours"), None);
    }

    #[test]
    fn every_cut_and_every_stranger_is_an_error() {
        for entry in [ControlEntry::Topic(topic()), config("me")] {
            let whole = entry.encode();
            for size in 1..whole.len() {
                let cut = ControlEntry::decode(&whole[..size]);
                assert!(cut.is_err(), "cut at {size}");
            }
            let longer = [&whole[..], &[0]].concat();
            assert!(ControlEntry::decode(&longer).is_err());
        }
        assert!(matches!(
            ControlEntry::decode(&[99, 0]),
            Err(ControlError::UnknownType { found: 99 })
        ));
        assert!(matches!(
            ControlEntry::decode(&[16, 0]),
            Err(ControlError::UnknownLayout { kind: 16, found: 0 })
        ));
        let mut stranger = config("me").encode();
        stranger[4] = 99;
        assert!(matches!(
            ControlEntry::decode(&stranger),
            Err(ControlError::UnknownConfig { found: 99 })
        ));
        let mut slash = ControlEntry::Topic(topic()).encode();
        slash[28 + 16] = b'/';
        assert!(matches!(
            ControlEntry::decode(&slash),
            Err(ControlError::Name(_))
        ));
    }
}
