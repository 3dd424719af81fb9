//! The store's own entries in the log: which topics there are.
//!
//! The bytes are drawn in `docs/format.md`, "Control entries of the store". The first byte is the type; 1 to 15 belong
//! to the log and are passed over here. Integers are little-endian. Nothing here does I/O. What is kept by such entries stays by
//! [`crate::kept`].

use pagelog_record::StreamId;
use uuid::Uuid;

use crate::topic_name::{TopicName, TopicNameError};

/// Types below this belong to the log.
pub(crate) const CONTROL_TYPE_MIN: u8 = 16;
const TOPIC_CREATED: u8 = 16;
const TOPIC_DELETED: u8 = 17;
const STREAMS_GIVEN: u8 = 18;

/// Type, version and name size, id, first stream, partition count.
const TOPIC_CREATED_SIZE: usize = 4 + 16 + 4 + 4;
const TOPIC_DELETED_SIZE: usize = 4 + 16;
const STREAMS_GIVEN_SIZE: usize = 4 + 4;

/// One control entry of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlEntry {
    /// A topic came to be; its partitions are the streams from `first_stream` on, one after the other.
    TopicCreated {
        id: Uuid,
        name: TopicName,
        first_stream: StreamId,
        partition_count: u32,
    },
    /// A topic is gone; its streams are never used again.
    TopicDeleted { id: Uuid },
    /// Every stream below `next` has been given once, though no topic may be left to say so.
    StreamsGiven { next: u32 },
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
    #[error("control entry of type {kind} has layout {found}; this version reads 0")]
    UnknownLayout {
        /// The type byte.
        kind: u8,
        /// The layout byte.
        found: u8,
    },
    /// The entry has another size than its type says.
    #[error("control entry of type {kind} has {found} bytes, expected {expected}")]
    Size {
        /// The type byte.
        kind: u8,
        /// The size found.
        found: usize,
        /// The size that its fields ask for.
        expected: usize,
    },
    /// The name is not UTF-8 text.
    #[error("the topic name is not text")]
    NameNotText(#[from] std::str::Utf8Error),
    /// The name is not a valid one.
    #[error("the topic name is refused: {0}")]
    Name(#[from] TopicNameError),
}

impl ControlEntry {
    /// The bytes that go into the log.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            ControlEntry::TopicCreated {
                id,
                name,
                first_stream,
                partition_count,
            } => {
                let name = name.as_str().as_bytes();
                let mut bytes = head(TOPIC_CREATED, name.len() as u16);
                bytes.extend_from_slice(id.as_bytes());
                bytes.extend_from_slice(&first_stream.0.to_le_bytes());
                bytes.extend_from_slice(&partition_count.to_le_bytes());
                bytes.extend_from_slice(name);
                bytes
            }
            ControlEntry::TopicDeleted { id } => {
                let mut bytes = head(TOPIC_DELETED, 0);
                bytes.extend_from_slice(id.as_bytes());
                bytes
            }
            ControlEntry::StreamsGiven { next } => {
                let mut bytes = head(STREAMS_GIVEN, 0);
                bytes.extend_from_slice(&next.to_le_bytes());
                bytes
            }
        }
    }

    /// Reads an entry; `None` when it is one of the log's own.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<ControlEntry>, ControlError> {
        let kind = bytes.first().copied().unwrap_or(0);
        if kind < CONTROL_TYPE_MIN {
            return Ok(None);
        }
        if let Some(&found) = bytes.get(1)
            && found != 0
        {
            return Err(ControlError::UnknownLayout { kind, found });
        }
        match kind {
            TOPIC_CREATED => decode_created(bytes).map(Some),
            TOPIC_DELETED => decode_deleted(bytes).map(Some),
            STREAMS_GIVEN => decode_streams_given(bytes).map(Some),
            found => Err(ControlError::UnknownType { found }),
        }
    }
}

fn head(kind: u8, name_size: u16) -> Vec<u8> {
    let size = name_size.to_le_bytes();
    vec![kind, 0, size[0], size[1]]
}

fn decode_created(bytes: &[u8]) -> Result<ControlEntry, ControlError> {
    let name_size = field(bytes, 2).map_or(0, u16::from_le_bytes);
    let expected = TOPIC_CREATED_SIZE + usize::from(name_size);
    check_size(bytes, TOPIC_CREATED, expected)?;
    Ok(ControlEntry::TopicCreated {
        id: Uuid::from_bytes(field(bytes, 4).unwrap_or_default()),
        first_stream: StreamId(field(bytes, 20).map_or(0, u32::from_le_bytes)),
        partition_count: field(bytes, 24).map_or(0, u32::from_le_bytes),
        name: TopicName::new(std::str::from_utf8(&bytes[TOPIC_CREATED_SIZE..])?)?,
    })
}

fn decode_deleted(bytes: &[u8]) -> Result<ControlEntry, ControlError> {
    check_size(bytes, TOPIC_DELETED, TOPIC_DELETED_SIZE)?;
    Ok(ControlEntry::TopicDeleted {
        id: Uuid::from_bytes(field(bytes, 4).unwrap_or_default()),
    })
}

fn decode_streams_given(bytes: &[u8]) -> Result<ControlEntry, ControlError> {
    check_size(bytes, STREAMS_GIVEN, STREAMS_GIVEN_SIZE)?;
    Ok(ControlEntry::StreamsGiven {
        next: field(bytes, 4).map_or(0, u32::from_le_bytes),
    })
}

fn check_size(bytes: &[u8], kind: u8, expected: usize) -> Result<(), ControlError> {
    let found = bytes.len();
    if found == expected {
        Ok(())
    } else {
        Err(ControlError::Size {
            kind,
            found,
            expected,
        })
    }
}

fn field<const SIZE: usize>(bytes: &[u8], at: usize) -> Option<[u8; SIZE]> {
    bytes.get(at..at + SIZE)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created() -> ControlEntry {
        ControlEntry::TopicCreated {
            id: Uuid::from_u128(7),
            name: TopicName::new("orders").expect("a valid name"),
            first_stream: StreamId(5),
            partition_count: 3,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for entry in [
            created(),
            ControlEntry::TopicDeleted {
                id: Uuid::from_u128(9),
            },
            ControlEntry::StreamsGiven { next: 77 },
        ] {
            assert_eq!(
                ControlEntry::decode(&entry.encode()).expect("valid"),
                Some(entry)
            );
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let mut expected = vec![16, 0, 6, 0];
        expected.extend([0; 15]);
        expected.extend([7, 5, 0, 0, 0, 3, 0, 0, 0]);
        expected.extend(b"orders");
        assert_eq!(created().encode(), expected);
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
        let whole = created().encode();
        for size in 1..whole.len() {
            assert!(
                ControlEntry::decode(&whole[..size]).is_err(),
                "cut at {size}"
            );
        }
        assert!(matches!(
            ControlEntry::decode(&[99, 0]),
            Err(ControlError::UnknownType { found: 99 })
        ));
        assert!(matches!(
            ControlEntry::decode(&[16, 1]),
            Err(ControlError::UnknownLayout { kind: 16, found: 1 })
        ));
        let mut slash = whole;
        slash[TOPIC_CREATED_SIZE] = b'/';
        assert!(matches!(
            ControlEntry::decode(&slash),
            Err(ControlError::Name(_))
        ));
    }
}
