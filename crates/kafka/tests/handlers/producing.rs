//! Produce: every version, compression and acknowledgement; what is refused, and how.

use pagelog_flush::{Flush, Policy};
use pagelog_kafka::batch::{BatchBuilder, Codec};
use pagelog_kafka::codec::produce::{
    ProducePartition, ProduceRequest, ProduceResponse, ProduceTopic,
};
use pagelog_kafka::codec::{ApiKey, ErrorCode, FetchResponse, decode_response};
use pagelog_store::answer::Answer;
use pagelog_testing::{Errno, Fault, MemoryStorage, Operation};
use std::sync::Arc;
use uuid::Uuid;

use crate::client::{Client, Got, batch, decode, fetch, filled, produce};
use crate::home::{Home, Running};

/// What a broker does to a batch: offset and leader epoch.
pub(crate) fn stored(batch: &[u8], base_offset: i64, leader_epoch: i32) -> Vec<u8> {
    let mut stored = batch.to_vec();
    pagelog_kafka::batch::patch(&mut stored, base_offset, leader_epoch);
    stored
}

/// The records of partition 0 from an offset on, as Fetch gives them.
pub(crate) fn read(client: &mut Client, topic: &str, offset: i64) -> Vec<u8> {
    let bytes = client.call(11, &fetch(topic, Uuid::nil(), offset));
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], 11).expect("valid");
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error, ErrorCode::NONE);
    partition.records.expect("never null").to_vec()
}

#[test]
fn every_version_stores_the_same_bytes() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let mut expected = Vec::new();
    for (offset, version) in ApiKey::Produce.served().enumerate() {
        let records = batch(&[format!("version {version}").as_bytes()]);
        let response: ProduceResponse = client.ask(version, &produce("a", -1, &records));
        let partition = &response.topics[0].partitions[0];
        assert_eq!(
            (partition.error, partition.base_offset),
            (ErrorCode::NONE, offset as i64)
        );
        assert_eq!(partition.log_append_time_ms, -1);
        assert_eq!(
            partition.log_start_offset,
            if version >= 5 { 0 } else { -1 }
        );
        expected.extend(stored(&records, offset as i64, 1));
    }
    assert_eq!(read(&mut client, "a", 0), expected);
    running.stop();
}

#[test]
fn every_compression_passes_and_is_checked_by_a_worker() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let mut expected = Vec::new();
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let records = filled(BatchBuilder::new().with_codec(codec), &[b"one", b"two"]);
        let frame = pagelog_kafka::codec::encode_request(9, 1, None, &produce("a", -1, &records));
        let answer = client.answer(&frame[4..]);
        assert!(matches!(answer, Answer::Work(_)), "{codec:?}: {answer:?}");
        let bytes = match client.settle(answer) {
            Got::Waits(waits) => waits.wait(),
            Got::Bytes(bytes) => bytes,
            _ => panic!("an answer is due"),
        };
        let response: ProduceResponse = decode(&bytes, 9);
        let partition = &response.topics[0].partitions[0];
        assert_eq!(partition.error, ErrorCode::NONE, "{codec:?}");
        expected.extend(stored(&records, partition.base_offset, 1));
    }
    assert_eq!(read(&mut client, "a", 0), expected);
    let zstd = filled(BatchBuilder::new().with_codec(Codec::Zstd), &[b"one"]);
    let early: ProduceResponse = client.ask(6, &produce("a", -1, &zstd));
    assert_eq!(
        early.topics[0].partitions[0].error,
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    );
    running.stop();
}

