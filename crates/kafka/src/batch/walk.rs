//! The walk over the records of a batch, plain ones in place and compressed ones as a stream: each field is looked at, none is kept.
//!
//! A record: length varint, attributes i8, time delta varlong, offset delta varint, key, value, header count varint, headers of key and
//! value; a key or value is a varint length (-1: null) and its bytes.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use super::compression::Decompressor;
use super::{BatchError, BatchHeader, Codec, HEADER_SIZE, RecordProblem};
use crate::codec::{DecodeError, varint};

/// The fields of a record that a broker reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHead {
    /// Its place in the batch.
    pub(super) index: u32,
    /// Its time in milliseconds.
    pub(super) timestamp: i64,
    /// Its offset, less the base offset.
    pub(super) offset_delta: i32,
    /// Whether it has a key.
    pub(super) has_key: bool,
}

/// Records to be read one after the other, of which long ones can be passed over.
pub trait Ahead: BufRead {
    /// What lies `distance` bytes further on, as much of it as is at hand; none of it if nothing is. Nothing is consumed.
    ///
    /// What lies before what was given out may be consumed, whether it is at hand or not.
    ///
    /// # Errors
    /// Those of [`BufRead::fill_buf`].
    fn ahead(&mut self, distance: usize) -> io::Result<&[u8]>;
}

impl Ahead for &[u8] {
    #[inline]
    fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
        Ok(self.get(distance..).unwrap_or_default())
    }
}

impl<A: Ahead> Ahead for &mut A {
    #[inline]
    fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
        (**self).ahead(distance)
    }
}

/// What is behind its buffer is not at hand.
impl<R: Read> Ahead for BufReader<R> {
    fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
        Ok(self.fill_buf()?.get(distance..).unwrap_or_default())
    }
}

/// Visits every record of a whole `batch` until the visitor breaks; if it never does, the batch must end with its last record.
///
/// # Errors
/// When a record breaks the format, the records decompress to more than `decompressed_left` bytes, or what the visitor says.
/// What was decompressed is taken off `decompressed_left` in any case.
pub(super) fn walk(
    header: &BatchHeader,
    batch: &[u8],
    decompressed_left: &mut u64,
    visit: impl FnMut(RecordHead) -> Result<ControlFlow<()>, BatchError>,
) -> Result<(), BatchError> {
    let wanted = header.size();
    let short = BatchError::Short {
        wanted,
        actual: batch.len(),
    };
    let payload = batch.get(HEADER_SIZE..wanted).ok_or(short)?;
    let codec = header.codec()?;
    if codec == Codec::None {
        // A slice has no other error than its end.
        return walk_plain(header, payload, visit);
    }
    let mut decompressor = Decompressor::new(codec, payload, *decompressed_left)?;
    let walked = walk_source(header, decompressor.reader(), visit, BatchError::Decompress);
    *decompressed_left = decompressed_left.saturating_sub(decompressor.size());
    walked.map_err(|error| match error {
        BatchError::Decompress(error) => decompressor.error(error),
        error => error,
    })
}

/// As [`walk`], for the records of a batch that is not compressed, from wherever they are read.
pub(super) fn walk_plain(
    header: &BatchHeader,
    records: impl Ahead,
    visit: impl FnMut(RecordHead) -> Result<ControlFlow<()>, BatchError>,
) -> Result<(), BatchError> {
    walk_source(header, records, visit, BatchError::Decompress)
}

fn walk_source<R: Ahead>(
    header: &BatchHeader,
    reader: R,
    mut visit: impl FnMut(RecordHead) -> Result<ControlFlow<()>, BatchError>,
    source_error: impl Fn(io::Error) -> BatchError,
) -> Result<(), BatchError> {
    let mut source = Source { reader, left: 0 };
    for index in 0..u32::try_from(header.record_count).unwrap_or(0) {
        let head = source
            .record(header, index)
            .map_err(|failure| match failure {
                Failure::Source(error) => source_error(error),
                Failure::Record(problem) => BatchError::Record { index, problem },
            })?;
        if visit(head)?.is_break() {
            return Ok(());
        }
    }
    if source.reader.fill_buf().map_err(source_error)?.is_empty() {
        Ok(())
    } else {
        Err(BatchError::TooManyRecords(header.record_count))
    }
}

enum Failure {
    Source(io::Error),
    Record(RecordProblem),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Source(error)
    }
}

impl From<RecordProblem> for Failure {
    fn from(problem: RecordProblem) -> Self {
        Failure::Record(problem)
    }
}

/// What of a record is kept.
struct Fields {
    timestamp_delta: i64,
    offset_delta: i32,
    has_key: bool,
}

/// A record up to its value.
struct Front {
    fields: Fields,
    /// Where the value ends, counted from the record's first byte.
    value_end: usize,
    /// Where the record ends.
    size: usize,
}

