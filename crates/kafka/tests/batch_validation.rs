//! What a produced batch must be: each rule broken once, with the code that the producer gets.

use pagelog_kafka::batch::{
    BatchBuilder, BatchError, BatchHeader, Codec, DECOMPRESSED_SIZE_MAX, HEADER_SIZE, Limits,
    NewRecord, RecordProblem, Validation, records, validate,
};
use pagelog_kafka::codec::{ErrorCode, varint};
use pagelog_record::crc32c;

const NOW_MS: i64 = 1_700_000_000_000;

fn record(index: i64) -> NewRecord<'static> {
    NewRecord {
        timestamp: NOW_MS + index % 3,
        key: (index % 2 == 0).then_some(b"key"),
        value: (index % 5 != 4).then_some(b"some value that repeats, repeats, repeats"),
        headers: &[("name", Some(b"value")), ("null", None)],
    }
}

fn builder(codec: Codec, count: i64) -> BatchBuilder {
    let mut builder = BatchBuilder::new().with_codec(codec);
    (0..count).for_each(|index| builder.push(&record(index)));
    builder
}

fn check(batch: &[u8]) -> Result<pagelog_kafka::batch::ValidBatch, BatchError> {
    validate(batch, &Limits::default(), NOW_MS)
}

fn refused(batch: &[u8]) -> (ErrorCode, BatchError) {
    let error = check(batch).expect_err("the batch breaks a rule");
    (error.code(), error)
}

/// The batch of two plain records with a changed header, sealed again.
fn with_header(change: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
    let batch = builder(Codec::None, 2).build();
    let mut header = BatchHeader::parse(&batch).unwrap();
    change(&mut header);
    header.seal(&batch[HEADER_SIZE..])
}

/// A plain batch of these record bytes, each behind its length.
fn with_records(bodies: &[&[u8]]) -> Vec<u8> {
    let mut payload = Vec::new();
    for body in bodies {
        varint::write(&mut payload, varint::zigzag_64(body.len() as i64));
        payload.extend_from_slice(body);
    }
    let count = bodies.len() as i32;
    let header = BatchHeader {
        record_count: count,
        last_offset_delta: count - 1,
        ..Default::default()
    };
    header.seal(&payload)
}

/// A record: attributes, time delta 0, offset delta 0, null key, null value, no headers.
const PLAIN: [u8; 6] = [0, 0, 0, 1, 1, 0];

