//! Fetch: every version, limits, epochs, sessions and errors.

use pagelog_kafka::codec::fetch::{FetchPartition, FetchPartitionResponse, FetchTopic};
use pagelog_kafka::codec::{ApiKey, ErrorCode, FetchRequest, FetchResponse, decode_response};
use pagelog_store::answer::Answer;
use uuid::Uuid;

use crate::client::{Client, batch, fetch};
use crate::home::Home;
use crate::producing::stored;

/// One partition's part of an answer, with its records apart.
struct Part {
    error: ErrorCode,
    high_watermark: i64,
    log_start_offset: i64,
    records: Vec<u8>,
}

impl From<&FetchPartitionResponse<'_>> for Part {
    fn from(response: &FetchPartitionResponse<'_>) -> Part {
        assert_eq!(response.high_watermark, response.last_stable_offset);
        Part {
            error: response.error,
            high_watermark: response.high_watermark,
            log_start_offset: response.log_start_offset,
            records: response.records.expect("empty, never null").to_vec(),
        }
    }
}

fn call(client: &mut Client, version: i16, request: &FetchRequest<'_>) -> (ErrorCode, Vec<Part>) {
    let bytes = client.call(version, request);
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], version).expect("valid");
    assert_eq!(response.session_id, 0, "sessions are declined");
    let parts = response
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(Part::from);
    (response.error, parts.collect())
}

#[test]
fn every_version_gives_what_was_stored() {
    let running = Home::new().start();
    let mut client = running.client();
    let id = client.topic("a");
    let first = batch(&[b"one", b"two"]);
    let second = batch(&[b"three"]);
    client.produce("a", &first);
    client.produce("a", &second);
    let whole = [stored(&first, 0, 1), stored(&second, 2, 1)].concat();
    for version in ApiKey::Fetch.served() {
        for isolation_level in [0, 1] {
            let request = |offset| FetchRequest {
                isolation_level,
                ..fetch("a", id, offset)
            };
            // An offset within a batch gives the batch.
            for offset in [0, 1] {
                let (error, parts) = call(&mut client, version, &request(offset));
                assert_eq!((error, parts[0].error), (ErrorCode::NONE, ErrorCode::NONE));
                assert_eq!(parts[0].records, whole, "version {version}");
                assert_eq!(parts[0].high_watermark, 3);
                assert_eq!(parts[0].log_start_offset, if version >= 5 { 0 } else { -1 });
            }
            assert_eq!(
                call(&mut client, version, &request(2)).1[0].records,
                stored(&second, 2, 1)
            );
            assert!(
                call(&mut client, version, &request(3)).1[0]
                    .records
                    .is_empty()
            );
            for offset in [4, -1] {
                let (_, parts) = call(&mut client, version, &request(offset));
                assert_eq!(parts[0].error, ErrorCode::OFFSET_OUT_OF_RANGE);
                assert_eq!(parts[0].high_watermark, -1);
                assert!(parts[0].records.is_empty());
            }
        }
    }
    running.stop();
}

#[test]
fn no_payload_byte_is_in_the_memory_of_an_answer() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[&[7; 4 << 10]]);
    for offset in 0..4 {
        let answer = client.produce("a", &records);
        assert_eq!(
            (answer.error, answer.base_offset),
            (ErrorCode::NONE, offset),
            "{answer:?}"
        );
    }
    let frame = pagelog_kafka::codec::encode_request(11, 1, None, &fetch("a", Uuid::nil(), 0));
    let Answer::Now(rope) = client.answer(&frame[4..]) else {
        panic!("there is enough to read");
    };
    assert!(rope.len() > 4 * records.len() as u64);
    assert!(rope.owned_size() < 200, "{}", rope.owned_size());
    running.stop();
}

