//! Record batches of format 2, uncompressed, as small as a test needs them.
//!
//! ```text
//!  0 base offset 8 | 8 length 4 | 12 leader epoch 4 | 16 magic 1 | 17 CRC-32C 4 | 21 attributes 2 | 23 last offset delta 4
//! 27 first time 8 | 35 last time 8 | 43 producer id 8 | 51 epoch 2 | 53 sequence 4 | 57 count 4 | 61 records
//! ```

use anyhow::{Context, Result, ensure};

/// Bytes in front of the records.
const HEADER_SIZE: usize = 61;
/// Bytes in front of what the length counts.
const LENGTH_END: usize = 12;
/// Where the bytes begin that the checksum covers.
const CHECKED_FROM: usize = 21;

/// Who sends, and with which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
}

impl Sender {
    /// A producer that is not idempotent.
    pub(crate) const ANONYMOUS: Sender = Sender {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
    };
}

/// Writes a batch of records that have values alone, all of the time `timestamp`.
///
/// # Panics
/// When there are more than 2 GiB: a test does not send that.
pub(crate) fn encode(sender: Sender, timestamp: i64, values: &[Vec<u8>]) -> Vec<u8> {
    let count = i32::try_from(values.len()).expect("a test sends few records");
    let mut batch = vec![0; HEADER_SIZE];
    for (index, value) in (0..).zip(values) {
        encode_record(&mut batch, index, value);
    }
    let length = i32::try_from(batch.len() - LENGTH_END).expect("a test sends small batches");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    batch[27..35].copy_from_slice(&timestamp.to_be_bytes());
    batch[35..43].copy_from_slice(&timestamp.to_be_bytes());
    batch[43..51].copy_from_slice(&sender.producer_id.to_be_bytes());
    batch[51..53].copy_from_slice(&sender.producer_epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&sender.base_sequence.to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    seal(&mut batch);
    batch
}

/// Puts the right checksum over whatever the batch holds.
pub(crate) fn seal(batch: &mut [u8]) {
    let checksum = crc32c::crc32c(&batch[CHECKED_FROM..]);
    batch[17..21].copy_from_slice(&checksum.to_be_bytes());
}

/// One record: attributes, time delta, offset delta, key (null), value, no headers, all behind the record's length.
fn encode_record(batch: &mut Vec<u8>, offset_delta: i64, value: &[u8]) {
    let mut body = vec![0, 0];
    varint(&mut body, offset_delta);
    varint(&mut body, -1);
    varint(&mut body, i64::try_from(value.len()).unwrap_or(i64::MAX));
    body.extend_from_slice(value);
    body.push(0);
    varint(batch, i64::try_from(body.len()).unwrap_or(i64::MAX));
    batch.extend_from_slice(&body);
}

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

/// Takes the records of all whole batches in `bytes` apart: offset and value of each. A batch that is cut at the end
/// is left out, as every client does.
///
/// # Errors
/// A batch breaks its format or its checksum, or is compressed.
pub(crate) fn decode_all(mut bytes: &[u8]) -> Result<Vec<(i64, &[u8])>> {
    let mut records = Vec::new();
    while bytes.len() >= HEADER_SIZE {
        let length = u32::from_be_bytes(array(bytes, 8)?) as usize;
        let Some((batch, rest)) = bytes.split_at_checked(LENGTH_END + length) else {
            break;
        };
        decode_batch(batch, &mut records)?;
        bytes = rest;
    }
    Ok(records)
}

/// The codec number of the first batch in `bytes`.
///
/// # Errors
/// There is no whole header.
pub(crate) fn codec_of(bytes: &[u8]) -> Result<u8> {
    ensure!(bytes.len() >= HEADER_SIZE, "no batch");
    Ok(bytes[22] & 7)
}

/// Whether the first batch in `bytes` is of snappy as Java writes it, in blocks behind a mark (snappy-java's `SnappyOutputStream`).
///
/// # Errors
/// There is no whole header.
pub(crate) fn is_framed_snappy(bytes: &[u8]) -> Result<bool> {
    Ok(codec_of(bytes)? == 2 && bytes[HEADER_SIZE..].starts_with(b"\x82SNAPPY\0"))
}

fn decode_batch<'a>(batch: &'a [u8], records: &mut Vec<(i64, &'a [u8])>) -> Result<()> {
    ensure!(
        batch.len() >= HEADER_SIZE && batch[16] == 2,
        "no batch of format 2"
    );
    let checksum = u32::from_be_bytes(array(batch, 17)?);
    ensure!(
        checksum == crc32c::crc32c(&batch[CHECKED_FROM..]),
        "a batch with a wrong checksum was served"
    );
    ensure!(
        u16::from_be_bytes(array(batch, 21)?) & 7 == 0,
        "a compressed batch"
    );
    let base_offset = i64::from_be_bytes(array(batch, 0)?);
    let count = i32::from_be_bytes(array(batch, 57)?);
    let mut rest = &batch[HEADER_SIZE..];
    for _ in 0..count {
        let size = usize::try_from(next_varint(&mut rest)?)?;
        let (mut body, following) = rest
            .split_at_checked(size)
            .context("a record longer than its batch")?;
        rest = following;
        body = body.get(1..).context("a record without attributes")?;
        next_varint(&mut body)?;
        let offset = base_offset + next_varint(&mut body)?;
        if let Ok(key_size) = usize::try_from(next_varint(&mut body)?) {
            body = body
                .get(key_size..)
                .context("a key longer than its record")?;
        }
        let value_size = usize::try_from(next_varint(&mut body)?).unwrap_or(0);
        records.push((
            offset,
            body.get(..value_size)
                .context("a value longer than its record")?,
        ));
    }
    ensure!(rest.is_empty(), "bytes after the last record of a batch");
    Ok(())
}

fn array<const SIZE: usize>(bytes: &[u8], at: usize) -> Result<[u8; SIZE]> {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .context("a batch is cut short")
}

fn next_varint(rest: &mut &[u8]) -> Result<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, after) = rest.split_first().context("a number is cut short")?;
        *rest = after;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
    }
    anyhow::bail!("a number has more than ten bytes")
}

