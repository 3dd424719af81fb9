//! CreatePartitions, DescribeTopicPartitions, DescribeCluster, DescribeQuorum, and what one node answers about leaders, copies and rules.

use pagelog_kafka::batch::BatchBuilder;
use pagelog_kafka::codec::acls::{
    AclCreation, AclFilter, CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DescribeAclsRequest, DescribeAclsResponse,
};
use pagelog_kafka::codec::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignableTopic,
};
use pagelog_kafka::codec::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic,
};
use pagelog_kafka::codec::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopic,
};
use pagelog_kafka::codec::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use pagelog_kafka::codec::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse,
};
use pagelog_kafka::codec::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, ProducersTopic,
};
use pagelog_kafka::codec::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, QuorumPartition, QuorumTopic,
};
use pagelog_kafka::codec::describe_scram::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};
use pagelog_kafka::codec::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribedTopicName,
};
use pagelog_kafka::codec::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, ElectLeadersTopic,
};
use pagelog_kafka::codec::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use pagelog_kafka::codec::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use pagelog_kafka::codec::{ApiKey, ErrorCode};

use crate::client::{Client, batch, filled};
use crate::home::{ADVERTISED, Home};

fn grow(name: &str, count: i32) -> CreatePartitionsTopic {
    CreatePartitionsTopic {
        name: name.to_owned(),
        count,
        ..Default::default()
    }
}

fn grown(client: &mut Client, version: i16, topics: Vec<CreatePartitionsTopic>) -> Vec<ErrorCode> {
    let request = CreatePartitionsRequest {
        topics,
        timeout_ms: 30_000,
        ..Default::default()
    };
    let response: CreatePartitionsResponse = client.ask(version, &request);
    response.results.iter().map(|one| one.error).collect()
}

#[test]
fn a_topic_is_given_more_partitions_in_every_version() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    let id = client.topic("a");
    let mut expected = 1;
    for version in ApiKey::CreatePartitions.served() {
        expected += 2;
        let errors = grown(&mut client, version, vec![grow("a", expected)]);
        assert_eq!(errors, [ErrorCode::NONE], "version {version}");
        let topics = running.broker.store.topics();
        let topic = topics.by_id(id).expect("the same topic");
        assert_eq!(topic.partitions().len() as i32, expected);
    }
    drop(client);
    running.stop();
    let running = home.start();
    let topics = running.broker.store.topics();
    assert_eq!(topics.by_id(id).expect("kept").partitions().len(), 9);
    drop(topics);
    running.stop();
}