#[test]
fn limits_hold_but_for_the_first_batch() {
    let mut home = Home::new();
    home.kafka.num_partitions = 3;
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[&[7; 1000]]);
    let size = records.len();
    for partition in 0..3 {
        for _ in 0..5 {
            let mut request = crate::client::produce("a", -1, &records);
            request.topics[0].partitions[0].index = partition;
            client.call(9, &request);
        }
    }
    let mut counts = |bytes_max: i32, partition_bytes_max: i32, offset_of_first: i64| {
        let partition = |index| FetchPartition {
            index,
            fetch_offset: if index == 0 { offset_of_first } else { 0 },
            bytes_max: partition_bytes_max,
            ..Default::default()
        };
        let request = FetchRequest {
            bytes_max,
            bytes_min: 1,
            topics: vec![FetchTopic {
                name: "a",
                partitions: (0..3).map(partition).collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let (_, parts) = call(&mut client, 11, &request);
        parts
            .iter()
            .map(|part| part.records.len() / size)
            .collect::<Vec<_>>()
    };
    assert_eq!(counts(1 << 20, 1 << 20, 0), [5, 5, 5]);
    assert_eq!(counts(1, 1 << 20, 0), [1, 0, 0]);
    // The first batch of the first partition that has one.
    assert_eq!(counts(1, 1 << 20, 5), [0, 1, 0]);
    assert_eq!(counts(1 << 20, 1, 0), [1, 0, 0]);
    assert_eq!(counts(1 << 20, 2 * size as i32 + 5, 0), [2, 2, 2]);
    assert_eq!(counts(7 * size as i32 + 5, 1 << 20, 0), [5, 2, 0]);
    assert_eq!(counts(-1, -1, 0), [1, 0, 0]);
    running.stop();
}

#[test]
fn fetch_max_bytes_bounds_what_a_client_may_ask() {
    let mut home = Home::new();
    home.kafka.fetch_max_bytes = 3000;
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[&[7; 1000]]);
    for _ in 0..5 {
        client.produce("a", &records);
    }
    let (_, parts) = call(&mut client, 11, &fetch("a", Uuid::nil(), 0));
    assert_eq!(parts[0].records.len(), 2 * records.len());
    running.stop();
}

#[test]
fn topics_are_found_by_name_and_later_by_id() {
    let running = Home::new().start();
    let mut client = running.client();
    let id = client.topic("a");
    let (_, parts) = call(&mut client, 12, &fetch("nobody", id, 0));
    assert_eq!(parts[0].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let (_, parts) = call(&mut client, 13, &fetch("a", Uuid::from_u128(5), 0));
    assert_eq!(parts[0].error, ErrorCode::UNKNOWN_TOPIC_ID);
    let mut request = fetch("a", id, 0);
    request.topics[0].partitions[0].index = 1;
    let (_, parts) = call(&mut client, 13, &request);
    assert_eq!(parts[0].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    running.stop();
}

#[test]
fn leader_epochs_of_the_past_and_of_the_future_are_told_apart() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    client.produce("a", &batch(&[b"x"]));
    drop(client);
    running.stop();

    let running = home.start();
    let mut client = running.client();
    let mut error_of = |current_leader_epoch| {
        let mut request = fetch("a", Uuid::nil(), 0);
        request.topics[0].partitions[0].current_leader_epoch = current_leader_epoch;
        call(&mut client, 11, &request).1[0].error
    };
    assert_eq!(error_of(-1), ErrorCode::NONE);
    assert_eq!(error_of(1), ErrorCode::FENCED_LEADER_EPOCH);
    assert_eq!(error_of(2), ErrorCode::NONE);
    assert_eq!(error_of(3), ErrorCode::UNKNOWN_LEADER_EPOCH);

    // A client that holds records of epoch 1 beyond its end is told where it ended (KIP-595).
    let mut request = fetch("a", Uuid::nil(), 9);
    request.topics[0].partitions[0].last_fetched_epoch = 1;
    let bytes = client.call(12, &request);
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], 12).expect("valid");
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error, ErrorCode::NONE);
    assert_eq!(
        (
            partition.diverging_epoch.epoch,
            partition.diverging_epoch.end_offset
        ),
        (1, 1)
    );
    running.stop();
}

#[test]
fn sessions_are_declined() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    for (session_id, session_epoch, error) in [
        (0, 0, ErrorCode::NONE),
        (0, -1, ErrorCode::NONE),
        (7, -1, ErrorCode::NONE),
        (7, 0, ErrorCode::NONE),
        (7, 1, ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
        (0, 3, ErrorCode::FETCH_SESSION_ID_NOT_FOUND),
    ] {
        let request = FetchRequest {
            session_id,
            session_epoch,
            ..fetch("a", Uuid::nil(), 0)
        };
        let (found, parts) = call(&mut client, 11, &request);
        assert_eq!(found, error, "{session_id} {session_epoch}");
        assert_eq!(parts.is_empty(), error != ErrorCode::NONE);
    }
    running.stop();
}
