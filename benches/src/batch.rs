//! Record batches (magic 2) of an exact size, as a client would send them: one record or several,
//! incompressible values, plain.
//!
//! Written here and not taken from the broker's crates, so that a bench that runs also shows that
//! two codecs agree; but for the checksum, of which there is one.

use pagelog_record::crc32c;

/// Bytes of a batch before its first record.
const HEADER_SIZE: usize = 61;

/// A batch of `count` records with values of `value_size` bytes.
pub(crate) fn of_values(count: u32, value_size: usize) -> Vec<u8> {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15 ^ value_size as u64);
    let mut records = Vec::with_capacity(count as usize * (value_size + 16));
    for index in 0..count {
        put_record(&mut records, index, value_size, &mut noise);
    }
    with_header(count, &records)
}

/// A batch of one record that is `size` bytes long in all.
///
/// # Panics
/// Where no record fits into `size`.
pub(crate) fn of_size(size: usize) -> Vec<u8> {
    // The lengths are varints, so the overhead of the record depends on the value: search downward.
    (0..=size - HEADER_SIZE)
        .rev()
        .map(|value_size| (value_size, HEADER_SIZE + record_size(0, value_size)))
        .take_while(|&(_, whole)| whole >= size)
        .find(|&(_, whole)| whole == size)
        .map(|(value_size, _)| of_values(1, value_size))
        .expect("a size that one record can have")
}

/// Where a batch says how many records it has, and whether its checksum is right.
pub(crate) struct Parsed {
    pub(crate) size: usize,
    pub(crate) base_offset: i64,
    pub(crate) count: i32,
    pub(crate) whole: bool,
}

/// Reads the batch at the start of `bytes`; none where less than a whole batch is left.
pub(crate) fn parse(bytes: &[u8]) -> Option<Parsed> {
    let header = bytes.get(..HEADER_SIZE)?;
    let size = 12 + usize::try_from(i32_at(header, 8)?).ok()?;
    let covered = bytes.get(21..size)?;
    let checksum = u32::from_be_bytes(header.get(17..21)?.try_into().ok()?);
    Some(Parsed {
        size,
        base_offset: i64::from_be_bytes(header.get(..8)?.try_into().ok()?),
        count: i32_at(header, 57)?,
        whole: crc32c::of(covered) == checksum,
    })
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn with_header(count: u32, records: &[u8]) -> Vec<u8> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| since.as_millis() as i64);
    let mut covered = Vec::with_capacity(records.len() + 40);
    covered.extend(0i16.to_be_bytes()); // attributes: plain, create time
    covered.extend((count - 1).to_be_bytes()); // last offset delta
    covered.extend(now_ms.to_be_bytes()); // base timestamp
    covered.extend(now_ms.to_be_bytes()); // max timestamp
    covered.extend((-1i64).to_be_bytes()); // producer id: none
    covered.extend((-1i16).to_be_bytes()); // producer epoch
    covered.extend((-1i32).to_be_bytes()); // base sequence
    covered.extend(count.to_be_bytes());
    covered.extend_from_slice(records);
    let mut batch = Vec::with_capacity(covered.len() + 21);
    batch.extend(0i64.to_be_bytes()); // base offset
    batch.extend((covered.len() as u32 + 9).to_be_bytes()); // length after this field
    batch.extend((-1i32).to_be_bytes()); // leader epoch
    batch.push(2); // magic
    batch.extend(crc32c::of(&covered).to_be_bytes());
    batch.append(&mut covered);
    batch
}

fn put_record(into: &mut Vec<u8>, index: u32, value_size: usize, noise: &mut Noise) {
    put_varint(into, body_size(index, value_size) as i64);
    into.push(0); // attributes
    put_varint(into, 0); // timestamp delta
    put_varint(into, i64::from(index)); // offset delta
    put_varint(into, -1); // no key
    put_varint(into, value_size as i64);
    into.extend(noise.take(value_size));
    put_varint(into, 0); // no headers
}

fn record_size(index: u32, value_size: usize) -> usize {
    let body = body_size(index, value_size);
    varint_size(body as i64) + body
}

fn body_size(index: u32, value_size: usize) -> usize {
    4 + varint_size(i64::from(index)) + varint_size(value_size as i64) + value_size
}

fn put_varint(into: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        into.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    into.push(rest as u8);
}

fn varint_size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Bytes that no codec shrinks (xorshift64), the same in every run.
struct Noise(u64);

impl Noise {
    fn take(&mut self, size: usize) -> impl Iterator<Item = u8> + '_ {
        std::iter::repeat_with(|| {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.to_be_bytes()
        })
        .flatten()
        .take(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_size_that_was_asked() {
        for size in [1024, 16 * 1024, 1024 * 1024] {
            let batch = of_size(size);
            assert_eq!(batch.len(), size);
            let parsed = parse(&batch).unwrap();
            assert!(parsed.whole && parsed.count == 1 && parsed.size == size);
        }
    }

    #[test]
    fn a_second_codec_reads_the_batch() {
        let mut bytes = bytes::Bytes::from(of_values(3, 100));
        let set = kafka_protocol::records::RecordBatchDecoder::decode(&mut bytes).unwrap();
        assert_eq!(set.records.len(), 3);
        assert!(
            set.records
                .iter()
                .all(|record| record.value.as_ref().unwrap().len() == 100)
        );
    }

    #[test]
    fn a_flipped_bit_is_seen() {
        let mut batch = of_values(1, 64);
        batch[100] ^= 1;
        assert!(!parse(&batch).unwrap().whole);
        assert!(parse(&batch[..90]).is_none());
    }
}
