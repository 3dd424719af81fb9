//! Fetches that wait: for an append, for enough, for their time, or for nothing any more.

use std::time::{Duration, Instant};

use pagelog_kafka::codec::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use pagelog_kafka::codec::fetch::FetchPartition;
use pagelog_kafka::codec::frame::SIZE_PREFIX;
use pagelog_kafka::codec::{
    ConsumerGroupHeartbeatRequest, ErrorCode, FetchRequest, FetchResponse, MetadataRequest,
    decode_response, encode_request,
};
use pagelog_store::answer::Answer;
use uuid::Uuid;

use crate::client::{Waits, batch, fetch, produce};
use crate::home::{Home, Running};

/// Far longer than any of these tests takes.
const LONG_MS: i32 = 50_000;

fn long(topic: &str, id: Uuid) -> FetchRequest<'_> {
    FetchRequest {
        wait_max_ms: LONG_MS,
        ..fetch(topic, id, 0)
    }
}

fn wait_for_records(waits: Waits, version: i16) -> (ErrorCode, usize) {
    let begun = Instant::now();
    let bytes = waits.wait();
    assert!(
        begun.elapsed() < Duration::from_millis(LONG_MS as u64 / 2),
        "woken, not timed out"
    );
    records_of(&bytes, version)
}

/// The error of the first partition, and how many bytes of records it has.
fn records_of(bytes: &[u8], version: i16) -> (ErrorCode, usize) {
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], version).expect("valid");
    let partition = &response.topics[0].partitions[0];
    (
        partition.error,
        partition.records.expect("never null").len(),
    )
}

fn waiters(running: &Running, topic: &str) -> usize {
    let topics = running.broker.store.topics();
    topics.by_name(topic).expect("it is there").partitions()[0].waiter_count()
}

#[test]
fn an_append_wakes_whoever_waits() {
    let running = Home::new().start();
    let mut client = running.client();
    let id = client.topic("a");
    let records = batch(&[b"x"]);
    let waiting: Vec<Waits> = (0..3)
        .map(|_| running.client().send(13, &long("a", id)).waits())
        .collect();
    assert_eq!(waiters(&running, "a"), 3);
    client.produce("a", &records);
    for waits in waiting {
        assert_eq!(
            wait_for_records(waits, 13),
            (ErrorCode::NONE, records.len())
        );
    }
    assert_eq!(waiters(&running, "a"), 0);
    running.stop();
}

#[test]
fn what_is_appended_and_not_settled_wakes_a_later_reader() {
    let home = Home::new();
    let (broker, mut sync) = home.open();
    let name = pagelog_store::TopicName::new("a").expect("valid");
    broker.store.create_topic(&name, 1).expect("made");
    let records = batch(&[b"x"]);
    let mut client = broker.client();
    let mut produced = client.send(9, &produce("a", -1, &records)).waits();
    let mut reader = broker.client();
    let mut waits = reader.send(11, &long("a", Uuid::nil())).waits();
    assert!(produced.poll().is_none());
    assert!(
        waits.poll().is_none(),
        "readers see nothing that a power cut can take back"
    );
    sync.write().expect("written");
    assert!(waits.poll().is_none());
    sync.sync().expect("synced");
    assert_eq!(
        wait_for_records(waits, 11),
        (ErrorCode::NONE, records.len())
    );
}

#[test]
fn a_reader_waits_for_as_much_as_it_asked() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[&[7; 1000]]);
    let request = FetchRequest {
        bytes_min: 2 * records.len() as i32 + 1,
        ..long("a", Uuid::nil())
    };
    let mut waits = running.client().send(11, &request).waits();
    for _ in 0..2 {
        client.produce("a", &records);
        assert!(waits.poll().is_none());
    }
    client.produce("a", &records);
    assert_eq!(wait_for_records(waits, 11).1, 3 * records.len());
    // More than the partition's limit never comes, so nobody waits for it.
    let mut limited = request;
    limited.topics[0].partitions[0].bytes_max = 1500;
    let bytes = running.client().call(11, &limited);
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], 11).expect("valid");
    let size = response.topics[0].partitions[0].records.map(<[u8]>::len);
    assert_eq!(size, Some(records.len()));
    running.stop();
}