impl Front {
    /// Of the record at the front of `bytes`, if so much of it is there and nothing is wrong with that; the value need not be there.
    #[inline(always)]
    fn of(bytes: &[u8]) -> Option<Front> {
        let mut record = Cursor { bytes };
        let size = usize::try_from(record.varint()?).ok()?;
        let size = size.checked_add(bytes.len() - record.bytes.len())?;
        record.skip(1)?;
        let timestamp_delta = record.varlong()?;
        let offset_delta = record.varint()?;
        let has_key = record.skip_bytes()?;
        let value_size = match record.varint()? {
            -1 => 0,
            size => usize::try_from(size).ok()?,
        };
        let value_end = (bytes.len() - record.bytes.len()).checked_add(value_size)?;
        Some(Front {
            fields: Fields {
                timestamp_delta,
                offset_delta,
                has_key,
            },
            value_end,
            size,
        })
    }

    /// Whether `bytes`, which lie behind the value, are headers up to the record's end.
    #[inline]
    fn are_headers(bytes: &[u8]) -> Option<bool> {
        let mut record = Cursor { bytes };
        for _ in 0..u32::try_from(record.varint()?).ok()? {
            let key_size = usize::try_from(record.varint()?).ok()?;
            record.skip(key_size)?;
            record.skip_bytes()?;
        }
        Some(record.bytes.is_empty())
    }
}

/// What is left of a record that lies in one piece.
struct Cursor<'a> {
    bytes: &'a [u8],
}

impl Cursor<'_> {
    /// Most have a byte or two.
    #[inline(always)]
    fn varint(&mut self) -> Option<i32> {
        let (value, size) = match *self.bytes {
            [first @ 0..0x80, ..] => (u32::from(first), 1),
            [first, second @ 0..0x80, ..] => (u32::from(first & 0x7f) | u32::from(second) << 7, 2),
            _ => varint::read_u32(self.bytes).ok()?,
        };
        self.skip(size)?;
        Some(varint::unzigzag_32(value))
    }

    #[inline(always)]
    fn varlong(&mut self) -> Option<i64> {
        let (value, size) = match *self.bytes {
            [first @ 0..0x80, ..] => (u64::from(first), 1),
            _ => varint::read_u64(self.bytes).ok()?,
        };
        self.skip(size)?;
        Some(varint::unzigzag_64(value))
    }

    #[inline(always)]
    fn skip(&mut self, size: usize) -> Option<()> {
        self.bytes = self.bytes.get(size..)?;
        Some(())
    }

    /// Skips a key or a value; whether it is there, and not null.
    #[inline(always)]
    fn skip_bytes(&mut self) -> Option<bool> {
        match self.varint()? {
            -1 => Some(false),
            size => {
                self.skip(usize::try_from(size).ok()?)?;
                Some(true)
            }
        }
    }
}

/// A reader of records, and the bytes that are left of the current one.
struct Source<R> {
    reader: R,
    left: u64,
}

impl<R: Ahead> Source<R> {
    fn record(&mut self, header: &BatchHeader, index: u32) -> Result<RecordHead, Failure> {
        let fields = match self.at_hand()? {
            Some(fields) => fields,
            None => self.fields()?,
        };
        let timestamp = header
            .base_timestamp
            .checked_add(fields.timestamp_delta)
            .ok_or(RecordProblem::Time)?;
        let timestamp = if header.is_log_append_time() {
            header.max_timestamp
        } else {
            timestamp
        };
        Ok(RecordHead {
            index,
            timestamp,
            offset_delta: fields.offset_delta,
            has_key: fields.has_key,
        })
    }

    /// A record that need not be asked for field by field, as most: nothing is wrong with it, and it is at hand, or all but its value is, and
    /// it has no headers.
    #[inline(always)]
    fn at_hand(&mut self) -> Result<Option<Fields>, Failure> {
        let bytes = self.reader.fill_buf()?;
        let Some(Front {
            fields,
            value_end,
            size,
        }) = Front::of(bytes)
        else {
            return Ok(None);
        };
        let ends_well = match bytes.get(value_end..size) {
            Some(headers) => headers == [0] || Front::are_headers(headers) == Some(true),
            // No headers are a byte of zero, the last one.
            None => {
                value_end.checked_add(1) == Some(size)
                    && self.reader.ahead(value_end)?.first() == Some(&0)
            }
        };
        if !ends_well {
            return Ok(None);
        }
        self.reader.consume(size);
        Ok(Some(fields))
    }

    /// Field by field: a record that lies across buffers, or in which something is wrong.
    fn fields(&mut self) -> Result<Fields, Failure> {
        self.left = varint::VARINT_SIZE_MAX as u64;
        let length = i64::from(self.varint()?);
        self.left = u64::try_from(length).map_err(|_| RecordProblem::Length(length))?;
        self.skip(1)?;
        let timestamp_delta = varint::unzigzag_64(self.integer(varint::read_u64)?);
        let offset_delta = self.varint()?;
        let has_key = self.skip_bytes()?;
        self.skip_bytes()?;
        self.skip_headers()?;
        if self.left != 0 {
            return Err(RecordProblem::Underrun(self.left).into());
        }
        Ok(Fields {
            timestamp_delta,
            offset_delta,
            has_key,
        })
    }

