//! The control entries of one partition: what it remembers of itself once the entries that said so are gone.
//!
//! ```text
//!   anchor ──▶ records ──▶ log start ──▶ records …        everything a partition knows = its newest anchor and what follows it
//! ```
//!
//! A partition's anchor is its newest *partition* entry, or the entry that made its topic. Before the segment that holds the anchor goes, the partition is
//! written anew, its producers behind it.

use pagelog_record::{Epoch, Offset, StreamId};

use crate::control::{ControlError, Fields, head};

pub(crate) const LOG_START: u8 = 19;
pub(crate) const PARTITION: u8 = 20;
pub(crate) const PRODUCERS: u8 = 21;

/// The sizes of the fields, each without what is repeated in it.
const PARTITION_SIZE: usize = 4 + 4 + 8 + 8 + 4;
const EPOCH_SIZE: usize = 4 + 8;
const PRODUCERS_SIZE: usize = 4 + 4 + 4;
const PRODUCER_SIZE: usize = 8 + 2 + 2;
const BATCH_SIZE: usize = 4 + 4 + 8 + 8;

/// The most producers of one entry.
const PRODUCERS_AT_ONCE: usize = 256;

/// What a partition is, but for its producers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartitionEntry {
    pub(crate) stream: StreamId,
    /// What lies below is deleted.
    pub(crate) start: Offset,
    /// The offset of the record that comes next.
    pub(crate) next: Offset,
    /// Each epoch that wrote something that is still there, with the offset of its first record.
    pub(crate) epochs: Vec<(Epoch, Offset)>,
}

/// Some producers of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProducersEntry {
    pub(crate) stream: StreamId,
    pub(crate) producers: Vec<ProducerEntry>,
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProducerEntry {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    /// Its last batches, the newest first; at least one.
    pub(crate) batches: Vec<BatchEntry>,
}

/// One batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchEntry {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) base_offset: Offset,
    pub(crate) append_time_ms: i64,
}

/// The entry that says where a partition starts.
pub(crate) fn encode_log_start(stream: StreamId, start: Offset) -> Vec<u8> {
    let mut bytes = head(LOG_START, 0, 0);
    put_u32(&mut bytes, stream.0);
    put_i64(&mut bytes, start.0);
    bytes
}

pub(crate) fn decode_log_start(
    fields: &mut Fields<'_>,
) -> Result<(StreamId, Offset), ControlError> {
    fields.head()?;
    Ok((StreamId(fields.u32()?), Offset(fields.i64()?)))
}

impl PartitionEntry {
    /// How many epochs fit in an entry of `size` bytes; the newest count most.
    pub(crate) fn epochs_max(size: usize) -> usize {
        size.saturating_sub(PARTITION_SIZE) / EPOCH_SIZE
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(PARTITION, 0, 0);
        put_u32(&mut bytes, self.stream.0);
        put_i64(&mut bytes, self.start.0);
        put_i64(&mut bytes, self.next.0);
        put_u32(&mut bytes, self.epochs.len() as u32);
        for (epoch, start) in &self.epochs {
            put_u32(&mut bytes, epoch.0);
            put_i64(&mut bytes, start.0);
        }
        bytes
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<PartitionEntry, ControlError> {
        fields.head()?;
        let mut entry = PartitionEntry {
            stream: StreamId(fields.u32()?),
            start: Offset(fields.i64()?),
            next: Offset(fields.i64()?),
            epochs: Vec::new(),
        };
        for _ in 0..fields.u32()? {
            let (epoch, start) = (Epoch(fields.u32()?), Offset(fields.i64()?));
            entry.epochs.push((epoch, start));
        }
        Ok(entry)
    }
}

impl ProducersEntry {
    /// How many producers fit in an entry of `size` bytes, each with `batches` batches; at least one, at most so many that others may append in between.
    pub(crate) fn producers_max(size: usize, batches: usize) -> usize {
        let each = PRODUCER_SIZE + batches * BATCH_SIZE;
        (size.saturating_sub(PRODUCERS_SIZE) / each).clamp(1, PRODUCERS_AT_ONCE)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = head(PRODUCERS, 0, 0);
        put_u32(&mut bytes, self.stream.0);
        put_u32(&mut bytes, self.producers.len() as u32);
        for producer in &self.producers {
            producer.encode(&mut bytes);
        }
        bytes
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<ProducersEntry, ControlError> {
        fields.head()?;
        let mut entry = ProducersEntry {
            stream: StreamId(fields.u32()?),
            producers: Vec::new(),
        };
        for _ in 0..fields.u32()? {
            entry.producers.push(ProducerEntry::decode(fields)?);
        }
        Ok(entry)
    }
}

impl ProducerEntry {
    fn encode(&self, bytes: &mut Vec<u8>) {
        put_i64(bytes, self.id);
        bytes.extend_from_slice(&self.epoch.to_le_bytes());
        bytes.extend_from_slice(&(self.batches.len() as u16).to_le_bytes());
        for batch in &self.batches {
            bytes.extend_from_slice(&batch.first_sequence.to_le_bytes());
            bytes.extend_from_slice(&batch.last_sequence.to_le_bytes());
            put_i64(bytes, batch.base_offset.0);
            put_i64(bytes, batch.append_time_ms);
        }
    }

    fn decode(fields: &mut Fields<'_>) -> Result<ProducerEntry, ControlError> {
        let mut producer = ProducerEntry {
            id: fields.i64()?,
            epoch: i16::from_le_bytes(fields.array()?),
            batches: Vec::new(),
        };
        for _ in 0..u16::from_le_bytes(fields.array()?) {
            producer.batches.push(BatchEntry {
                first_sequence: i32::from_le_bytes(fields.array()?),
                last_sequence: i32::from_le_bytes(fields.array()?),
                base_offset: Offset(fields.i64()?),
                append_time_ms: fields.i64()?,
            });
        }
        Ok(producer)
    }
}

fn put_u32(bytes: &mut Vec<u8>, field: u32) {
    bytes.extend_from_slice(&field.to_le_bytes());
}

fn put_i64(bytes: &mut Vec<u8>, field: i64) {
    bytes.extend_from_slice(&field.to_le_bytes());
}
