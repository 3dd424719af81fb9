//! Batches against the `kafka-protocol` crate: what it writes is valid here and reads the same, and the other way round.

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType,
};
use pagelog_kafka::batch::{BatchBuilder, Limits, NewRecord, records, validate};
use pagelog_testing::{Random, seed};

const NOW_MS: i64 = 1_700_000_000_000;

fn bytes(random: &mut Random, size_max: usize) -> Option<Bytes> {
    let mut bytes = vec![0; random.below(size_max)];
    random.fill(&mut bytes);
    (!random.one_in(4)).then(|| bytes.into())
}

fn theirs(random: &mut Random, index: usize) -> TheirRecord {
    let headers = (0..random.below(3)).map(|number| {
        let name = StrBytes::from_string(format!("header-{number}"));
        (name, bytes(random, 30))
    });
    let headers = headers.collect();
    TheirRecord {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: 7,
        producer_epoch: 3,
        timestamp_type: TimestampType::Creation,
        offset: index as i64,
        sequence: 50 + index as i32,
        timestamp: NOW_MS - random.below(100_000) as i64,
        key: bytes(random, 20),
        value: bytes(random, 300),
        headers,
    }
}

/// The batch of the same records as this crate makes it.
fn ours(records: &[TheirRecord]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.set_producer(7, 3, 50);
    for record in records {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()))
            .collect();
        builder.push(&NewRecord {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        });
    }
    builder.build()
}

#[test]
fn batches_of_both_codecs_read_the_same() {
    let mut random = Random::new(seed(0xba7c));
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    for _ in 0..200 {
        let count = 1 + random.below(20);
        let written: Vec<_> = (0..count).map(|index| theirs(&mut random, index)).collect();
        let mut encoded = BytesMut::new();
        RecordBatchEncoder::encode(&mut encoded, &written, &options).unwrap();

        let valid = validate(&encoded, &Limits::default(), NOW_MS).unwrap();
        assert_eq!((valid.count as usize, valid.corrected), (count, None));
        assert_eq!(
            valid.max_timestamp,
            written.iter().map(|record| record.timestamp).max().unwrap()
        );
        assert_eq!(
            (valid.header.producer_id, valid.header.producer_epoch),
            (7, 3)
        );
        assert_eq!(valid.header.base_sequence, 50);
        assert_eq!(
            records(&encoded).unwrap(),
            records(&ours(&written)).unwrap()
        );

        let mut batch = Bytes::from(ours(&written));
        let read = RecordBatchDecoder::decode(&mut batch).unwrap().records;
        for (read, written) in read.iter().zip(&written) {
            assert_eq!((&read.key, &read.value), (&written.key, &written.value));
            assert_eq!(
                (read.offset, read.timestamp),
                (written.offset, written.timestamp)
            );
            assert_eq!(
                (read.sequence, &read.headers),
                (written.sequence, &written.headers)
            );
        }
        assert_eq!(read.len(), count);
    }
}