#[cfg(test)]
mod tests {
    use super::{HEADER_SIZE, Sender, codec_of, decode_all, encode, is_framed_snappy};

    fn values() -> Vec<Vec<u8>> {
        vec![b"one".to_vec(), Vec::new(), vec![7; 300]]
    }

    #[test]
    fn what_is_written_is_read() {
        let mut batches = encode(Sender::ANONYMOUS, 5, &values());
        batches.extend_from_slice(&encode(
            Sender {
                producer_id: 1,
                producer_epoch: 0,
                base_sequence: 9,
            },
            5,
            &values(),
        ));
        let records = decode_all(&batches).unwrap();
        let read: Vec<&[u8]> = records.iter().map(|(_, value)| *value).collect();
        let sent = [values(), values()].concat();
        assert_eq!(read, sent.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(
            records
                .iter()
                .map(|(offset, _)| *offset)
                .collect::<Vec<_>>(),
            [0, 1, 2, 0, 1, 2]
        );
    }

    #[test]
    fn the_codec_is_in_the_attributes() {
        let mut batch = encode(Sender::ANONYMOUS, 5, &values());
        assert_eq!(codec_of(&batch).unwrap(), 0);
        batch[22] = 4;
        assert_eq!(codec_of(&batch).unwrap(), 4);
        assert!(codec_of(&batch[..60]).is_err());
    }

    #[test]
    fn framed_snappy_is_known_by_its_mark() {
        let mut batch = encode(Sender::ANONYMOUS, 5, &values());
        batch[22] = 2;
        assert!(!is_framed_snappy(&batch).unwrap());
        batch[HEADER_SIZE..][..8].copy_from_slice(b"\x82SNAPPY\0");
        assert!(is_framed_snappy(&batch).unwrap());
        batch[22] = 3;
        assert!(!is_framed_snappy(&batch).unwrap());
    }

    #[test]
    fn a_cut_tail_is_left_out_and_a_flipped_bit_is_an_error() {
        let batch = encode(Sender::ANONYMOUS, 5, &values());
        assert_eq!(decode_all(&batch[..batch.len() - 1]).unwrap(), []);
        let mut flipped = batch.clone();
        flipped[100] ^= 1;
        assert!(
            decode_all(&flipped)
                .unwrap_err()
                .to_string()
                .contains("checksum")
        );
    }
}