fn problem(bodies: &[&[u8]]) -> RecordProblem {
    match refused(&with_records(bodies)) {
        (ErrorCode::INVALID_RECORD, BatchError::Record { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn good_batches_of_every_codec_pass_unchanged() {
    for codec in Codec::ALL {
        for count in [1, 2, 700] {
            let mut builder = builder(codec, count);
            builder.set_producer(9, 3, 70);
            let batch = builder.build();
            let valid = check(&batch).unwrap();
            assert_eq!(i64::from(valid.count), count);
            assert_eq!(valid.max_timestamp, NOW_MS + (count - 1).min(2));
            assert_eq!(valid.corrected, None);
            assert_eq!(valid.header, BatchHeader::parse(&batch).unwrap());
            assert_eq!(
                (valid.header.producer_id, valid.header.base_sequence),
                (9, 70)
            );
        }
    }
}

#[test]
fn the_builder_and_the_reader_agree() {
    for codec in Codec::ALL {
        let read = records(&builder(codec, 7).build()).unwrap();
        assert_eq!(read.len(), 7);
        for (index, read) in read.iter().enumerate() {
            let written = record(index as i64);
            assert_eq!(read.offset, index as i64);
            assert_eq!(read.timestamp, written.timestamp);
            assert_eq!(
                (read.key.as_deref(), read.value.as_deref()),
                (written.key, written.value)
            );
            assert_eq!(
                read.headers[0],
                ("name".to_owned(), Some(b"value".to_vec()))
            );
            assert_eq!(read.headers[1], ("null".to_owned(), None));
        }
    }
}

#[test]
fn a_wrong_max_timestamp_is_corrected_with_its_checksum() {
    for codec in Codec::ALL {
        let batch = builder(codec, 5).build();
        let mut header = BatchHeader::parse(&batch).unwrap();
        header.max_timestamp = 3;
        let wrong = header.seal(&batch[HEADER_SIZE..]);
        let valid = check(&wrong).unwrap();
        let corrected = valid.corrected.expect("the client's time was wrong");
        let stored = [&corrected[..], &wrong[HEADER_SIZE..]].concat();
        assert_eq!(stored, batch, "{codec:?}");
        assert_eq!(valid.header, BatchHeader::parse(&batch).unwrap());
    }
}

#[test]
fn damage_anywhere_is_seen() {
    for codec in Codec::ALL {
        let batch = builder(codec, 3).build();
        for at in 0..batch.len() {
            let mut damaged = batch.clone();
            damaged[at] ^= 0x10;
            // The leader epoch is the broker's to write, and no checksum covers it.
            assert_eq!(
                check(&damaged).is_ok(),
                (12..16).contains(&at),
                "{codec:?} byte {at}"
            );
        }
    }
}

#[test]
fn cut_batches_are_corrupt() {
    let batch = builder(Codec::None, 2).build();
    assert!(matches!(
        refused(&[]),
        (ErrorCode::INVALID_RECORD, BatchError::Empty)
    ));
    for cut in 1..batch.len() {
        let (code, error) = refused(&batch[..cut]);
        assert_eq!(code, ErrorCode::CORRUPT_MESSAGE, "{error}");
    }
}

#[test]
fn one_batch_a_partition() {
    let batch = builder(Codec::None, 2).build();
    let (code, error) = refused(&[batch.clone(), batch].concat());
    assert!(matches!(error, BatchError::Trailing(_)));
    assert_eq!(code, ErrorCode::INVALID_RECORD);
}

#[test]
fn old_formats_are_refused() {
    let mut batch = builder(Codec::None, 1).build();
    batch[16] = 1;
    assert!(matches!(
        refused(&batch),
        (ErrorCode::INVALID_RECORD, BatchError::Magic(1))
    ));
}

#[test]
fn size_limits_hold() {
    let batch = builder(Codec::None, 2).build();
    let limits = Limits {
        size_max: batch.len(),
        ..Default::default()
    };
    assert!(validate(&batch, &limits, NOW_MS).is_ok());
    let limits = Limits {
        size_max: batch.len() - 1,
        ..Default::default()
    };
    let error = validate(&batch, &limits, NOW_MS).unwrap_err();
    assert_eq!(error.code(), ErrorCode::MESSAGE_TOO_LARGE);
}

#[test]
fn header_rules() {
    let code = |change: fn(&mut BatchHeader)| refused(&with_header(change)).0;
    assert_eq!(
        code(|header| header.base_offset = 1),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.record_count = 0),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.record_count = -1),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.record_count = 3),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.last_offset_delta = i32::MAX),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.attributes = 0x20),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.attributes = 0x40),
        ErrorCode::INVALID_RECORD
    );
    assert_eq!(
        code(|header| header.attributes = 0x08),
        ErrorCode::INVALID_TIMESTAMP
    );
    assert_eq!(
        code(|header| header.attributes = 0x05),
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    );
    assert_eq!(
        code(|header| header.producer_id = 1),
        ErrorCode::INVALID_RECORD
    );
    let numbered = with_header(|header| {
        (
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        ) = (1, 0, 0);
    });
    assert!(check(&numbered).is_ok());
}

#[test]
fn counts_must_be_those_of_the_records() {
    let more = with_header(|header| (header.record_count, header.last_offset_delta) = (3, 2));
    assert!(matches!(
        refused(&more).1,
        BatchError::Record {
            index: 2,
            problem: RecordProblem::Truncated
        }
    ));
    let fewer = with_header(|header| (header.record_count, header.last_offset_delta) = (1, 0));
    assert!(matches!(refused(&fewer).1, BatchError::TooManyRecords(1)));
    let most = (i32::MAX, i32::MAX - 1);
    let endless = with_header(|header| (header.record_count, header.last_offset_delta) = most);
    assert_eq!(refused(&endless).0, ErrorCode::INVALID_RECORD);
}