/// All partitions of a topic of a thousand, which is too much for a thread that serves others.
fn long_list(id: Uuid, wait_max_ms: i32) -> FetchRequest<'static> {
    let mut request = FetchRequest {
        wait_max_ms,
        ..fetch("", id, 0)
    };
    let only = request.topics[0].partitions[0].clone();
    let partition = |index| FetchPartition {
        index,
        ..only.clone()
    };
    request.topics[0].partitions = (0..1_000).map(partition).collect();
    request
}

#[test]
fn a_long_list_is_looked_at_by_workers() {
    let running = Home::new().start();
    let mut client = running.client();
    let name = pagelog_store::TopicName::new("a").expect("a valid name");
    let store = &running.broker.store;
    let topic = store.create_topic(&name, 1_000).expect("there is room");
    let request = long_list(topic.id(), LONG_MS);
    let frame = encode_request(13, 1, None, &request);
    let answer = client.answer(&frame[SIZE_PREFIX..]);
    assert!(matches!(answer, Answer::Work(_)), "{answer:?}");
    let everything = encode_request(12, 1, None, &MetadataRequest::default());
    let answer = client.answer(&everything[SIZE_PREFIX..]);
    assert!(matches!(answer, Answer::Work(_)), "{answer:?}");
    let heartbeat = encode_request(1, 1, None, &ConsumerGroupHeartbeatRequest::default());
    let answer = client.answer(&heartbeat[SIZE_PREFIX..]);
    assert!(matches!(answer, Answer::Work(_)), "{answer:?}");

    // Woken again and again, and registered each time with whoever had told it something.
    let records = batch(&[b"x"]);
    let mut patient = request.clone();
    patient.bytes_min = 3 * records.len() as i32;
    let waits = running.client().send(13, &patient).waits();
    let last = request.topics[0].partitions.len() - 1;
    assert_eq!(topic.partitions()[last].waiter_count(), 1);
    for _ in 0..3 {
        client.produce("a", &records);
    }
    let found = wait_for_records(waits, 13);
    assert_eq!(found, (ErrorCode::NONE, 3 * records.len()));
    assert_eq!(topic.partitions()[last].waiter_count(), 0);

    let brief = FetchRequest {
        bytes_min: 1 << 19,
        ..long_list(topic.id(), 5)
    };
    let bytes = running.client().call(13, &brief);
    assert_eq!(records_of(&bytes, 13), (ErrorCode::NONE, 3 * records.len()));
    running.stop();
}

#[test]
fn time_ends_a_wait_with_what_there_is() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let records = batch(&[b"x"]);
    client.produce("a", &records);
    let request = FetchRequest {
        bytes_min: 1 << 19,
        wait_max_ms: 5,
        ..fetch("a", Uuid::nil(), 0)
    };
    let waits = client.send(11, &request).waits();
    let bytes = waits.wait();
    let (_, response) = decode_response::<FetchResponse<'_>>(&bytes[4..], 11).expect("valid");
    let size = response.topics[0].partitions[0].records.map(<[u8]>::len);
    assert_eq!(size, Some(records.len()));
    assert_eq!(waiters(&running, "a"), 0);
    running.stop();
}

#[test]
fn a_topic_deleted_under_a_waiting_reader_is_reported() {
    let running = Home::new().start();
    for (version, error) in [
        (11, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (13, ErrorCode::UNKNOWN_TOPIC_ID),
    ] {
        let mut client = running.client();
        let id = client.topic("a");
        let waits = running.client().send(version, &long("a", id)).waits();
        let request = DeleteTopicsRequest {
            topics: vec![DeleteTopicState {
                topic_id: id,
                name: None,
            }],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let response: DeleteTopicsResponse = client.ask(6, &request);
        assert_eq!(response.topics[0].error, ErrorCode::NONE);
        assert_eq!(wait_for_records(waits, version), (error, 0));
    }
    running.stop();
}

#[test]
fn a_reader_that_leaves_is_forgotten() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let waits = client.send(11, &long("a", Uuid::nil())).waits();
    assert_eq!(waiters(&running, "a"), 1);
    drop(waits);
    assert_eq!(waiters(&running, "a"), 0);
    running.stop();
}

#[test]
fn an_error_or_nothing_to_wait_for_is_answered_at_once() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    client.call(11, &long("unknown", Uuid::nil()));
    let nothing = FetchRequest {
        topics: Vec::new(),
        ..long("a", Uuid::nil())
    };
    client.call(11, &nothing);
    let no_minimum = FetchRequest {
        bytes_min: 0,
        ..long("a", Uuid::nil())
    };
    client.call(11, &no_minimum);
    running.stop();
}