#[test]
fn one_request_goes_to_many_partitions_each_with_its_own_answer() {
    let mut home = Home::new();
    home.kafka.num_partitions = 2;
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let good = batch(&[b"good"]);
    let compressed = filled(BatchBuilder::new().with_codec(Codec::Gzip), &[b"small"]);
    let mut damaged = batch(&[b"damaged"]);
    *damaged.last_mut().expect("not empty") ^= 1;
    let mut transactional = BatchBuilder::new();
    transactional.set_producer(5, 0, 0);
    let large = batch(&[&[7; 9 << 10]]);
    let two = [good.clone(), good.clone()].concat();
    let partition = |index, records| ProducePartition { index, records };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topics: vec![
            ProduceTopic {
                name: "a",
                partitions: vec![
                    partition(0, Some(&good[..])),
                    partition(0, Some(&damaged)),
                    partition(1, Some(&compressed)),
                    partition(0, Some(&large)),
                    partition(0, Some(&two)),
                    partition(0, Some(&good[..30])),
                    partition(0, None),
                    partition(2, Some(&good)),
                    partition(-1, Some(&good)),
                    partition(0, Some(&good)),
                ],
            },
            ProduceTopic {
                name: "unknown",
                partitions: vec![partition(0, Some(&good))],
            },
        ],
        ..Default::default()
    };
    let response: ProduceResponse = client.ask(9, &request);
    let shown: Vec<_> = response
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|one| (one.index, one.error, one.base_offset))
        .collect();
    assert_eq!(
        shown,
        [
            (0, ErrorCode::NONE, 0),
            (0, ErrorCode::CORRUPT_MESSAGE, -1),
            (1, ErrorCode::NONE, 0),
            (0, ErrorCode::MESSAGE_TOO_LARGE, -1),
            (0, ErrorCode::INVALID_RECORD, -1),
            (0, ErrorCode::CORRUPT_MESSAGE, -1),
            (0, ErrorCode::INVALID_RECORD, -1),
            (2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
            (-1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
            (0, ErrorCode::NONE, 1),
            (0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
        ]
    );
    assert!(response.topics[0].partitions[1].error_message.is_some());
    let expected = [stored(&good, 0, 1), stored(&good, 1, 1)].concat();
    assert_eq!(read(&mut client, "a", 0), expected);
    running.stop();
}

#[test]
fn transactions_are_refused() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[b"x"]);
    let request = ProduceRequest {
        transactional_id: Some("t"),
        ..produce("a", -1, &records)
    };
    let response: ProduceResponse = client.ask(9, &request);
    let error = response.topics[0].partitions[0].error;
    assert_eq!(error, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    running.stop();
}

#[test]
fn acks_decide_when_and_whether_there_is_an_answer() {
    let home = Home::new();
    let (broker, mut sync) = home.open();
    let mut making = broker
        .client()
        .send(
            7,
            &pagelog_kafka::codec::create_topics::CreateTopicsRequest {
                topics: vec![pagelog_kafka::codec::create_topics::CreatableTopic {
                    name: "a".to_owned(),
                    ..Default::default()
                }],
                ..Default::default()
            },
        )
        .waits();
    assert!(making.poll().is_none());
    sync.write().expect("written");
    sync.sync().expect("synced");
    assert!(making.poll().is_some());

    let records = batch(&[b"x"]);
    let mut client = broker.client();
    assert!(matches!(
        client.send(9, &produce("a", 0, &records)),
        Got::Silence
    ));
    let mut one = client.send(9, &produce("a", 1, &records)).waits();
    let mut all = client.send(9, &produce("a", -1, &records)).waits();
    assert!(one.poll().is_none() && all.poll().is_none());
    sync.write().expect("written");
    let response: ProduceResponse = decode(&one.poll().expect("it is in the file"), 9);
    assert_eq!(response.topics[0].partitions[0].base_offset, 1);
    assert!(all.poll().is_none(), "not on the disk yet");
    sync.sync().expect("synced");
    let response: ProduceResponse = decode(&all.poll().expect("it is on the disk"), 9);
    assert_eq!(response.topics[0].partitions[0].base_offset, 2);

    let wrong: ProduceResponse = client.ask(9, &produce("a", 2, &records));
    assert_eq!(
        wrong.topics[0].partitions[0].error,
        ErrorCode::INVALID_REQUIRED_ACKS
    );
    let reason = client.send(9, &produce("unknown", 0, &records)).closed();
    assert!(reason.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{reason}");
}

#[test]
fn a_client_that_waits_too_briefly_is_told_so() {
    let home = Home::new();
    let (broker, mut sync) = home.open();
    let name = pagelog_store::TopicName::new("a").expect("valid");
    broker.store.create_topic(&name, 1).expect("made");
    let records = batch(&[b"x"]);
    let request = ProduceRequest {
        timeout_ms: 1,
        ..produce("a", -1, &records)
    };
    let mut client = broker.client();
    let response: ProduceResponse = client.ask(9, &request);
    let partition = &response.topics[0].partitions[0];
    assert_eq!(
        (partition.error, partition.base_offset),
        (ErrorCode::REQUEST_TIMED_OUT, -1)
    );
    sync.close().expect("closed");
}

#[test]
fn a_full_ring_sends_the_request_to_a_worker_that_waits_for_room() {
    let home = Home::new();
    let (broker, sync) = home.open();
    let name = pagelog_store::TopicName::new("a").expect("valid");
    broker.store.create_topic(&name, 1).expect("made");
    let mut client = broker.client();
    let records = batch(&[&[7; 6 << 10]]);
    let request = ProduceRequest {
        topics: vec![ProduceTopic {
            name: "a",
            partitions: (0..20)
                .map(|_| ProducePartition {
                    index: 0,
                    records: Some(&records),
                })
                .collect(),
        }],
        ..produce("a", -1, &records)
    };
    let frame = pagelog_kafka::codec::encode_request(9, 1, None, &request);
    let answer = client.answer(&frame[4..]);
    assert!(matches!(answer, Answer::Work(_)), "{answer:?}");
    // Some of its batches are in the ring; the worker goes on behind them.
    let flush = Flush::start(sync, Policy::Sync).expect("the flush thread starts");
    let bytes = match client.settle(answer) {
        Got::Waits(waits) => waits.wait(),
        Got::Bytes(bytes) => bytes,
        _ => panic!("an answer is due"),
    };
    let response: ProduceResponse = decode(&bytes, 9);
    let offsets: Vec<i64> = response.topics[0]
        .partitions
        .iter()
        .map(|one| one.base_offset)
        .collect();
    assert_eq!(offsets, (0..20).collect::<Vec<i64>>());
    flush.stop().expect("a clean stop");
}

#[test]
fn a_failed_sync_fails_what_waits_and_all_that_comes() {
    let home = Home::new();
    let storage = MemoryStorage::new(1);
    let (broker, sync) = home.open_over(Arc::new(storage.clone()));
    let running = Running::new(broker, sync);
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[b"x"]);
    assert_eq!(client.produce("a", &records).error, ErrorCode::NONE);
    storage.inject(Fault::always(Operation::Sync, 0, Errno::IO));
    for _ in 0..2 {
        let answer = client.produce("a", &records);
        assert_eq!(
            (answer.error, answer.base_offset),
            (ErrorCode::KAFKA_STORAGE_ERROR, -1)
        );
    }
    // What was acknowledged can still be read.
    assert_eq!(read(&mut client, "a", 0), stored(&records, 0, 1));
}
