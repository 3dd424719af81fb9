//! The records of a batch with their bytes, as a client reads them.

use std::io::Read;

use super::compression::Decompressor;
use super::{BatchError, BatchHeader, DECOMPRESSED_SIZE_MAX, HEADER_SIZE, RecordProblem};
use crate::codec::{Encoding, Reader};

/// The headers of a record: names and values, in the producer's order.
pub type RecordHeaders = Vec<(String, Option<Vec<u8>>)>;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds, or -1.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: RecordHeaders,
}

/// Every record of a whole batch, decompressed as a whole.
///
/// # Errors
/// When the batch or a record of it breaks the format; the checksum is not looked at.
pub fn records(batch: &[u8]) -> Result<Vec<Record>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let short = BatchError::Short {
        wanted: header.size(),
        actual: batch.len(),
    };
    let payload = batch.get(HEADER_SIZE..header.size()).ok_or(short)?;
    let plain = decompress(&header, payload)?;
    let mut reader = Reader::new(&plain, Encoding::Classic);
    let mut records = Vec::new();
    for index in 0..u32::try_from(header.record_count).unwrap_or(0) {
        let record = record(&mut reader, &header);
        records.push(record.map_err(|problem| BatchError::Record { index, problem })?);
    }
    if !reader.remaining().is_empty() {
        return Err(BatchError::TooManyRecords(header.record_count));
    }
    Ok(records)
}

fn decompress(header: &BatchHeader, payload: &[u8]) -> Result<Vec<u8>, BatchError> {
    let mut decompressor = Decompressor::new(header.codec()?, payload, DECOMPRESSED_SIZE_MAX)?;
    let mut plain = Vec::new();
    match decompressor.reader().read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(error) => Err(decompressor.error(error)),
    }
}

fn record(reader: &mut Reader<'_>, header: &BatchHeader) -> Result<Record, RecordProblem> {
    let length = length(reader)?;
    let mut fields = Reader::new(reader.take(length)?, Encoding::Classic);
    let _attributes = fields.i8()?;
    let timestamp = header
        .base_timestamp
        .checked_add(fields.varlong()?)
        .ok_or(RecordProblem::Time)?;
    let offset_delta = i64::from(fields.varint()?);
    let key = bytes(&mut fields)?;
    let value = bytes(&mut fields)?;
    let headers = headers(&mut fields)?;
    match fields.remaining().len() {
        0 => {}
        left => return Err(RecordProblem::Underrun(left as u64)),
    }
    Ok(Record {
        offset: header.base_offset.saturating_add(offset_delta),
        timestamp: if header.is_log_append_time() {
            header.max_timestamp
        } else {
            timestamp
        },
        key,
        value,
        headers,
    })
}

fn headers(fields: &mut Reader<'_>) -> Result<RecordHeaders, RecordProblem> {
    let mut headers = Vec::new();
    for _ in 0..length(fields)? {
        let size = length(fields)?;
        let name =
            std::str::from_utf8(fields.take(size)?).map_err(|_| RecordProblem::HeaderName)?;
        headers.push((name.to_owned(), bytes(fields)?));
    }
    Ok(headers)
}

fn bytes(fields: &mut Reader<'_>) -> Result<Option<Vec<u8>>, RecordProblem> {
    match fields.varint()? {
        -1 => Ok(None),
        size => {
            let size = usize::try_from(size).map_err(|_| RecordProblem::Length(i64::from(size)))?;
            Ok(Some(fields.take(size)?.to_vec()))
        }
    }
}

fn length(reader: &mut Reader<'_>) -> Result<usize, RecordProblem> {
    let length = reader.varint()?;
    usize::try_from(length).map_err(|_| RecordProblem::Length(i64::from(length)))
}
