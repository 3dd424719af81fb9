//! The 61 bytes in front of every batch, all big-endian.
//!
//! ```text
//!  0  base offset i64           patched by the broker
//!  8  length i32                of what follows it
//! 12  leader epoch i32          patched by the broker
//! 16  magic i8 = 2
//! 17  crc u32                   CRC-32C of bytes 21 to the end
//! 21  attributes i16            bits 0–2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//! 23  last offset delta i32
//! 27  base timestamp i64
//! 35  max timestamp i64
//! 43  producer id i64           -1: none
//! 51  producer epoch i16
//! 53  base sequence i32         -1: none
//! 57  record count i32
//! 61  records, or one compressed run of them
//! ```

use pagelog_record::crc32c;

use super::{BatchError, Codec};
use crate::codec::{Encoding, Reader, Writer};

/// Bytes of a batch's header.
pub const HEADER_SIZE: usize = 61;
/// Bytes at the front that hold all that a broker assigns; no checksum covers them.
pub const PATCH_SIZE: usize = 16;

/// What stands before the length and is not counted by it, the length included.
const LENGTH_END: usize = 12;
const MAGIC: i8 = 2;
/// Where the bytes that the checksum covers begin.
pub(crate) const CRC_FROM: usize = 21;
const CRC_AT: usize = 17;

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME_BIT: i16 = 0x08;
const TRANSACTIONAL_BIT: i16 = 0x10;
const CONTROL_BIT: i16 = 0x20;
const DELETE_HORIZON_BIT: i16 = 0x40;

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of the first record.
    pub base_offset: i64,
    /// Bytes after the length itself; at least 49.
    pub length: i32,
    /// The epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// CRC-32C of all that follows it.
    pub crc: u32,
    /// Compression and kinds, as bits.
    pub attributes: i16,
    /// The offset of the last record, less the base offset.
    pub last_offset_delta: i32,
    /// The time that the records' deltas count from, in milliseconds.
    pub base_timestamp: i64,
    /// The greatest time of a record, in milliseconds; -1: the records have none.
    pub max_timestamp: i64,
    /// The producer's id; below 0: none.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The sequence of the first record; -1: none.
    pub base_sequence: i32,
    /// Records in the batch.
    pub record_count: i32,
}

impl Default for BatchHeader {
    /// A batch of no producer and no record.
    fn default() -> Self {
        Self {
            base_offset: 0,
            length: (HEADER_SIZE - LENGTH_END) as i32,
            leader_epoch: -1,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        }
    }
}

impl BatchHeader {
    /// Reads the header at the front of `bytes`; whether the rest of the batch is there is not looked at.
    ///
    /// # Errors
    /// When `bytes` is shorter than a header, the format is not 2, or the length is less than a header's.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        if let Some(&magic) = bytes.get(PATCH_SIZE)
            && magic as i8 != MAGIC
        {
            return Err(BatchError::Magic(magic as i8));
        }
        let short = BatchError::Short {
            wanted: HEADER_SIZE,
            actual: bytes.len(),
        };
        let header = Self::read(&mut Reader::new(bytes, Encoding::Classic)).map_err(|_| short)?;
        if usize::try_from(header.length).is_ok_and(|length| length >= HEADER_SIZE - LENGTH_END) {
            Ok(header)
        } else {
            Err(BatchError::Length(header.length))
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, crate::codec::DecodeError> {
        let (base_offset, length, leader_epoch) = (reader.i64()?, reader.i32()?, reader.i32()?);
        let (_magic, crc) = (reader.i8()?, reader.u32()?);
        Ok(Self {
            base_offset,
            length,
            leader_epoch,
            crc,
            attributes: reader.i16()?,
            last_offset_delta: reader.i32()?,
            base_timestamp: reader.i64()?,
            max_timestamp: reader.i64()?,
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            base_sequence: reader.i32()?,
            record_count: reader.i32()?,
        })
    }

    /// The bytes of the header.
    pub fn encode(&self) -> [u8; HEADER_SIZE] {
        let mut bytes = Vec::with_capacity(HEADER_SIZE);
        let mut writer = Writer::new(&mut bytes, Encoding::Classic);
        writer.i64(self.base_offset);
        writer.i32(self.length);
        writer.i32(self.leader_epoch);
        writer.i8(MAGIC);
        writer.u32(self.crc);
        writer.i16(self.attributes);
        writer.i32(self.last_offset_delta);
        writer.i64(self.base_timestamp);
        writer.i64(self.max_timestamp);
        writer.i64(self.producer_id);
        writer.i16(self.producer_epoch);
        writer.i32(self.base_sequence);
        writer.i32(self.record_count);
        bytes
            .try_into()
            .expect("the fields of a header have its size")
    }

    /// A whole batch of this header and `payload`, with the length and the checksum that belong to them.
    ///
    /// # Panics
    /// When the payload has 2 GiB.
    pub fn seal(mut self, payload: &[u8]) -> Vec<u8> {
        let length = HEADER_SIZE - LENGTH_END + payload.len();
        self.length = i32::try_from(length).expect("a batch is smaller than 2 GiB");
        let mut batch = self.encode().to_vec();
        batch.extend_from_slice(payload);
        let crc = crc32c::of(&batch[CRC_FROM..]);
        batch[CRC_AT..CRC_FROM].copy_from_slice(&crc.to_be_bytes());
        batch
    }

    /// Bytes of the whole batch.
    pub fn size(&self) -> usize {
        LENGTH_END + self.length as usize
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// When there is no such compression.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        let bits = (self.attributes & CODEC_BITS) as u8;
        Codec::from_bits(bits).ok_or(BatchError::Codec(bits))
    }

    /// Whether the records' times are those of the append, all of them `max_timestamp`.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// Whether the records belong to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL_BIT != 0
    }

