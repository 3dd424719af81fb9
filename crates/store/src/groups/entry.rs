//! The entries of groups in the log: committed offsets, what a protocol keeps of a group, and the ends of both.
//!
//! The bytes are drawn in `docs/format.md`, "Control entries of groups". Integers are little-endian. Nothing here does I/O.

use bytes::Bytes;
use uuid::Uuid;

use super::name::{GroupName, GroupNameError};
use super::{Commit, Place};

/// The first type of these entries.
const FIRST: u8 = OFFSETS_COMMITTED;
/// The last type of these entries.
const LAST: u8 = GROUP_DELETED;

const OFFSETS_COMMITTED: u8 = 32;
const OFFSETS_DELETED: u8 = 33;
const GROUP_KEPT: u8 = 34;
const GROUP_DELETED: u8 = 35;

/// Stands for an offset that does not end by itself.
const NEVER: i64 = i64::MAX;

/// Topic id, partition, leader epoch, offset, end, time, note size.
const COMMIT_SIZE: usize = 16 + 4 + 4 + 8 + 8 + 8 + 2;

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupEntry {
    /// So far the group has come.
    Committed {
        group: GroupName,
        commits: Vec<Commit>,
    },
    /// The group has come nowhere in these places.
    Uncommitted {
        group: GroupName,
        places: Vec<Place>,
    },
    /// What the group's protocol wants to be given again at the next opening.
    Kept { group: GroupName, state: Bytes },
    /// The group is gone, with everything it had.
    Deleted { group: GroupName },
}

/// Why an entry of a group whose checksum is right cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum GroupEntryError {
    /// The layout's version is not known.
    #[error("control entry of type {kind} has layout {found}; this version reads 0")]
    UnknownLayout {
        /// The type byte.
        kind: u8,
        /// The layout byte.
        found: u8,
    },
    /// The entry is shorter or longer than its fields say.
    #[error("control entry of type {kind} has another size than its fields say")]
    Size {
        /// The type byte.
        kind: u8,
    },
    /// A text is not UTF-8.
    #[error("control entry of type {kind} has a text that is not one")]
    NotText {
        /// The type byte.
        kind: u8,
    },
    /// The name is not a valid one.
    #[error("control entry of a group is refused: {0}")]
    Name(#[from] GroupNameError),
}

impl GroupEntry {
    /// Whether a control entry is one of these, by its first byte.
    pub(crate) fn is_one(bytes: &[u8]) -> bool {
        bytes
            .first()
            .is_some_and(|kind| (FIRST..=LAST).contains(kind))
    }

    /// The bytes that go into the log.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            GroupEntry::Committed { group, commits } => {
                let mut bytes = head(OFFSETS_COMMITTED, group, commits.len());
                for commit in commits {
                    encode_commit(&mut bytes, commit);
                }
                bytes
            }
            GroupEntry::Uncommitted { group, places } => {
                let mut bytes = head(OFFSETS_DELETED, group, places.len());
                for place in places {
                    encode_place(&mut bytes, *place);
                }
                bytes
            }
            GroupEntry::Kept { group, state } => {
                let mut bytes = head(GROUP_KEPT, group, state.len());
                bytes.extend_from_slice(state);
                bytes
            }
            GroupEntry::Deleted { group } => head(GROUP_DELETED, group, 0),
        }
    }

    /// Reads an entry.
    pub(crate) fn decode(bytes: &[u8]) -> Result<GroupEntry, GroupEntryError> {
        let kind = bytes.first().copied().unwrap_or(0);
        let mut cursor = Cursor { bytes, kind };
        let [_, layout] = cursor.array()?;
        if layout != 0 {
            return Err(GroupEntryError::UnknownLayout {
                kind,
                found: layout,
            });
        }
        let name_size = usize::from(u16::from_le_bytes(cursor.array()?));
        let count = u32::from_le_bytes(cursor.array()?) as usize;
        let group = GroupName::new(cursor.text(name_size)?)?;
        let entry = match kind {
            OFFSETS_COMMITTED => GroupEntry::Committed {
                group,
                commits: cursor.many(count, COMMIT_SIZE, Cursor::commit)?,
            },
            OFFSETS_DELETED => GroupEntry::Uncommitted {
                group,
                places: cursor.many(count, PLACE_SIZE, Cursor::place)?,
            },
            GROUP_KEPT => GroupEntry::Kept {
                group,
                state: Bytes::copy_from_slice(cursor.take(count)?),
            },
            _ => GroupEntry::Deleted { group },
        };
        if cursor.bytes.is_empty() {
            Ok(entry)
        } else {
            Err(GroupEntryError::Size { kind })
        }
    }
}

/// How many bytes a commit takes in an entry.
pub(crate) fn commit_size(commit: &Commit) -> usize {
    COMMIT_SIZE + commit.note.len()
}

/// Type, layout, name size, count, name.
fn head(kind: u8, group: &GroupName, count: usize) -> Vec<u8> {
    let name = group.as_str().as_bytes();
    let mut bytes = vec![kind, 0];
    bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&(count as u32).to_le_bytes());
    bytes.extend_from_slice(name);
    bytes
}

/// Topic id, partition.
const PLACE_SIZE: usize = 16 + 4;

fn encode_place(bytes: &mut Vec<u8>, place: Place) {
    bytes.extend_from_slice(place.topic.as_bytes());
    bytes.extend_from_slice(&place.partition.to_le_bytes());
}