#[test]
fn record_rules() {
    assert!(check(&with_records(&[&PLAIN])).is_ok());
    assert_eq!(problem(&[&PLAIN[..5]]), RecordProblem::Truncated);
    assert_eq!(problem(&[&PLAIN[..5], &PLAIN]), RecordProblem::Overrun);
    assert_eq!(
        problem(&[&[0, 0, 0, 1, 1, 0, 7]]),
        RecordProblem::Underrun(1)
    );
    assert_eq!(
        problem(&[&[0, 0, 2, 1, 1, 0]]),
        RecordProblem::OffsetDelta(1)
    );
    assert_eq!(problem(&[&PLAIN, &PLAIN]), RecordProblem::OffsetDelta(0));
    // A key of -2 bytes, a value longer than the record, -1 headers, a header whose name is null.
    assert_eq!(problem(&[&[0, 0, 0, 3, 1, 0]]), RecordProblem::Length(-2));
    assert_eq!(problem(&[&[0, 0, 0, 1, 40, 0]]), RecordProblem::Overrun);
    assert_eq!(problem(&[&[0, 0, 0, 1, 1, 1]]), RecordProblem::Length(-1));
    assert_eq!(
        problem(&[&[0, 0, 0, 1, 1, 2, 1, 1]]),
        RecordProblem::Length(-1)
    );
    // An offset delta of more than 32 bits, a time delta of more than 64.
    let overlong = [0, 0, 0x80, 0x80, 0x80, 0x80, 0x7f, 1, 1, 0];
    assert_eq!(problem(&[&overlong]), RecordProblem::Varint);
    let overlong = [&[0][..], &[0xff; 10], &[0, 1, 1, 0]].concat();
    assert_eq!(problem(&[&overlong]), RecordProblem::Varint);
    let empty: &[u8] = &[];
    assert_eq!(problem(&[empty]), RecordProblem::Overrun);
}

#[test]
fn a_negative_record_length_is_refused() {
    let header = BatchHeader {
        record_count: 1,
        last_offset_delta: 0,
        ..Default::default()
    };
    let (code, error) = refused(&header.seal(&[1, 0, 0, 0]));
    assert_eq!(code, ErrorCode::INVALID_RECORD);
    let problem = RecordProblem::Length(-1);
    assert!(matches!(error, BatchError::Record { index: 0, problem: found } if found == problem));
}

#[test]
fn times_keep_their_distance() {
    let at = |timestamp| {
        let mut builder = BatchBuilder::new();
        builder.push(&NewRecord {
            timestamp: NOW_MS,
            ..Default::default()
        });
        builder.push(&NewRecord {
            timestamp,
            ..Default::default()
        });
        builder.build()
    };
    let limits = Limits {
        timestamp_before_max_ms: 1_000,
        ..Default::default()
    };
    let code = |timestamp| validate(&at(timestamp), &limits, NOW_MS).map_err(|error| error.code());
    let too_far = Err(ErrorCode::INVALID_TIMESTAMP);
    assert_eq!(code(NOW_MS + 3_600_001).map(|_| ()), too_far);
    assert_eq!(code(NOW_MS - 1_001).map(|_| ()), too_far);
    assert_eq!(code(i64::MAX).map(|_| ()), too_far);
    assert_eq!(
        code(NOW_MS + 3_600_000).unwrap().max_timestamp,
        NOW_MS + 3_600_000
    );
    assert_eq!(code(NOW_MS - 1_000).unwrap().max_timestamp, NOW_MS);
    assert_eq!(code(-1).unwrap().max_timestamp, NOW_MS);
    assert_eq!(check(&at(5)).unwrap().max_timestamp, NOW_MS);
    let error = validate(&at(i64::MAX), &limits, NOW_MS).unwrap_err();
    assert_eq!(error.record_index(), Some(1));
}

