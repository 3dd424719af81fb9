//! The bytes of a checkpoint (docs/format.md, "Checkpoints"), and nothing else.

use pagelog_record::{Epoch, StreamId, crc32c};
use pagelog_segment::Position;

use super::CheckpointError;
use crate::header::{self, Unsealed, field};

const MAGIC: [u8; 8] = *b"PLGCKPT1";
pub(crate) const HEADER_SIZE: usize = 64;
const STREAM_SIZE: usize = 4 + 3 * 8;
const CHECKSUM_SIZE: usize = 4;

/// No file is read that is larger. A million streams of a log take 28 MB.
pub(crate) const SIZE_MAX: u64 = 1 << 30;

/// An entry of a stream can follow: the offset behind it is one.
const NEXT_MAX: i64 = i64::MAX - u32::MAX as i64;

/// The place of a start that nobody has said.
const UNSAID: i64 = -1;

/// A checkpoint as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) log_id: [u8; 16],
    /// Everything below is told here and by the index files; an entry begins here, or the log ends.
    pub(crate) position: Position,
    /// Everything below was durable when this was written.
    pub(crate) durable: Position,
    /// The epoch of the last entry below the position.
    pub(crate) epoch: Epoch,
    /// By id.
    pub(crate) streams: Vec<StreamMark>,
    /// What the log's owner wants to be told.
    pub(crate) told: Vec<u8>,
}

/// What a stream is, but for where its entries lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamMark {
    pub(crate) id: StreamId,
    /// The offset that the next record gets.
    pub(crate) next: i64,
    /// What lies below is deleted, if anybody has said so.
    pub(crate) start: Option<i64>,
    /// The lowest offset that was ever met; `i64::MAX` if there was none.
    pub(crate) first: i64,
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    log_id: [u8; 16],
    pub(crate) position: Position,
    durable: Position,
    epoch: Epoch,
    stream_count: u32,
    told_size: u64,
}

impl Header {
    /// Reads a header; what it says fits together, and nothing more is known.
    pub(crate) fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Header, CheckpointError> {
        header::check(bytes, MAGIC).map_err(|unsealed| match unsealed {
            Unsealed::Magic => CheckpointError::NoCheckpoint,
            Unsealed::Checksum => CheckpointError::Checksum { at: 0 },
        })?;
        let position = |at| Position(u64::from_le_bytes(field(bytes, at)));
        let header = Header {
            log_id: field(bytes, 8),
            position: position(24),
            durable: position(32),
            epoch: Epoch(u32::from_le_bytes(field(bytes, 40))),
            stream_count: u32::from_le_bytes(field(bytes, 44)),
            told_size: u64::from_le_bytes(field(bytes, 48)),
        };
        // The last epoch could be followed by none.
        let epochs = 1..u32::MAX;
        let fits = header.position <= header.durable && epochs.contains(&header.epoch.0);
        match fits && header.told_size <= SIZE_MAX {
            true => Ok(header),
            false => Err(CheckpointError::Fields { at: 24 }),
        }
    }

    /// The size of the whole file in bytes.
    pub(crate) fn file_size(&self) -> u64 {
        let streams = u64::from(self.stream_count) * STREAM_SIZE as u64;
        (HEADER_SIZE + CHECKSUM_SIZE) as u64 + streams + self.told_size
    }
}

impl Checkpoint {
    /// Where its file's checkpoint begins in the log, and whose it is, is up to the caller to compare.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let streams_size = self.streams.len() * STREAM_SIZE;
        let size = HEADER_SIZE + streams_size + self.told.len() + CHECKSUM_SIZE;
        let mut head = [0; HEADER_SIZE];
        let mut put = |at: usize, field: &[u8]| head[at..at + field.len()].copy_from_slice(field);
        put(8, &self.log_id);
        put(24, &self.position.0.to_le_bytes());
        put(32, &self.durable.0.to_le_bytes());
        put(40, &self.epoch.0.to_le_bytes());
        put(44, &(self.streams.len() as u32).to_le_bytes());
        put(48, &(self.told.len() as u64).to_le_bytes());
        header::seal(&mut head, MAGIC);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&head);
        for stream in &self.streams {
            bytes.extend_from_slice(&stream.id.0.to_le_bytes());
            bytes.extend_from_slice(&stream.next.to_le_bytes());
            bytes.extend_from_slice(&stream.start.unwrap_or(UNSAID).to_le_bytes());
            bytes.extend_from_slice(&stream.first.to_le_bytes());
        }
        bytes.extend_from_slice(&self.told);
        let checksum = crc32c::of(&bytes[HEADER_SIZE..]);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a whole file.
    pub(crate) fn decode(bytes: &[u8], log_id: &[u8; 16]) -> Result<Checkpoint, CheckpointError> {
        let found = bytes.len() as u64;
        let Some((head, rest)) = bytes.split_first_chunk::<HEADER_SIZE>() else {
            let expected = (HEADER_SIZE + CHECKSUM_SIZE) as u64;
            return Err(CheckpointError::Size { found, expected });
        };
        let header = Header::decode(head)?;
        if header.log_id != *log_id {
            return Err(CheckpointError::OtherLog);
        }
        let expected = header.file_size();
        let streams_size = header.stream_count as usize * STREAM_SIZE;
        let parts = rest.split_last_chunk::<CHECKSUM_SIZE>();
        let (body, checksum) = parts
            .filter(|_| found == expected)
            .ok_or(CheckpointError::Size { found, expected })?;
        if crc32c::of(body) != u32::from_le_bytes(*checksum) {
            let at = HEADER_SIZE as u64;
            return Err(CheckpointError::Checksum { at });
        }
        let (streams, told) = body.split_at(streams_size);
        Ok(Checkpoint {
            log_id: header.log_id,
            position: header.position,
            durable: header.durable,
            epoch: header.epoch,
            streams: decode_streams(streams)?,
            told: told.to_vec(),
        })
    }
}

