//! The bodies of requests and responses. What can be read can be written, and reads as the same again.

use pagelog_kafka::codec::{self, ApiKey, Field, Reader, Writer};

use crate::input::Input;

/// The first byte chooses the API, the second a version that is served, the rest is the body.
macro_rules! check_body {
    ($bytes:expr, $($api:ident => $message:ident,)*) => {{
        let mut input = Input::new($bytes);
        let api = ApiKey::ALL[usize::from(input.u8()) % ApiKey::ALL.len()];
        let versions: Vec<i16> = api.served().collect();
        let version = versions[usize::from(input.u8()) % versions.len()];
        let encoding = api.encoding(version);
        let mut reader = Reader::new(input.rest(), encoding);
        match api {
            $(ApiKey::$api => if let Ok(body) = codec::$message::decode(&mut reader, version) {
                let size = input.rest().len() - reader.remaining().len();
                assert!(codec::$message::size_min(version, encoding) <= size);
                let mut written = Vec::new();
                body.encode(&mut Writer::new(&mut written, encoding), version);
                let again = codec::$message::decode(&mut Reader::new(&written, encoding), version);
                assert_eq!(again.as_ref(), Ok(&body));
            },)*
        }
    }};
}

/// Reads `bytes` as the body of a request.
///
/// # Panics
/// When what was read is written and read again as something else.
pub fn check_request(bytes: &[u8]) {
    check_body!(
        bytes,
        ApiVersions => ApiVersionsRequest,
        CreateTopics => CreateTopicsRequest,
        DeleteTopics => DeleteTopicsRequest,
        DeleteGroups => DeleteGroupsRequest,
        DescribeGroups => DescribeGroupsRequest,
        Heartbeat => HeartbeatRequest,
        JoinGroup => JoinGroupRequest,
        LeaveGroup => LeaveGroupRequest,
        ListGroups => ListGroupsRequest,
        OffsetCommit => OffsetCommitRequest,
        OffsetDelete => OffsetDeleteRequest,
        OffsetFetch => OffsetFetchRequest,
        SyncGroup => SyncGroupRequest,
        ConsumerGroupHeartbeat => ConsumerGroupHeartbeatRequest,
        ConsumerGroupDescribe => ConsumerGroupDescribeRequest,
        Fetch => FetchRequest,
        FindCoordinator => FindCoordinatorRequest,
        InitProducerId => InitProducerIdRequest,
        ListOffsets => ListOffsetsRequest,
        Metadata => MetadataRequest,
        OffsetForLeaderEpoch => OffsetForLeaderEpochRequest,
        Produce => ProduceRequest,
        DescribeAcls => DescribeAclsRequest,
        CreateAcls => CreateAclsRequest,
        DeleteAcls => DeleteAclsRequest,
        DescribeConfigs => DescribeConfigsRequest,
        AlterConfigs => AlterConfigsRequest,
        IncrementalAlterConfigs => IncrementalAlterConfigsRequest,
        ListConfigResources => ListConfigResourcesRequest,
        CreatePartitions => CreatePartitionsRequest,
        ElectLeaders => ElectLeadersRequest,
        AlterPartitionReassignments => AlterPartitionReassignmentsRequest,
        ListPartitionReassignments => ListPartitionReassignmentsRequest,
        DescribeClientQuotas => DescribeClientQuotasRequest,
        AlterClientQuotas => AlterClientQuotasRequest,
        DescribeUserScramCredentials => DescribeUserScramCredentialsRequest,
        DescribeQuorum => DescribeQuorumRequest,
        DeleteRecords => DeleteRecordsRequest,
        DescribeLogDirs => DescribeLogDirsRequest,
        DescribeCluster => DescribeClusterRequest,
        DescribeProducers => DescribeProducersRequest,
        DescribeTopicPartitions => DescribeTopicPartitionsRequest,
    );
}

/// Reads `bytes` as the body of a response.
///
/// # Panics
/// When what was read is written and read again as something else.
pub fn check_response(bytes: &[u8]) {
    check_body!(
        bytes,
        ApiVersions => ApiVersionsResponse,
        CreateTopics => CreateTopicsResponse,
        DeleteTopics => DeleteTopicsResponse,
        DeleteGroups => DeleteGroupsResponse,
        DescribeGroups => DescribeGroupsResponse,
        Heartbeat => HeartbeatResponse,
        JoinGroup => JoinGroupResponse,
        LeaveGroup => LeaveGroupResponse,
        ListGroups => ListGroupsResponse,
        OffsetCommit => OffsetCommitResponse,
        OffsetDelete => OffsetDeleteResponse,
        OffsetFetch => OffsetFetchResponse,
        SyncGroup => SyncGroupResponse,
        ConsumerGroupHeartbeat => ConsumerGroupHeartbeatResponse,
        ConsumerGroupDescribe => ConsumerGroupDescribeResponse,
        Fetch => FetchResponse,
        FindCoordinator => FindCoordinatorResponse,
        InitProducerId => InitProducerIdResponse,
        ListOffsets => ListOffsetsResponse,
        Metadata => MetadataResponse,
        OffsetForLeaderEpoch => OffsetForLeaderEpochResponse,
        Produce => ProduceResponse,
        DescribeAcls => DescribeAclsResponse,
        CreateAcls => CreateAclsResponse,
        DeleteAcls => DeleteAclsResponse,
        DescribeConfigs => DescribeConfigsResponse,
        AlterConfigs => AlterConfigsResponse,
        IncrementalAlterConfigs => IncrementalAlterConfigsResponse,
        ListConfigResources => ListConfigResourcesResponse,
        CreatePartitions => CreatePartitionsResponse,
        ElectLeaders => ElectLeadersResponse,
        AlterPartitionReassignments => AlterPartitionReassignmentsResponse,
        ListPartitionReassignments => ListPartitionReassignmentsResponse,
        DescribeClientQuotas => DescribeClientQuotasResponse,
        AlterClientQuotas => AlterClientQuotasResponse,
        DescribeUserScramCredentials => DescribeUserScramCredentialsResponse,
        DescribeQuorum => DescribeQuorumResponse,
        DeleteRecords => DeleteRecordsResponse,
        DescribeLogDirs => DescribeLogDirsResponse,
        DescribeCluster => DescribeClusterResponse,
        DescribeProducers => DescribeProducersResponse,
        DescribeTopicPartitions => DescribeTopicPartitionsResponse,
    );
}