#[test]
fn a_topic_may_give_records_the_time_of_their_append() {
    let limits = Limits {
        log_append_time: true,
        ..Default::default()
    };
    for codec in Codec::ALL {
        let batch = builder(codec, 3).build();
        let valid = validate(&batch, &limits, 9_999_999_999_999).unwrap();
        assert_eq!(valid.max_timestamp, 9_999_999_999_999);
        let mut stored = batch.clone();
        stored[..HEADER_SIZE].copy_from_slice(&valid.corrected.unwrap());
        let times = records(&stored).unwrap();
        assert!(times.iter().all(|one| one.timestamp == 9_999_999_999_999));
        // The checksum holds: the batch is taken apart as any other.
        let header = BatchHeader::parse(&stored).unwrap();
        assert_eq!(crc32c::of(&stored[21..]), header.crc, "{codec:?}");
        assert!(header.is_log_append_time());
    }
}

#[test]
fn where_keys_are_required_a_record_without_one_is_named() {
    let limits = Limits {
        keys_required: true,
        ..Default::default()
    };
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new().with_codec(codec);
        for key in [Some(&b"key"[..]), Some(b""), None] {
            builder.push(&NewRecord {
                key,
                timestamp: NOW_MS,
                ..Default::default()
            });
        }
        let error = validate(&builder.build(), &limits, NOW_MS).unwrap_err();
        assert_eq!(error.code(), ErrorCode::INVALID_RECORD, "{codec:?}");
        assert_eq!(error.record_index(), Some(2), "{codec:?}");
    }
}

#[test]
fn zstd_needs_a_later_version() {
    let limits = Limits {
        zstd_allowed: false,
        ..Default::default()
    };
    let code =
        |codec| validate(&builder(codec, 1).build(), &limits, NOW_MS).map_err(|error| error.code());
    assert_eq!(
        code(Codec::Zstd).unwrap_err(),
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    );
    assert!(code(Codec::Lz4).is_ok());
}

/// One record of zeros, so large that it decompresses past the limit.
fn bomb(codec: Codec) -> Vec<u8> {
    let zeros = vec![0; DECOMPRESSED_SIZE_MAX as usize];
    let mut builder = BatchBuilder::new().with_codec(codec);
    builder.push(&NewRecord {
        value: Some(&zeros),
        ..Default::default()
    });
    builder.build()
}

#[test]
fn a_bomb_ends_at_the_limit() {
    let limits = Limits {
        size_max: usize::MAX,
        ..Default::default()
    };
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let batch = bomb(codec);
        assert!(batch.len() < 1 << 20, "{codec:?}: {}", batch.len());
        let error = validate(&batch, &limits, NOW_MS).unwrap_err();
        assert_eq!(
            error.code(),
            ErrorCode::MESSAGE_TOO_LARGE,
            "{codec:?}: {error}"
        );
    }
}

#[test]
fn the_batches_of_a_request_share_one_bound() {
    let value = vec![0; DECOMPRESSED_SIZE_MAX as usize / 3];
    let mut builder = BatchBuilder::new().with_codec(Codec::Zstd);
    builder.push(&NewRecord {
        value: Some(&value),
        ..Default::default()
    });
    let batch = builder.build();
    let mut validation = Validation::new(NOW_MS);
    assert!(validation.batch(&batch, &Limits::default()).is_ok());
    assert!(validation.batch(&batch, &Limits::default()).is_ok());
    let error = validation.batch(&batch, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::MESSAGE_TOO_LARGE, "{error}");
    // Plain batches are looked at where they lie, and always can be.
    assert!(
        validation
            .batch(&self::builder(Codec::None, 2).build(), &Limits::default())
            .is_ok()
    );
}

#[test]
fn nonsense_behind_every_codec_is_refused() {
    for codec in Codec::ALL {
        let header = BatchHeader {
            attributes: i16::from(codec.bits()),
            record_count: 1,
            last_offset_delta: 0,
            ..Default::default()
        };
        for payload in [&b""[..], b"\0", b"not compressed by anything", &[0xff; 40]] {
            let (code, error) = refused(&header.seal(payload));
            assert_eq!(code, ErrorCode::INVALID_RECORD, "{codec:?}: {error}");
        }
    }
}
