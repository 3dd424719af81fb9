//! The codec against another one, the `kafka-protocol` crate, and against hostile bytes.

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
    };
}

use for_every_message;
