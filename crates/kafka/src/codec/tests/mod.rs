//! The codec against another one, the `kafka-protocol` crate, and against hostile bytes.

mod administration;
mod convert;
mod differential;
mod group_pairs;
mod hostile;
mod pairs;
mod sample;

pub(crate) use sample::Sample;

/// Names every request and response for a test that is the same for all of them.
macro_rules! for_every_message {
    ($do:ident) => {
        $do!(ApiVersions, ApiVersionsRequest, ApiVersionsResponse);
        $do!(CreateTopics, CreateTopicsRequest, CreateTopicsResponse);
        $do!(DeleteTopics, DeleteTopicsRequest, DeleteTopicsResponse);
        $do!(DeleteGroups, DeleteGroupsRequest, DeleteGroupsResponse);
        $do!(
            DescribeGroups,
            DescribeGroupsRequest,
            DescribeGroupsResponse
        );
        $do!(Heartbeat, HeartbeatRequest, HeartbeatResponse);
        $do!(JoinGroup, JoinGroupRequest, JoinGroupResponse);
        $do!(LeaveGroup, LeaveGroupRequest, LeaveGroupResponse);
        $do!(ListGroups, ListGroupsRequest, ListGroupsResponse);
        $do!(OffsetCommit, OffsetCommitRequest, OffsetCommitResponse);
        $do!(OffsetDelete, OffsetDeleteRequest, OffsetDeleteResponse);
        $do!(OffsetFetch, OffsetFetchRequest, OffsetFetchResponse);
        $do!(SyncGroup, SyncGroupRequest, SyncGroupResponse);
        $do!(
            ConsumerGroupHeartbeat,
            ConsumerGroupHeartbeatRequest,
            ConsumerGroupHeartbeatResponse
        );
        $do!(
            ConsumerGroupDescribe,
            ConsumerGroupDescribeRequest,
            ConsumerGroupDescribeResponse
        );
        $do!(Fetch, FetchRequest, FetchResponse);
        $do!(
            FindCoordinator,
            FindCoordinatorRequest,
            FindCoordinatorResponse
        );
        $do!(
            InitProducerId,
            InitProducerIdRequest,
            InitProducerIdResponse
        );
        $do!(ListOffsets, ListOffsetsRequest, ListOffsetsResponse);
        $do!(Metadata, MetadataRequest, MetadataResponse);
        $do!(
            OffsetForLeaderEpoch,
            OffsetForLeaderEpochRequest,
            OffsetForLeaderEpochResponse
        );
        $do!(Produce, ProduceRequest, ProduceResponse);
        $do!(DescribeAcls, DescribeAclsRequest, DescribeAclsResponse);
        $do!(CreateAcls, CreateAclsRequest, CreateAclsResponse);
        $do!(DeleteAcls, DeleteAclsRequest, DeleteAclsResponse);
        $do!(
            DescribeConfigs,
            DescribeConfigsRequest,
            DescribeConfigsResponse
        );
        $do!(AlterConfigs, AlterConfigsRequest, AlterConfigsResponse);
        $do!(
            IncrementalAlterConfigs,
            IncrementalAlterConfigsRequest,
            IncrementalAlterConfigsResponse
        );
        $do!(
            ListConfigResources,
            ListConfigResourcesRequest,
            ListConfigResourcesResponse
        );
        $do!(
            CreatePartitions,
            CreatePartitionsRequest,
            CreatePartitionsResponse
        );
        $do!(ElectLeaders, ElectLeadersRequest, ElectLeadersResponse);
        $do!(
            AlterPartitionReassignments,
            AlterPartitionReassignmentsRequest,
            AlterPartitionReassignmentsResponse
        );
        $do!(
            ListPartitionReassignments,
            ListPartitionReassignmentsRequest,
            ListPartitionReassignmentsResponse
        );
        $do!(
            DescribeClientQuotas,
            DescribeClientQuotasRequest,
            DescribeClientQuotasResponse
        );
        $do!(
            AlterClientQuotas,
            AlterClientQuotasRequest,
            AlterClientQuotasResponse
        );
        $do!(
            DescribeUserScramCredentials,
            DescribeUserScramCredentialsRequest,
            DescribeUserScramCredentialsResponse
        );
        $do!(
            DescribeQuorum,
            DescribeQuorumRequest,
            DescribeQuorumResponse
        );
        $do!(DeleteRecords, DeleteRecordsRequest, DeleteRecordsResponse);
        $do!(
            DescribeLogDirs,
            DescribeLogDirsRequest,
            DescribeLogDirsResponse
        );
        $do!(
            DescribeCluster,
            DescribeClusterRequest,
            DescribeClusterResponse
        );
        $do!(
            DescribeProducers,
            DescribeProducersRequest,
            DescribeProducersResponse
        );
        $do!(
            DescribeTopicPartitions,
            DescribeTopicPartitionsRequest,
            DescribeTopicPartitionsResponse
        );
    };
}

use for_every_message;