#[test]
fn a_topic_does_not_shrink_and_is_not_grown_wrongly() {
    let mut home = Home::new();
    home.store.partitions_max = 10;
    home.kafka.num_partitions = 2;
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    let assigned = |nodes: &[i32]| CreatePartitionsTopic {
        assignments: Some(
            nodes
                .iter()
                .map(|node| CreatePartitionsAssignment {
                    broker_ids: vec![*node],
                })
                .collect(),
        ),
        ..grow("a", 3)
    };
    for (topic, error) in [
        (grow("a", 2), ErrorCode::INVALID_PARTITIONS),
        (grow("a", 1), ErrorCode::INVALID_PARTITIONS),
        (grow("a", -1), ErrorCode::INVALID_PARTITIONS),
        (grow("a", 11), ErrorCode::POLICY_VIOLATION),
        (grow("b", 3), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (assigned(&[2]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[1, 1]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(&[1]), ErrorCode::NONE),
    ] {
        let shown = format!("{topic:?}");
        assert_eq!(grown(&mut client, 3, vec![topic]), [error], "{shown}");
    }
    let twice = vec![grow("a", 5), grow("a", 6)];
    assert_eq!(grown(&mut client, 3, twice), [ErrorCode::INVALID_REQUEST]);
    let validated = CreatePartitionsRequest {
        topics: vec![grow("a", 9)],
        validate_only: true,
        ..Default::default()
    };
    let response: CreatePartitionsResponse = client.ask(3, &validated);
    assert_eq!(response.results[0].error, ErrorCode::NONE);
    let topics = running.broker.store.topics();
    assert_eq!(
        topics.by_name("a").expect("it is there").partitions().len(),
        3
    );
    drop(topics);
    running.stop();
}

#[test]
fn partitions_are_described_a_page_at_a_time() {
    let mut home = Home::new();
    home.kafka.num_partitions = 3;
    let running = home.start();
    let mut client = running.client();
    let id = client.topic("b");
    client.topic("a");
    let mut request = DescribeTopicPartitionsRequest {
        partition_limit: 2,
        ..Default::default()
    };
    let mut pages = Vec::new();
    loop {
        let page: DescribeTopicPartitionsResponse = client.ask(0, &request);
        for topic in &page.topics {
            assert_eq!(topic.error, ErrorCode::NONE);
            let name = topic.name.clone().expect("a name");
            assert!(name == "a" || topic.topic_id == id);
            let partitions = topic.partitions.iter();
            assert!(
                partitions
                    .clone()
                    .all(|one| one.eligible_leader_replicas == Some(vec![]))
            );
            pages.push((name, partitions.map(|one| one.index).collect()));
        }
        request.cursor = page.next_cursor;
        if request.cursor.is_none() {
            break;
        }
    }
    let expected: [(&str, &[i32]); 4] = [("a", &[0, 1]), ("a", &[2]), ("b", &[0]), ("b", &[1, 2])];
    let expected = expected.map(|(name, indexes)| (name.to_owned(), indexes.to_vec()));
    assert_eq!(pages, expected);
    let named = |name: &str| DescribedTopicName {
        name: name.to_owned(),
    };
    let request = DescribeTopicPartitionsRequest {
        topics: vec![named("nobody"), named("a")],
        ..Default::default()
    };
    let response: DescribeTopicPartitionsResponse = client.ask(0, &request);
    let errors: Vec<_> = response.topics.iter().map(|topic| topic.error).collect();
    assert_eq!(
        errors,
        [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]
    );
    running.stop();
}

#[test]
fn the_cluster_is_this_node() {
    let running = Home::new().start();
    let mut client = running.client();
    for version in ApiKey::DescribeCluster.served() {
        for asked in [false, true] {
            let request = DescribeClusterRequest {
                include_authorized_operations: asked,
                ..Default::default()
            };
            let response: DescribeClusterResponse = client.ask(version, &request);
            assert_eq!(response.cluster_id, running.broker.cluster_id());
            assert_eq!((response.controller_id, response.brokers.len()), (1, 1));
            assert_eq!(response.brokers[0].host, ADVERTISED.0);
            assert_eq!(response.authorized_operations != i32::MIN, asked);
        }
    }
    let controllers = DescribeClusterRequest {
        endpoint_type: 2,
        ..Default::default()
    };
    let response: DescribeClusterResponse = client.ask(1, &controllers);
    assert_eq!(response.error, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
    running.stop();
}

#[test]
fn the_quorum_is_this_node() {
    let running = Home::new().start();
    let mut client = running.client();
    for version in ApiKey::DescribeQuorum.served() {
        let topic = |name: &str| QuorumTopic {
            name: name.to_owned(),
            partitions: vec![QuorumPartition { index: 0 }],
        };
        let request = DescribeQuorumRequest {
            topics: vec![topic("__cluster_metadata"), topic("other")],
        };
        let response: DescribeQuorumResponse = client.ask(version, &request);
        let quorum = &response.topics[0].partitions[0];
        assert_eq!((quorum.error, quorum.leader_id), (ErrorCode::NONE, 1));
        assert_eq!(quorum.voters.len(), 1);
        let other = &response.topics[1].partitions[0];
        assert_eq!(other.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    running.stop();
}

#[test]
fn nothing_can_be_elected_or_moved() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    for version in ApiKey::ElectLeaders.served() {
        let request = ElectLeadersRequest {
            topics: Some(vec![ElectLeadersTopic {
                topic: "a".to_owned(),
                partitions: vec![0, 7],
            }]),
            ..Default::default()
        };
        let response: ElectLeadersResponse = client.ask(version, &request);
        let partitions = &response.results[0].partitions;
        assert_eq!(partitions[0].error, ErrorCode::ELECTION_NOT_NEEDED);
        assert_eq!(partitions[1].error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    for version in ApiKey::AlterPartitionReassignments.served() {
        let partition = |index, replicas: Option<&[i32]>| ReassignablePartition {
            index,
            replicas: replicas.map(<[i32]>::to_vec),
        };
        let request = AlterPartitionReassignmentsRequest {
            topics: vec![ReassignableTopic {
                name: "a".to_owned(),
                partitions: vec![
                    partition(0, Some(&[1])),
                    partition(0, Some(&[2])),
                    partition(0, None),
                    partition(7, Some(&[1])),
                ],
            }],
            ..Default::default()
        };
        let response: AlterPartitionReassignmentsResponse = client.ask(version, &request);
        let partitions = response.responses[0].partitions.iter();
        let errors: Vec<_> = partitions.map(|one| one.error).collect();
        assert_eq!(
            errors,
            [
                ErrorCode::NONE,
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ]
        );
    }
    let nothing: ListPartitionReassignmentsResponse =
        client.ask(0, &ListPartitionReassignmentsRequest::default());
    assert_eq!((nothing.error, nothing.topics.len()), (ErrorCode::NONE, 0));
    running.stop();
}

#[test]
fn there_are_no_rules_and_no_passwords() {
    let running = Home::new().start();
    let mut client = running.client();
    for version in ApiKey::DescribeAcls.served() {
        let described: DescribeAclsResponse = client.ask(version, &DescribeAclsRequest::default());
        assert_eq!(described.error, ErrorCode::SECURITY_DISABLED);
        let create = CreateAclsRequest {
            creations: vec![AclCreation::default(); 2],
        };
        let created: CreateAclsResponse = client.ask(version, &create);
        assert_eq!(created.results.len(), 2);
        assert_eq!(created.results[1].error, ErrorCode::SECURITY_DISABLED);
        let delete = DeleteAclsRequest {
            filters: vec![AclFilter::default()],
        };
        let deleted: DeleteAclsResponse = client.ask(version, &delete);
        assert_eq!(deleted.results[0].error, ErrorCode::SECURITY_DISABLED);
    }
    let nobody: DescribeUserScramCredentialsResponse =
        client.ask(0, &DescribeUserScramCredentialsRequest::default());
    assert_eq!((nobody.error, nobody.results.len()), (ErrorCode::NONE, 0));
    running.stop();
}

#[test]
fn who_writes_to_a_partition_is_shown() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    client.produce("a", &batch(&[b"plain"]));
    let mut builder = BatchBuilder::new();
    builder.set_producer(77, 3, 0);
    let numbered = filled(builder, &[b"x", b"y"]);
    client.produce("a", &numbered);
    let request = DescribeProducersRequest {
        topics: vec![ProducersTopic {
            name: "a".to_owned(),
            partitions: vec![0, 5],
        }],
    };
    let response: DescribeProducersResponse = client.ask(0, &request);
    let [known, unknown] = &response.topics[0].partitions[..] else {
        panic!("two partitions were asked for");
    };
    assert_eq!(unknown.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(known.producers.len(), 1);
    let producer = &known.producers[0];
    assert_eq!(
        (producer.id, producer.epoch, producer.last_sequence),
        (77, 3, 1)
    );
    running.stop();
}

#[test]
fn the_front_of_a_partition_is_deleted_and_stays_so() {
    let home = Home::new();
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    for _ in 0..5 {
        client.produce("a", &batch(&[b"x", b"y"]));
    }
    let request = |name: &str, index, offset| DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: name.to_owned(),
            partitions: vec![DeleteRecordsPartition { index, offset }],
        }],
        timeout_ms: 30_000,
    };
    let mut delete = |version, name: &str, index, offset| {
        let response: DeleteRecordsResponse = client.ask(version, &request(name, index, offset));
        let result = &response.topics[0].partitions[0];
        (result.error, result.low_watermark)
    };
    for (version, from) in ApiKey::DeleteRecords.served().zip([1, 2, 4]) {
        assert_eq!(delete(version, "a", 0, from), (ErrorCode::NONE, from));
    }
    assert_eq!(delete(2, "a", 0, 1), (ErrorCode::NONE, 4), "never back");
    let unknown = (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1);
    assert_eq!(delete(2, "a", 7, 1), unknown);
    assert_eq!(delete(2, "b", 0, 1), unknown);
    let outside = (ErrorCode::OFFSET_OUT_OF_RANGE, -1);
    assert_eq!(delete(2, "a", 0, 11), outside);
    assert_eq!(delete(2, "a", 0, -2), outside);
    assert_eq!(delete(2, "a", 0, -1), (ErrorCode::NONE, 10));
    drop(client);
    running.stop();
    let running = home.start();
    let topics = running.broker.store.topics();
    let partition = topics.by_name("a").expect("kept").partitions()[0].clone();
    assert_eq!(partition.start_offset().0, 10);
    drop((topics, partition));
    running.stop();
}

#[test]
fn a_time_finds_no_record_that_was_deleted() {
    let running = Home::new().start();
    let mut client = running.client();
    client.topic("a");
    // The records of each have the times 1000, 1001, 1002.
    client.produce("a", &batch(&[b"x", b"y", b"z"]));
    client.produce("a", &batch(&[b"x", b"y", b"z"]));
    let mut at_or_after = |start, time| {
        let delete = DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: "a".to_owned(),
                partitions: vec![DeleteRecordsPartition {
                    index: 0,
                    offset: start,
                }],
            }],
            timeout_ms: 30_000,
        };
        let deleted: DeleteRecordsResponse = client.ask(2, &delete);
        assert_eq!(deleted.topics[0].partitions[0].low_watermark, start);
        let request = ListOffsetsRequest {
            topics: vec![ListOffsetsTopic {
                name: "a",
                partitions: vec![ListOffsetsPartition {
                    index: 0,
                    timestamp: time,
                    ..Default::default()
                }],
            }],
            ..Default::default()
        };
        let found: ListOffsetsResponse = client.ask(5, &request);
        found.topics[0].partitions[0].offset
    };
    assert_eq!(at_or_after(1, 0), 1);
    assert_eq!(at_or_after(1, 1002), 2);
    assert_eq!(at_or_after(4, 1000), 4);
    assert_eq!(at_or_after(4, 1003), -1);
    running.stop();
}

