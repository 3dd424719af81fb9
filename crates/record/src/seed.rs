//! The checksum of entries, which only this log can make: it begins with the log's secret.

use crate::crc32c::{self, Running};
use crate::header::{
    CHECKSUM_AT, CHECKSUM_SIZE, COVERED_SIZE, HEADER_SIZE, Header, HeaderError, field,
};
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

/// A header whose payload is being given.
#[derive(Clone, Debug)]
pub struct Sealing {
    covered: [u8; COVERED_SIZE],
    /// The checksum of that and of the payload so far.
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
        Seed(crc32c::of(secret))
    }

    /// The bytes of `header`, with the checksum over it and over the payload, given in parts.
    ///
    /// A filler's payload is not covered: give no parts.
    pub fn seal(&self, header: &Header, payload: &[&[u8]]) -> [u8; HEADER_SIZE] {
        let mut sealing = self.sealing(header);
        payload.iter().for_each(|part| sealing.update(part));
        sealing.finish()
    }

    /// As [`Seed::seal`], for a payload that is given bit by bit.
    ///
    /// ```
    /// # use pagelog_record::{Epoch, Header, Kind, Offset, Producer, Seed, StreamId};
    /// # let header = Header {
    /// #     kind: Kind::Data, moved: false, payload_size: 5, position: 0, durable: 0, base_offset: Offset(0), append_time_ms: 0,
    /// #     record_time_max_ms: 0, stream: StreamId(1), count: 1, epoch: Epoch(1), producer: Producer::NONE,
    /// # };
    /// let seed = Seed::from_secret(b"sixteen byte key");
    /// let mut sealing = seed.sealing(&header);
    /// sealing.update(b"he");
    /// sealing.update(b"llo");
    /// assert_eq!(sealing.finish(), seed.seal(&header, &[b"hello"]));
    /// ```
    #[inline]
    pub fn sealing(&self, header: &Header) -> Sealing {
        let covered = header.covered();
        let value = crc32c::of_array(self.0, covered);
        Sealing { covered, value }
    }

    /// As [`Seed::seal`], for a payload of which only the first bytes are at hand, and of the others their sum.
    pub fn seal_summed(&self, header: &Header, first: &[u8], rest: &Sum) -> [u8; HEADER_SIZE] {
        let mut sealing = self.sealing(header);
        sealing.update(first);
        sealing.value = rest.behind_value(sealing.value);
        sealing.finish()
    }

    /// Begins to verify the entry with this header; feed it the first [`Header::covered_size`] bytes of the payload.
    pub fn begin(&self, header: &[u8; HEADER_SIZE]) -> Checksum {
        Checksum {
            expected: u32::from_le_bytes(field(header, CHECKSUM_AT)),
            value: crc32c::of_array(self.0, covered(header)),
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
}

/// The bytes of a header that its checksum covers, in one piece: a call costs as much as the bytes do.
fn covered(header: &[u8; HEADER_SIZE]) -> [u8; COVERED_SIZE] {
    let mut covered = [0; COVERED_SIZE];
    covered[..CHECKSUM_AT].copy_from_slice(&header[..CHECKSUM_AT]);
    covered[CHECKSUM_AT..].copy_from_slice(&header[CHECKSUM_AT + CHECKSUM_SIZE..]);
    covered
}

impl Sealing {
    /// Takes the next bytes of the payload.
    #[inline]
    pub fn update(&mut self, payload: &[u8]) {
        self.value = crc32c::append(self.value, payload);
    }

    /// As [`Sealing::update`], block by block, each being given to `then` when it has been summed.
    ///
    /// # Errors
    ///
    /// The first of `then`.
    ///
    /// # Panics
    ///
    /// When blocks have no bytes.
    #[inline]
    pub fn update_by<E>(
        &mut self,
        payload: &[u8],
        block_size: usize,
        mut then: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut running = Running::behind(self.value);
        for block in payload.chunks(block_size) {
            running.update(block);
            then(block)?;
        }
        self.value = running.value();
        Ok(())
    }

    /// The bytes of the header, for the payload that was given.
    #[inline]
    pub fn finish(&self) -> [u8; HEADER_SIZE] {
        let mut header = [0; HEADER_SIZE];
        let (before, behind) = self.covered.split_at(CHECKSUM_AT);
        header[..CHECKSUM_AT].copy_from_slice(before);
        header[CHECKSUM_AT..CHECKSUM_AT + CHECKSUM_SIZE].copy_from_slice(&self.value.to_le_bytes());
        header[CHECKSUM_AT + CHECKSUM_SIZE..].copy_from_slice(behind);
        header
    }
}

impl Checksum {
    /// Takes the next bytes of the payload.
    pub fn update(&mut self, payload: &[u8]) {
        self.value = crc32c::append(self.value, payload);
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
