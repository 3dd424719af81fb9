//! The batch validator, past its checksum: the fuzzer writes header and records, and this seals them, compressed or not.

use pagelog_kafka::batch::{
    BatchBuilder, BatchError, BatchHeader, Codec, HEADER_SIZE, Limits, NewRecord, RecordProblem,
    ValidBatch, batches, find_first_at_or_after, max_timestamp_record, records, validate,
};

use crate::input::Input;

const NOW_MS: i64 = 1_700_000_000_000;

/// The first byte says how the batch is made: as it is, with a sealed header, compressed by this and sealed, or by the builder.
///
/// # Panics
/// When two readings of a valid batch differ.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mode = input.u8();
    let codec = Codec::ALL[usize::from(mode / 4) % Codec::ALL.len()];
    let batch = match mode % 4 {
        0 => input.rest().to_vec(),
        1 => sealed(&mut input, None),
        2 => sealed(&mut input, Some(codec)),
        _ => built(&mut input, codec),
    };
    for found in batches(&batch).flatten() {
        assert_eq!(found.0.size(), found.1.len());
    }
    if let Ok(valid) = validate(&batch, &Limits::default(), NOW_MS) {
        check_valid(&batch, &valid);
    } else {
        // What a broker would refuse, a client may still meet: it must not break on it.
        let _ = records(&batch);
        let _ = max_timestamp_record(&batch);
    }
}

/// A batch whose format, length, and checksum are right, and for a plain start its counts too.
fn sealed(input: &mut Input<'_>, compress: Option<Codec>) -> Vec<u8> {
    let mut header = BatchHeader::default();
    let flags = input.u8();
    header.record_count = i32::from(input.u8());
    header.last_offset_delta = header.record_count - 1;
    if flags & 1 != 0 {
        header.attributes = input.u16() as i16;
        header.last_offset_delta = input.u64() as i32;
    }
    if flags & 2 != 0 {
        header.base_timestamp = input.u64() as i64;
        header.max_timestamp = input.u64() as i64;
    }
    if flags & 4 != 0 {
        header.producer_id = input.u64() as i64;
        header.producer_epoch = input.u16() as i16;
        header.base_sequence = input.u64() as i32;
    }
    let Some(codec) = compress else {
        header.attributes |= i16::from(flags >> 4);
        return header.seal(input.rest());
    };
    header.attributes = header.attributes & !7 | i16::from(codec.bits());
    let payload = codec.compress(input.rest());
    header.seal(&payload.expect("no compressor refuses bytes in memory"))
}

/// A batch of well-formed records, some of its payload's bytes changed.
fn built(input: &mut Input<'_>, codec: Codec) -> Vec<u8> {
    let (records, changes) = (input.u8() % 8, input.u8() % 4);
    let changes: Vec<_> = (0..changes).map(|_| (input.u16(), input.u8())).collect();
    let mut builder = BatchBuilder::new().with_codec(codec);
    for _ in 0..=records {
        push(&mut builder, input);
    }
    let mut batch = builder.build();
    let mut header = BatchHeader::parse(&batch).expect("the builder's header is one");
    let payload = &mut batch[HEADER_SIZE..];
    for (at, change) in changes {
        let at = usize::from(at) % payload.len();
        payload[at] ^= change;
        // So that some batches have a wrong time, which is corrected.
        header.max_timestamp ^= i64::from(change & 1);
    }
    header.seal(payload)
}

fn push(builder: &mut BatchBuilder, input: &mut Input<'_>) {
    let (flags, time) = (input.u8(), input.u16());
    let mut bytes = |bit: u8| {
        let size = usize::from(input.u8()) % 64;
        (flags & bit == 0).then(|| input.take(size))
    };
    let (key, value, header) = (bytes(1), bytes(2), bytes(4));
    let headers = [("name", header), ("", None)];
    builder.push(&NewRecord {
        timestamp: if flags & 8 == 0 {
            NOW_MS - i64::from(time)
        } else {
            -1
        },
        key,
        value,
        headers: &headers[..usize::from(flags >> 6).min(2)],
    });
}

fn check_valid(batch: &[u8], valid: &ValidBatch) {
    let read = match records(batch) {
        Ok(read) => read,
        // The broker does not look into the names of headers.
        Err(BatchError::Record {
            problem: RecordProblem::HeaderName,
            ..
        }) => return,
        Err(error) => panic!("a valid batch cannot be read: {error}"),
    };
    assert_eq!(read.len(), valid.count as usize);
    let times = read.iter().map(|record| record.timestamp);
    assert_eq!(times.max(), Some(valid.max_timestamp));
    for (index, record) in read.iter().enumerate() {
        assert_eq!(record.offset, index as i64);
    }
    check_stored(batch, valid);
}

/// The batch as it would be stored.
fn check_stored(batch: &[u8], valid: &ValidBatch) {
    let mut stored = batch.to_vec();
    if let Some(header) = valid.corrected {
        stored[..HEADER_SIZE].copy_from_slice(&header);
    }
    let again = validate(&stored, &Limits::default(), NOW_MS);
    let again = again.expect("what was valid and corrected is valid");
    assert_eq!((again.corrected, again.header), (None, valid.header));
    let greatest = max_timestamp_record(&stored).expect("a valid batch can be searched");
    let first = find_first_at_or_after(&stored, 0, valid.max_timestamp);
    assert_eq!(first.expect("a valid batch can be searched"), greatest);
    assert_eq!(
        greatest.map(|found| found.timestamp),
        Some(valid.max_timestamp)
    );
}
