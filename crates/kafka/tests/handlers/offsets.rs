//! ListOffsets and OffsetForLeaderEpoch.

use pagelog_kafka::batch::{BatchBuilder, Codec, NewRecord};
use pagelog_kafka::codec::list_offsets::{
    EARLIEST, EARLIEST_LOCAL, LATEST, LATEST_TIERED, ListOffsetsPartition,
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    MAX_TIMESTAMP,
};
use pagelog_kafka::codec::offset_for_leader_epoch::{
    EpochPartition, EpochTopic, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use pagelog_kafka::codec::{ApiKey, ErrorCode};

use pagelog_store::Route;
use pagelog_store::answer::Mark;
use pagelog_testing::MemoryStorage;
use std::sync::Arc;

use crate::client::{Client, batch};
use crate::home::Home;

fn list(client: &mut Client, version: i16, timestamp: i64) -> ListOffsetsPartitionResponse {
    list_all(client, version, &[(0, -1, timestamp)]).remove(0)
}

/// Index, leader epoch and time of each question.
fn list_all(
    client: &mut Client,
    version: i16,
    asked: &[(i32, i32, i64)],
) -> Vec<ListOffsetsPartitionResponse> {
    let partition =
        |&(index, current_leader_epoch, timestamp): &(i32, i32, i64)| ListOffsetsPartition {
            index,
            current_leader_epoch,
            timestamp,
        };
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: "a",
            partitions: asked.iter().map(partition).collect(),
        }],
        ..Default::default()
    };
    let response: ListOffsetsResponse = client.ask(version, &request);
    response
        .topics
        .into_iter()
        .flat_map(|topic| topic.partitions)
        .collect()
}

/// A batch with these times.
fn timed(codec: Codec, times: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_codec(codec);
    for time in times {
        builder.push(&NewRecord {
            timestamp: *time,
            value: Some(b"x"),
            ..Default::default()
        });
    }
    builder.build()
}

#[test]
fn ends_and_times_in_every_version() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    // Offsets       0   1   2
    client.produce("a", &timed(Codec::None, &[10, 30, 20]));
    // Offsets       3   4   5   6, of which 5 has the greatest time first
    client.produce("a", &timed(Codec::Zstd, &[20, 35, 50, 50]));
    client.produce("a", &timed(Codec::Gzip, &[50]));
    for version in ApiKey::ListOffsets.served() {
        let mut at = |timestamp| {
            let found = list(&mut client, version, timestamp);
            let leader_epoch = if version >= 4 && found.offset >= 0 {
                1
            } else {
                -1
            };
            assert_eq!(
                found.leader_epoch, leader_epoch,
                "version {version}, time {timestamp}"
            );
            (found.error, found.offset, found.timestamp)
        };
        let none = ErrorCode::NONE;
        assert_eq!(at(LATEST), (none, 8, -1));
        assert_eq!(at(EARLIEST), (none, 0, -1));
        assert_eq!(at(0), (none, 0, 10));
        assert_eq!(at(11), (none, 1, 30));
        assert_eq!(at(31), (none, 4, 35));
        assert_eq!(at(36), (none, 5, 50));
        assert_eq!(at(51), (none, -1, -1));
        let unknown = (ErrorCode::UNSUPPORTED_VERSION, -1, -1);
        assert_eq!(
            at(MAX_TIMESTAMP),
            if version >= 7 { (none, 5, 50) } else { unknown }
        );
        assert_eq!(
            at(EARLIEST_LOCAL),
            if version >= 8 { (none, 0, -1) } else { unknown }
        );
        assert_eq!(
            at(LATEST_TIERED),
            if version >= 9 {
                (none, -1, -1)
            } else {
                unknown
            }
        );
        assert_eq!(at(-6), unknown);
    }
    running.stop();
}

#[test]
fn an_empty_partition_has_ends_and_no_time() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    assert_eq!(list(&mut client, 9, LATEST).offset, 0);
    assert_eq!(list(&mut client, 9, EARLIEST).offset, 0);
    assert_eq!(list(&mut client, 9, MAX_TIMESTAMP).offset, -1);
    assert_eq!(list(&mut client, 9, 0).offset, -1);
    running.stop();
}