    fn skip_headers(&mut self) -> Result<(), Failure> {
        let count = self.varint()?;
        for _ in 0..u32::try_from(count).map_err(|_| RecordProblem::Length(i64::from(count)))? {
            let key_size = self.varint()?;
            let key_size =
                u64::try_from(key_size).map_err(|_| RecordProblem::Length(i64::from(key_size)))?;
            self.skip(key_size)?;
            self.skip_bytes()?;
        }
        Ok(())
    }

    /// Skips a key or a value; whether it is there, and not null.
    fn skip_bytes(&mut self) -> Result<bool, Failure> {
        match self.varint()? {
            -1 => Ok(false),
            size => {
                let size =
                    u64::try_from(size).map_err(|_| RecordProblem::Length(i64::from(size)))?;
                self.skip(size)?;
                Ok(true)
            }
        }
    }

    fn varint(&mut self) -> Result<i32, Failure> {
        Ok(varint::unzigzag_32(self.integer(varint::read_u32)?))
    }

    /// Reads a variable-length integer, which may lie across two buffers of a stream.
    #[inline]
    fn integer<T>(
        &mut self,
        read: impl Fn(&[u8]) -> Result<(T, usize), DecodeError>,
    ) -> Result<T, Failure> {
        let buffered = self.reader.fill_buf()?;
        match read(buffered) {
            Ok((value, size)) => {
                self.consume(size)?;
                Ok(value)
            }
            Err(DecodeError::Truncated { .. }) => self.integer_across_buffers(read),
            Err(error) => Err(RecordProblem::from(error).into()),
        }
    }

    #[cold]
    fn integer_across_buffers<T>(
        &mut self,
        read: impl Fn(&[u8]) -> Result<(T, usize), DecodeError>,
    ) -> Result<T, Failure> {
        let mut bytes = [0; varint::VARLONG_SIZE_MAX];
        for size in 1..=bytes.len() {
            let next = self.reader.fill_buf()?.first().copied();
            bytes[size - 1] = next.ok_or(RecordProblem::Truncated)?;
            self.consume(1)?;
            match read(&bytes[..size]) {
                Ok((value, _)) => return Ok(value),
                Err(DecodeError::Truncated { .. }) => {}
                Err(error) => return Err(RecordProblem::from(error).into()),
            }
        }
        Err(RecordProblem::Varint.into())
    }

    fn consume(&mut self, size: usize) -> Result<(), Failure> {
        self.left = self
            .left
            .checked_sub(size as u64)
            .ok_or(RecordProblem::Overrun)?;
        self.reader.consume(size);
        Ok(())
    }

    fn skip(&mut self, size: u64) -> Result<(), Failure> {
        self.left = self.left.checked_sub(size).ok_or(RecordProblem::Overrun)?;
        let mut wanted = size;
        while wanted > 0 {
            let buffered = self.reader.fill_buf()?.len();
            if buffered == 0 {
                return Err(RecordProblem::Truncated.into());
            }
            let step = buffered.min(usize::try_from(wanted).unwrap_or(usize::MAX));
            self.reader.consume(step);
            wanted -= step as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, NewRecord};
    use proptest::prelude::*;

    fn heads(header: &BatchHeader, records: impl Ahead) -> (Vec<RecordHead>, Option<String>) {
        let mut heads = Vec::new();
        let walked = walk_plain(header, records, |head| {
            heads.push(head);
            Ok(ControlFlow::Continue(()))
        });
        (heads, walked.err().map(|error| error.to_string()))
    }

    /// Bytes of which a few are at hand, wherever one asks.
    struct Glances<'a> {
        bytes: &'a [u8],
        size: usize,
    }

    impl Read for Glances<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.bytes.read(into)
        }
    }

    impl BufRead for Glances<'_> {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            self.ahead(0)
        }

        fn consume(&mut self, size: usize) {
            self.bytes = &self.bytes[size..];
        }
    }

    impl Ahead for Glances<'_> {
        fn ahead(&mut self, distance: usize) -> io::Result<&[u8]> {
            let rest = self.bytes.get(distance..).unwrap_or_default();
            Ok(&rest[..self.size.min(rest.len())])
        }
    }

    proptest! {
        /// Of a buffer so small every record is read field by field.
        #[test]
        fn whole_records_are_read_as_field_by_field(
            values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..20),
            capacity in 1_usize..9,
            glance in 1_usize..40,
            change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut builder = BatchBuilder::new();
            for value in &values {
                let headers = [("a header", value.get(2..)), ("another", None)];
                builder.push(&NewRecord {
                    timestamp: 1_000 + value.len() as i64,
                    key: value.get(1..),
                    value: value.first().map(|_| value.as_slice()),
                    headers: &headers[..value.len() % 3],
                });
            }
            let mut batch = builder.build();
            let header = BatchHeader::parse(&batch).unwrap();
            let records = &mut batch[HEADER_SIZE..];
            if let Some((at, byte)) = change {
                let at = at.index(records.len());
                records[at] = byte;
            }
            let slow = heads(&header, BufReader::with_capacity(capacity, &*records));
            prop_assert_eq!(&heads(&header, &*records), &slow);
            let bytes = &*records;
            prop_assert_eq!(heads(&header, Glances { bytes, size: glance }), slow);
        }
    }
}
