//! The checksum of entries, which only this log can make: it begins with the log's secret.

use crate::header::{CHECKSUM_AT, HEADER_SIZE, Header, HeaderError, field};
use crate::sum::Sum;

/// The size of a log's secret, in bytes.
pub const SECRET_SIZE: usize = 16;

/// The start of every checksum in one log.
///
/// A payload is bytes from a stranger and may imitate an entry in every field but this one, so recovery never takes a part of a payload for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u32);

/// A checksum over a header and the payload bytes that were fed to it so far.
#[derive(Clone, Copy, Debug)]
pub struct Checksum {
    expected: u32,
    value: u32,
}

/// The bytes are not those that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checksum is {found:#010x} where the header says {expected:#010x}")]
pub struct ChecksumError {
    /// What the header says.
    pub expected: u32,
    /// What the bytes give.
    pub found: u32,
}

/// Why bytes are no whole entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The first 80 bytes are no header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The payload is not of the size that the header names.
    #[error("the payload has {found} bytes where the header says {expected}")]
    Size {
        /// What the header says.
        expected: u32,
        /// How many bytes there are.
        found: usize,
    },
    /// Header or payload are not what was written.
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
}

impl Seed {
    /// The seed of the log with this secret.
    pub fn from_secret(secret: &[u8; SECRET_SIZE]) -> Seed {
        Seed(crc32c::crc32c(secret))
    }

    /// The bytes of `header`, with the checksum over it and over the payload, given in parts.
    ///
    /// A filler's payload is not covered: give no parts.
    pub fn seal(&self, header: &Header, payload: &[&[u8]]) -> [u8; HEADER_SIZE] {
        let mut bytes = header.encode();
        let mut value = self.over_header(&bytes);
        for part in payload {
            value = crc32c::crc32c_append(value, part);
        }
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// As [`Seed::seal`], for a payload of which only the first bytes are at hand, and of the others their sum.
    pub fn seal_summed(&self, header: &Header, first: &[u8], rest: &Sum) -> [u8; HEADER_SIZE] {
        let mut bytes = header.encode();
        let before = crc32c::crc32c_append(self.over_header(&bytes), first);
        let value = rest.behind_value(before);
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    }

    /// Begins to verify the entry with this header; feed it the first [`Header::covered_size`] bytes of the payload.
    pub fn begin(&self, header: &[u8; HEADER_SIZE]) -> Checksum {
        Checksum {
            expected: u32::from_le_bytes(field(header, CHECKSUM_AT)),
            value: self.over_header(header),
        }
    }

    /// Decodes and verifies an entry that lies in memory as a whole.
    ///
    /// # Errors
    ///
    /// [`EntryError`] says which part is not what was written.
    pub fn open(&self, bytes: &[u8; HEADER_SIZE], payload: &[u8]) -> Result<Header, EntryError> {
        let header = Header::decode(bytes)?;
        if payload.len() as u64 != u64::from(header.payload_size) {
            return Err(EntryError::Size {
                expected: header.payload_size,
                found: payload.len(),
            });
        }
        let mut checksum = self.begin(bytes);
        checksum.update(&payload[..header.covered_size() as usize]);
        checksum.verify()?;
        Ok(header)
    }

    fn over_header(&self, bytes: &[u8; HEADER_SIZE]) -> u32 {
        let before = crc32c::crc32c_append(self.0, &bytes[..CHECKSUM_AT]);
        crc32c::crc32c_append(before, &bytes[CHECKSUM_AT + 4..])
    }
}

impl Checksum {
    /// Takes the next bytes of the payload.
    pub fn update(&mut self, payload: &[u8]) {
        self.value = crc32c::crc32c_append(self.value, payload);
    }

    /// Whether the bytes so far are the whole that was sealed.
    ///
    /// # Errors
    ///
    /// [`ChecksumError`] with both values when they are not.
    pub fn verify(&self) -> Result<(), ChecksumError> {
        if self.value == self.expected {
            return Ok(());
        }
        Err(ChecksumError {
            expected: self.expected,
            found: self.value,
        })
    }
}