fn encode_commit(bytes: &mut Vec<u8>, commit: &Commit) {
    encode_place(bytes, commit.place);
    bytes.extend_from_slice(&commit.leader_epoch.to_le_bytes());
    bytes.extend_from_slice(&commit.offset.to_le_bytes());
    bytes.extend_from_slice(&commit.expires_ms.unwrap_or(NEVER).to_le_bytes());
    bytes.extend_from_slice(&commit.time_ms.to_le_bytes());
    bytes.extend_from_slice(&(commit.note.len() as u16).to_le_bytes());
    bytes.extend_from_slice(commit.note.as_bytes());
}

/// What is left of an entry.
struct Cursor<'a> {
    bytes: &'a [u8],
    kind: u8,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], GroupEntryError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(size)
            .ok_or(GroupEntryError::Size { kind: self.kind })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const SIZE: usize>(&mut self) -> Result<[u8; SIZE], GroupEntryError> {
        let kind = self.kind;
        let taken = self.take(SIZE)?;
        taken.try_into().map_err(|_| GroupEntryError::Size { kind })
    }

    fn text(&mut self, size: usize) -> Result<&'a str, GroupEntryError> {
        let kind = self.kind;
        std::str::from_utf8(self.take(size)?).map_err(|_| GroupEntryError::NotText { kind })
    }

    /// `count` elements of at least `size_min` bytes; the count is held against what is there before memory is taken for it.
    fn many<T>(
        &mut self,
        count: usize,
        size_min: usize,
        read: impl Fn(&mut Cursor<'a>) -> Result<T, GroupEntryError>,
    ) -> Result<Vec<T>, GroupEntryError> {
        if count > self.bytes.len() / size_min {
            return Err(GroupEntryError::Size { kind: self.kind });
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn place(&mut self) -> Result<Place, GroupEntryError> {
        Ok(Place {
            topic: Uuid::from_bytes(self.array()?),
            partition: u32::from_le_bytes(self.array()?),
        })
    }

    fn commit(&mut self) -> Result<Commit, GroupEntryError> {
        let place = self.place()?;
        let leader_epoch = i32::from_le_bytes(self.array()?);
        let offset = i64::from_le_bytes(self.array()?);
        let expires_ms = i64::from_le_bytes(self.array()?);
        let time_ms = i64::from_le_bytes(self.array()?);
        let note_size = usize::from(u16::from_le_bytes(self.array()?));
        Ok(Commit {
            place,
            offset,
            leader_epoch,
            time_ms,
            expires_ms: (expires_ms != NEVER).then_some(expires_ms),
            note: self.text(note_size)?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> GroupName {
        GroupName::new("g").expect("a valid name")
    }

    fn place() -> Place {
        Place {
            topic: Uuid::from_u128(7),
            partition: 3,
        }
    }

    fn commit(expires_ms: Option<i64>) -> Commit {
        Commit {
            place: place(),
            offset: 258,
            leader_epoch: 9,
            time_ms: 5,
            expires_ms,
            note: "note".into(),
        }
    }

    fn all() -> [GroupEntry; 4] {
        let group = name();
        [
            GroupEntry::Committed {
                group: group.clone(),
                commits: vec![commit(None), commit(Some(77))],
            },
            GroupEntry::Uncommitted {
                group: group.clone(),
                places: vec![place()],
            },
            GroupEntry::Kept {
                group: group.clone(),
                state: Bytes::from_static(b"state"),
            },
            GroupEntry::Deleted { group },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for entry in all() {
            let bytes = entry.encode();
            assert!(GroupEntry::is_one(&bytes));
            assert_eq!(GroupEntry::decode(&bytes).expect("valid"), entry);
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let entry = GroupEntry::Committed {
            group: name(),
            commits: vec![commit(None)],
        };
        let mut expected = vec![32, 0, 1, 0, 1, 0, 0, 0, b'g'];
        expected.extend([0; 15]);
        expected.extend([7, 3, 0, 0, 0, 9, 0, 0, 0]);
        expected.extend([2, 1, 0, 0, 0, 0, 0, 0]);
        expected.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        expected.extend([5, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
        expected.extend(b"note");
        assert_eq!(entry.encode(), expected);
        assert_eq!(
            GroupEntry::Deleted { group: name() }.encode(),
            [35, 0, 1, 0, 0, 0, 0, 0, b'g']
        );
    }

    #[test]
    fn every_cut_every_excess_and_every_count_that_cannot_be_is_an_error() {
        for entry in all() {
            let whole = entry.encode();
            for size in 1..whole.len() {
                assert!(GroupEntry::decode(&whole[..size]).is_err(), "cut at {size}");
            }
            let longer = [whole.as_slice(), &[0]].concat();
            assert!(GroupEntry::decode(&longer).is_err());
            let mut other = whole.clone();
            other[1] = 1;
            assert!(matches!(
                GroupEntry::decode(&other),
                Err(GroupEntryError::UnknownLayout { found: 1, .. })
            ));
            let mut many = whole;
            many[4..8].fill(0xff);
            let decoded = GroupEntry::decode(&many);
            assert!(
                decoded.is_err() || matches!(entry, GroupEntry::Deleted { .. }),
                "{entry:?}"
            );
        }
    }
}