fn decode_streams(bytes: &[u8]) -> Result<Vec<StreamMark>, CheckpointError> {
    let (streams, _) = bytes.as_chunks::<STREAM_SIZE>();
    let mut marks: Vec<StreamMark> = Vec::with_capacity(streams.len());
    for (number, bytes) in streams.iter().enumerate() {
        let offset = |at| i64::from_le_bytes(field(bytes, at));
        let start = offset(12);
        let mark = StreamMark {
            id: StreamId(u32::from_le_bytes(field(bytes, 0))),
            next: offset(4),
            start: (start != UNSAID).then_some(start),
            first: offset(20),
        };
        let follows = marks.last().is_none_or(|last| last.id < mark.id);
        let starts = mark
            .start
            .is_none_or(|start| (0..=mark.next).contains(&start));
        if !follows || !(0..=NEXT_MAX).contains(&mark.next) || !starts || mark.first < 0 {
            let at = (HEADER_SIZE + number * STREAM_SIZE) as u64;
            return Err(CheckpointError::Fields { at });
        }
        marks.push(mark);
    }
    Ok(marks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = [7; 16];

    fn checkpoint() -> Checkpoint {
        let mark = |id, start| StreamMark {
            id: StreamId(id),
            next: 50,
            start,
            first: 3,
        };
        Checkpoint {
            log_id: ID,
            position: Position(8192),
            durable: Position(9000),
            epoch: Epoch(4),
            streams: vec![mark(1, None), mark(9, Some(50))],
            told: b"what the owner said".to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let bytes = checkpoint().encode();
        assert_eq!(bytes.len(), 64 + 2 * 28 + 19 + 4);
        assert_eq!(Checkpoint::decode(&bytes, &ID).unwrap(), checkpoint());
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(Checkpoint::decode(&other, &ID).is_err(), "byte {at}");
            assert!(
                Checkpoint::decode(&bytes[..at], &ID).is_err(),
                "cut at {at}"
            );
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(Checkpoint::decode(&longer, &ID).is_err());
        let other = Checkpoint::decode(&bytes, &[8; 16]);
        assert!(matches!(other, Err(CheckpointError::OtherLog)));
    }

    #[test]
    fn the_bytes_are_those_of_the_document() {
        let bytes = checkpoint().encode();
        assert_eq!(&bytes[..8], b"PLGCKPT1");
        assert_eq!(
            bytes[24..48],
            [
                &[0, 32, 0, 0, 0, 0, 0, 0][..],
                &[40, 35, 0, 0, 0, 0, 0, 0],
                &[4, 0, 0, 0],
                &[2, 0, 0, 0]
            ]
            .concat()
        );
        assert_eq!(bytes[48..60], [19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let unsaid = [255; 8];
        assert_eq!(
            bytes[64..92],
            [
                &[1, 0, 0, 0][..],
                &[50, 0, 0, 0, 0, 0, 0, 0],
                &unsaid,
                &[3, 0, 0, 0, 0, 0, 0, 0]
            ]
            .concat()
        );
    }

    #[test]
    fn fields_that_no_writer_writes_are_refused() {
        let refused = |change: &dyn Fn(&mut Checkpoint)| {
            let mut other = checkpoint();
            change(&mut other);
            let decoded = Checkpoint::decode(&other.encode(), &ID);
            matches!(decoded, Err(CheckpointError::Fields { .. }))
        };
        assert!(refused(&|it| it.durable = Position(8191)));
        assert!(refused(&|it| it.epoch = Epoch(0)));
        assert!(refused(&|it| it.epoch = Epoch(u32::MAX)));
        assert!(refused(&|it| it.streams[1].id = StreamId(1)));
        assert!(refused(&|it| it.streams[0].next = -1));
        assert!(refused(&|it| it.streams[0].next = i64::MAX));
        assert!(refused(&|it| it.streams[1].start = Some(51)));
        assert!(refused(&|it| it.streams[1].first = -1));
        assert!(!refused(&|_| {}));
    }
}
