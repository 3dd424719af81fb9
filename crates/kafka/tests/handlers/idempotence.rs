//! Idempotent producers: a batch that is sent again is stored once, and its answer is as good as the first.

use std::collections::HashSet;

use pagelog_kafka::batch::BatchBuilder;
use pagelog_kafka::codec::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use pagelog_kafka::codec::{ApiKey, ErrorCode, ProduceResponse};

use crate::client::{Client, decode, filled, produce};
use crate::home::Home;
use crate::producing::{read, stored};

fn numbered(id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.set_producer(id, epoch, sequence);
    filled(builder, &[b"one", b"two"])
}

fn producer_id(client: &mut Client) -> i64 {
    let response: InitProducerIdResponse = client.ask(4, &InitProducerIdRequest::default());
    assert_eq!(
        (response.error, response.producer_epoch),
        (ErrorCode::NONE, 0)
    );
    response.producer_id
}

#[test]
fn ids_are_never_given_twice() {
    let home = Home::new();
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let running = home.start();
        let mut client = running.client();
        for version in ApiKey::InitProducerId.served() {
            let response: InitProducerIdResponse =
                client.ask(version, &InitProducerIdRequest::default());
            assert_eq!(response.error, ErrorCode::NONE);
            assert!(response.producer_id >= 0 && seen.insert(response.producer_id));
        }
        drop(client);
        // Dropped, not stopped: as after kill -9.
        drop(running);
    }
}

#[test]
fn transactional_ids_are_refused() {
    let running = Home::new().start();
    let mut client = running.client();
    for (id, error) in [
        ("t", ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        ("", ErrorCode::INVALID_REQUEST),
    ] {
        let request = InitProducerIdRequest {
            transactional_id: Some(id),
            ..Default::default()
        };
        let response: InitProducerIdResponse = client.ask(4, &request);
        assert_eq!((response.error, response.producer_id), (error, -1));
    }
    running.stop();
}

#[test]
fn a_batch_sent_again_is_stored_once_through_restarts() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let id = producer_id(&mut client);
    for index in 0..6 {
        let answer = client.produce("a", &numbered(id, 0, index * 2));
        assert_eq!(
            (answer.error, answer.base_offset),
            (ErrorCode::NONE, i64::from(index) * 2)
        );
    }
    drop(client);
    running.stop();

    let running = home.start();
    let mut client = running.client();
    for index in 1..6 {
        let again = client.produce("a", &numbered(id, 0, index * 2));
        assert_eq!(
            (again.error, again.base_offset),
            (ErrorCode::NONE, i64::from(index) * 2)
        );
    }
    let old = client.produce("a", &numbered(id, 0, 0));
    assert_eq!(old.error, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let ahead = client.produce("a", &numbered(id, 0, 14));
    assert_eq!(ahead.error, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let next = client.produce("a", &numbered(id, 0, 12));
    assert_eq!((next.error, next.base_offset), (ErrorCode::NONE, 12));
    let newer = client.produce("a", &numbered(id, 1, 0));
    assert_eq!((newer.error, newer.base_offset), (ErrorCode::NONE, 14));
    let fenced = client.produce("a", &numbered(id, 0, 14));
    assert_eq!(fenced.error, ErrorCode::INVALID_PRODUCER_EPOCH);

    let first = (0..6).map(|index| stored(&numbered(id, 0, index * 2), i64::from(index) * 2, 1));
    let mut expected: Vec<u8> = first.flatten().collect();
    expected.extend(stored(&numbered(id, 0, 12), 12, 2));
    expected.extend(stored(&numbered(id, 1, 0), 14, 2));
    assert_eq!(read(&mut client, "a", 0), expected);
    running.stop();
}

#[test]
fn a_duplicate_is_answered_only_when_the_original_is_on_the_disk() {
    let home = Home::new();
    let (broker, mut sync) = home.open();
    let name = pagelog_store::TopicName::new("a").expect("valid");
    broker.store.create_topic(&name, 1).expect("made");
    let mut client = broker.client();
    let id = producer_id(&mut client);
    let records = numbered(id, 0, 0);
    let mut original = client.send(9, &produce("a", -1, &records)).waits();
    let mut duplicate = broker.client().send(9, &produce("a", -1, &records)).waits();
    let mut hasty = broker.client().send(9, &produce("a", 1, &records)).waits();
    assert!(original.poll().is_none() && duplicate.poll().is_none() && hasty.poll().is_none());
    sync.write().expect("written");
    assert!(original.poll().is_none() && duplicate.poll().is_none());
    assert!(
        hasty.poll().is_some(),
        "acks=1 asks for no more than the file"
    );
    sync.sync().expect("synced");
    let answers = [original.poll(), duplicate.poll()];
    for bytes in answers {
        let response: ProduceResponse = decode(&bytes.expect("it is on the disk"), 9);
        assert_eq!(response.topics[0].partitions[0].base_offset, 0);
    }
    let next = broker
        .store
        .topics()
        .by_name("a")
        .map(|topic| topic.partitions()[0].next_offset().0);
    assert_eq!(next, Some(2));
}