#[test]
fn the_directory_says_how_large_partitions_are() {
    let mut home = Home::new();
    let settings = &mut home.kafka.static_values;
    settings.insert("log.dirs".to_owned(), "/".to_owned());
    let running = home.start();
    let mut client = running.client();
    client.topic("a");
    client.topic("b");
    let records = batch(&[b"x", b"y"]);
    client.produce("a", &records);
    client.produce("a", &records);
    for version in ApiKey::DescribeLogDirs.served() {
        let all: DescribeLogDirsResponse =
            client.ask(version, &DescribeLogDirsRequest { topics: None });
        let directory = &all.results[0];
        assert_eq!((all.results.len(), directory.log_dir.as_str()), (1, "/"));
        let (total, usable) = (directory.total_bytes, directory.usable_bytes);
        if version < 4 {
            assert_eq!((total, usable), (-1, -1), "there is no place for them");
        } else {
            assert!(0 <= usable && usable <= total && total > 0);
        }
        let sizes: Vec<_> = directory
            .topics
            .iter()
            .map(|topic| (topic.name.as_str(), topic.partitions[0].size))
            .collect();
        assert_eq!(sizes, [("a", 2 * records.len() as i64), ("b", 0)]);
        let some = |topic: &str, partition| DescribableLogDirTopic {
            topic: topic.to_owned(),
            partitions: vec![partition],
        };
        let few = DescribeLogDirsRequest {
            topics: Some(vec![some("b", 0), some("a", 3), some("c", 0)]),
        };
        let few: DescribeLogDirsResponse = client.ask(version, &few);
        let named: Vec<_> = few.results[0]
            .topics
            .iter()
            .map(|topic| (topic.name.as_str(), topic.partitions.len()))
            .collect();
        assert_eq!(named, [("a", 0), ("b", 1)]);
    }
    running.stop();
}
