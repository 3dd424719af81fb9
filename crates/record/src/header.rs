//! The 80 bytes in front of every payload. The drawing is in `docs/format.md`, one field per line.

use crate::vocabulary::{Epoch, Offset, Producer, StreamId};

/// The size of every header, in bytes.
pub const HEADER_SIZE: usize = 80;

/// Entries begin at multiples of this many bytes.
pub const ALIGNMENT: usize = 8;

/// The first four bytes of every entry; the digit is the version of the format.
pub const MAGIC: [u8; 4] = *b"PLE1";

/// Where the checksum lies; it covers every other byte of the header.
pub(crate) const CHECKSUM_AT: usize = 8;

/// The size of the checksum, in bytes.
pub(crate) const CHECKSUM_SIZE: usize = 4;

/// How many bytes of a header its checksum covers.
pub(crate) const COVERED_SIZE: usize = HEADER_SIZE - CHECKSUM_SIZE;

/// The bit of the flags byte that says [`Header::moved`].
const FLAG_MOVED: u8 = 1;

const _: () = assert!(HEADER_SIZE.is_multiple_of(ALIGNMENT));

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Records of a stream.
    Data = 1,
    /// Covers bytes that hold nothing: the rest of a segment, or a reservation that was given up.
    Filler = 2,
    /// The log's or the store's own.
    Control = 3,
}

/// What is known of an entry before its payload is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the entry is for.
    pub kind: Kind,
    /// The entry had been in the log before and was appended again, since the segment that held it was to go: payload and offsets are
    /// those it had, the position is not. Replayed, it says where its records lie now and nothing else that is new.
    pub moved: bool,
    /// The payload's size in bytes, without padding.
    pub payload_size: u32,
    /// The byte address of this entry in the whole log, so that stale bytes of a recycled file never pass for new ones.
    pub position: u64,
    /// Everything below this position was durable when the entry was written.
    pub durable: u64,
    /// The number of the first record in its stream.
    pub base_offset: Offset,
    /// When the log took the entry, in milliseconds since 1970.
    pub append_time_ms: i64,
    /// The highest time of a record in it as its writer gave it, in milliseconds since 1970; −1 for none.
    pub record_time_max_ms: i64,
    /// The stream it belongs to.
    pub stream: StreamId,
    /// How many offsets it takes.
    pub count: u32,
    /// The opening of the log that wrote it.
    pub epoch: Epoch,
    /// Who wrote it.
    pub producer: Producer,
}

/// Why 80 bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The first four bytes are not [`MAGIC`]: nothing was written here, or by another version.
    #[error("no entry begins here (its first bytes are {0:02x?})")]
    Magic([u8; 4]),
    /// The kind is none of [`Kind`].
    #[error("unknown kind of entry {0}")]
    Kind(u8),
    /// A flag is set that this version does not know.
    #[error("unknown flags {0:#04x}")]
    Flags(u8),
}

/// The bytes that an entry with this payload takes in the log, padding included.
pub const fn entry_size(payload_size: u32) -> u64 {
    (HEADER_SIZE as u64 + payload_size as u64).next_multiple_of(ALIGNMENT as u64)
}

impl Header {
    /// The bytes that the entry takes in the log, padding included.
    pub const fn entry_size(&self) -> u64 {
        entry_size(self.payload_size)
    }

    /// The position right after the entry, or `None` where positions end.
    pub fn end(&self) -> Option<u64> {
        self.position.checked_add(self.entry_size())
    }

    /// The payload bytes that the checksum covers: all of them, but none of a filler's.
    pub fn covered_size(&self) -> u32 {
        match self.kind {
            Kind::Filler => 0,
            Kind::Data | Kind::Control => self.payload_size,
        }
    }

    /// The bytes that the checksum covers: all but its own.
    pub(crate) fn covered(&self) -> [u8; COVERED_SIZE] {
        let mut bytes = [0; COVERED_SIZE];
        let mut put = |at: usize, field: &[u8]| {
            let at = if at < CHECKSUM_AT {
                at
            } else {
                at - CHECKSUM_SIZE
            };
            bytes[at..at + field.len()].copy_from_slice(field);
        };
        put(0, &MAGIC);
        put(4, &[self.kind as u8]);
        put(5, &[if self.moved { FLAG_MOVED } else { 0 }]);
        put(6, &self.producer.epoch.to_le_bytes());
        put(12, &self.payload_size.to_le_bytes());
        put(16, &self.position.to_le_bytes());
        put(24, &self.durable.to_le_bytes());
        put(32, &self.base_offset.0.to_le_bytes());
        put(40, &self.append_time_ms.to_le_bytes());
        put(48, &self.record_time_max_ms.to_le_bytes());
        put(56, &self.stream.0.to_le_bytes());
        put(60, &self.count.to_le_bytes());
        put(64, &self.epoch.0.to_le_bytes());
        put(68, &self.producer.sequence.to_le_bytes());
        put(72, &self.producer.id.to_le_bytes());
        bytes
    }

    /// Reads a header without verifying its checksum; [`crate::Seed`] does that.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] when magic, kind or flags are not of this format.
    pub fn decode(bytes: &[u8; HEADER_SIZE]) -> Result<Header, HeaderError> {
        let magic = field(bytes, 0);
        if magic != MAGIC {
            return Err(HeaderError::Magic(magic));
        }
        let kind = match bytes[4] {
            1 => Kind::Data,
            2 => Kind::Filler,
            3 => Kind::Control,
            other => return Err(HeaderError::Kind(other)),
        };
        if bytes[5] & !FLAG_MOVED != 0 {
            return Err(HeaderError::Flags(bytes[5]));
        }
        Ok(Header {
            kind,
            moved: bytes[5] & FLAG_MOVED != 0,
            payload_size: u32::from_le_bytes(field(bytes, 12)),
            position: u64::from_le_bytes(field(bytes, 16)),
            durable: u64::from_le_bytes(field(bytes, 24)),
            base_offset: Offset(i64::from_le_bytes(field(bytes, 32))),
            append_time_ms: i64::from_le_bytes(field(bytes, 40)),
            record_time_max_ms: i64::from_le_bytes(field(bytes, 48)),
            stream: StreamId(u32::from_le_bytes(field(bytes, 56))),
            count: u32::from_le_bytes(field(bytes, 60)),
            epoch: Epoch(u32::from_le_bytes(field(bytes, 64))),
            producer: Producer {
                id: i64::from_le_bytes(field(bytes, 72)),
                epoch: i16::from_le_bytes(field(bytes, 6)),
                sequence: i32::from_le_bytes(field(bytes, 68)),
            },
        })
    }
}

/// `N` bytes from a constant place within the header.
pub(crate) fn field<const N: usize>(bytes: &[u8; HEADER_SIZE], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}