#[test]
fn questions_that_have_no_answer() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    let asked = [(0, 1, LATEST), (1, -1, LATEST), (0, -1, 5)];
    let errors: Vec<_> = list_all(&mut client, 9, &asked)
        .iter()
        .map(|one| one.error)
        .collect();
    assert_eq!(
        errors,
        [
            ErrorCode::NONE,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::INVALID_REQUEST
        ]
    );
    assert_eq!(
        list_all(&mut client, 9, &[(0, 0, LATEST)])[0].error,
        ErrorCode::FENCED_LEADER_EPOCH
    );
    assert_eq!(
        list_all(&mut client, 9, &[(0, 2, LATEST)])[0].error,
        ErrorCode::UNKNOWN_LEADER_EPOCH
    );
    running.stop();
}

#[test]
fn an_epoch_ends_where_the_next_opening_began() {
    let home = Home::new();
    for _ in 0..2 {
        let running = home.start();
        let mut client = running.client();
        client.topic("a");
        client.produce("a", &batch(&[b"one", b"two"]));
        drop(client);
        running.stop();
    }
    let running = home.start();
    let mut client = running.client();
    for version in ApiKey::OffsetForLeaderEpoch.served() {
        let mut ask = |index, current_leader_epoch, leader_epoch| {
            let request = OffsetForLeaderEpochRequest {
                topics: vec![EpochTopic {
                    name: "a",
                    partitions: vec![EpochPartition {
                        index,
                        current_leader_epoch,
                        leader_epoch,
                    }],
                }],
                ..Default::default()
            };
            let response: OffsetForLeaderEpochResponse = client.ask(version, &request);
            let partition = &response.topics[0].partitions[0];
            (
                partition.error,
                partition.leader_epoch,
                partition.end_offset,
            )
        };
        assert_eq!(ask(0, -1, 1), (ErrorCode::NONE, 1, 2));
        assert_eq!(ask(0, 3, 2), (ErrorCode::NONE, 2, 4));
        assert_eq!(ask(0, 3, 3), (ErrorCode::NONE, 3, 4));
        assert_eq!(ask(0, 3, 4), (ErrorCode::NONE, -1, -1));
        assert_eq!(ask(0, 3, -1), (ErrorCode::NONE, -1, -1));
        assert_eq!(ask(0, 2, 1).0, ErrorCode::FENCED_LEADER_EPOCH);
        assert_eq!(ask(1, 3, 1).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    running.stop();
}

/// Under interval flush a power cut may take what consumers have seen. The next opening is another epoch, and says where the
/// old one ended: KIP-320's whole purpose.
#[test]
fn records_that_a_power_cut_took_are_noticed() {
    let mut home = Home::new();
    home.store.settles_at = Mark::Written;
    home.store.log.route = Route::Mapped;
    let storage = MemoryStorage::new(3);
    let (broker, mut sync) = home.open_over(Arc::new(storage.clone()));
    let mut client = broker.client();
    client.topic("a");
    let records = batch(&[b"one", b"two"]);
    client.produce("a", &records);
    sync.write().expect("written");
    sync.sync().expect("synced");
    client.produce("a", &records);
    assert_eq!(
        list(&mut client, 9, LATEST).offset,
        4,
        "seen before it is on the disk"
    );
    let image = storage.freeze().power_cut_losing_all();
    drop((client, broker, sync));

    let (broker, _sync) = home.open_over(Arc::new(image));
    let mut client = broker.client();
    // The kernel may have written the page of its own accord; nearly always the second batch is gone.
    let left = list(&mut client, 9, LATEST).offset;
    assert!(left == 2 || left == 4, "{left}");
    client.produce("a", &batch(&[b"three", b"four", b"five"]));
    let request = OffsetForLeaderEpochRequest {
        topics: vec![EpochTopic {
            name: "a",
            partitions: vec![EpochPartition {
                index: 0,
                current_leader_epoch: 2,
                leader_epoch: 1,
            }],
        }],
        ..Default::default()
    };
    let response: OffsetForLeaderEpochResponse = client.ask(4, &request);
    let end = &response.topics[0].partitions[0];
    assert_eq!((end.leader_epoch, end.end_offset), (1, left));
    assert_eq!(list(&mut client, 9, LATEST).offset, left + 3);
}