    /// Whether it is the broker's own: a transaction marker, or one that a compaction has marked.
    pub fn is_broker_only(&self) -> bool {
        self.attributes & (CONTROL_BIT | DELETE_HORIZON_BIT) != 0
    }

    /// Whether a producer counts its batches.
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }

    /// This header with another max timestamp, said to be that of the append or not, and the checksum that then holds.
    ///
    /// The change lies in the first 40 checked bytes, and CRCs are linear: the difference of the old and the new header's CRC, shifted past
    /// the payload, is the difference of the whole. So the payload is not read again.
    pub(super) fn with_times(mut self, max_timestamp: i64, log_append_time: bool) -> Self {
        let before = crc32c::of(&self.encode()[CRC_FROM..]);
        self.max_timestamp = max_timestamp;
        if log_append_time {
            self.attributes |= LOG_APPEND_TIME_BIT;
        }
        let after = crc32c::of(&self.encode()[CRC_FROM..]);
        self.crc ^= crc32c::join(before ^ after, 0, (self.size() - HEADER_SIZE) as u32);
        self
    }
}

/// Writes what the broker assigns into the front of a batch: its base offset and leader epoch. The checksum stays right.
///
/// # Panics
/// When `batch` has fewer than [`PATCH_SIZE`] bytes.
pub fn patch(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[LENGTH_END..PATCH_SIZE].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// The batches in `records`, as a Fetch answer carries them: the last may be cut, and is then left out, as every client does.
///
/// An error ends the iteration.
pub fn batches(records: &[u8]) -> impl Iterator<Item = Result<(BatchHeader, &[u8]), BatchError>> {
    let mut rest = records;
    std::iter::from_fn(move || {
        if rest.len() < HEADER_SIZE {
            return None;
        }
        let header = match BatchHeader::parse(rest) {
            Ok(header) => header,
            Err(error) => {
                rest = &[];
                return Some(Err(error));
            }
        };
        let (batch, after) = rest.split_at_checked(header.size())?;
        rest = after;
        Some(Ok((header, batch)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_its_own_encoding() {
        let header = BatchHeader {
            base_offset: 7,
            attributes: 0x13,
            max_timestamp: 99,
            ..Default::default()
        };
        assert_eq!(BatchHeader::parse(&header.encode()).unwrap(), header);
        assert!(header.is_transactional() && !header.is_broker_only());
        assert_eq!(header.codec().unwrap(), Codec::Lz4);
    }

    #[test]
    fn the_patch_leaves_length_and_checksum() {
        let mut batch = BatchHeader::default().seal(b"payload");
        let before = BatchHeader::parse(&batch).unwrap();
        patch(&mut batch, 1 << 40, 6);
        let expected = BatchHeader {
            base_offset: 1 << 40,
            leader_epoch: 6,
            ..before
        };
        assert_eq!(BatchHeader::parse(&batch).unwrap(), expected);
        assert_eq!(crc32c::of(&batch[CRC_FROM..]), before.crc);
    }

    #[test]
    fn another_max_timestamp_needs_no_second_look_at_the_payload() {
        for size in [0, 1, 7, 1_000, 70_000] {
            let payload: Vec<u8> = (0..size).map(|byte| (byte * 7) as u8).collect();
            let batch = BatchHeader::default().seal(&payload);
            let corrected = BatchHeader::parse(&batch)
                .unwrap()
                .with_times(123_456, size % 2 == 1);
            let mut whole = corrected.encode().to_vec();
            whole.extend_from_slice(&payload);
            assert_eq!(crc32c::of(&whole[CRC_FROM..]), corrected.crc, "{size}");
        }
    }

    #[test]
    fn batches_end_at_the_cut_one() {
        let batch = BatchHeader::default().seal(b"payload");
        let mut two = [batch.clone(), batch.clone()].concat();
        assert_eq!(batches(&two).count(), 2);
        two.pop();
        assert_eq!(
            batches(&two)
                .map(|batch| batch.unwrap().1.len())
                .collect::<Vec<_>>(),
            [batch.len()]
        );
        two[16] = 1;
        assert!(matches!(
            batches(&two).next(),
            Some(Err(BatchError::Magic(1)))
        ));
    }

    #[test]
    fn lengths_below_a_header_are_refused() {
        for length in [i32::MIN, -1, 0, 48] {
            let header = BatchHeader {
                length,
                ..Default::default()
            }
            .encode();
            assert!(matches!(
                BatchHeader::parse(&header),
                Err(BatchError::Length(_))
            ));
        }
        assert!(matches!(
            BatchHeader::parse(&[0; 16]),
            Err(BatchError::Short { .. })
        ));
    }
}
