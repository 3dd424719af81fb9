//! Makes batches as a producer does, for tests, benches and the load generator.

use super::{BatchHeader, Codec};
use crate::codec::varint;

/// A record to put into a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewRecord<'a> {
    /// Its time in milliseconds; -1: none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, by name.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// A batch that is being made. It can be built, cleared and filled again.
#[derive(Debug, Clone)]
pub struct BatchBuilder {
    header: BatchHeader,
    codec: Codec,
    records: Vec<u8>,
    body: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch, not compressed, of no producer.
    pub fn new() -> Self {
        Self {
            header: BatchHeader::default(),
            codec: Codec::None,
            records: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Compresses the records.
    #[must_use]
    pub fn with_codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self.header.attributes = i16::from(codec.bits());
        self
    }

    /// Counts the batch as one of an idempotent producer.
    pub fn set_producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
    }

    /// Records so far.
    pub fn count(&self) -> usize {
        self.header.record_count as usize
    }

    /// Bytes of the records so far, not compressed.
    pub fn records_size(&self) -> usize {
        self.records.len()
    }

    /// Takes the records out again; compression and producer stay.
    pub fn clear(&mut self) {
        self.header.record_count = 0;
        self.header.last_offset_delta = -1;
        self.records.clear();
    }

    /// Adds a record.
    pub fn push(&mut self, record: &NewRecord<'_>) {
        if self.header.record_count == 0 {
            self.header.base_timestamp = record.timestamp;
            self.header.max_timestamp = record.timestamp;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(record.timestamp);
        self.encode_body(record);
        write_signed(&mut self.records, self.body.len() as i64);
        self.records.extend_from_slice(&self.body);
        self.header.last_offset_delta = self.header.record_count;
        self.header.record_count += 1;
    }

    fn encode_body(&mut self, record: &NewRecord<'_>) {
        let body = &mut self.body;
        body.clear();
        body.push(0);
        write_signed(
            body,
            record.timestamp.wrapping_sub(self.header.base_timestamp),
        );
        write_signed(body, i64::from(self.header.record_count));
        write_bytes(body, record.key);
        write_bytes(body, record.value);
        write_signed(body, record.headers.len() as i64);
        for (name, value) in record.headers {
            write_bytes(body, Some(name.as_bytes()));
            write_bytes(body, *value);
        }
    }

    /// The bytes of the batch.
    ///
    /// # Panics
    /// When it has 2 GiB.
    pub fn build(&self) -> Vec<u8> {
        if self.codec == Codec::None {
            return self.header.seal(&self.records);
        }
        let payload = self.codec.compress(&self.records);
        self.header
            .seal(&payload.expect("no compressor refuses bytes in memory"))
    }
}

/// Zigzag of 64 bits has the same bytes as that of 32 for all that fits both.
fn write_signed(out: &mut Vec<u8>, value: i64) {
    varint::write(out, varint::zigzag_64(value));
}

fn write_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    write_signed(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}
