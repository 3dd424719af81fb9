//! The same for the messages of groups.

use kafka_protocol::messages as theirs;

use super::convert::Convert;
use super::pairs::pairs;
use crate::codec as ours;

pairs! {
    ours::JoinGroupRequest<'_> => theirs::JoinGroupRequest {
        group_id => group_id,
        session_timeout_ms => session_timeout_ms,
        rebalance_timeout_ms => rebalance_timeout_ms,
        member_id => member_id,
        group_instance_id => group_instance_id,
        protocol_type => protocol_type,
        protocols => protocols,
        reason => reason,
    }
    ours::join_group::JoinGroupProtocol<'_> => theirs::join_group_request::JoinGroupRequestProtocol {
        name => name,
        metadata => metadata,
    }
    ours::JoinGroupResponse => theirs::JoinGroupResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        generation_id => generation_id,
        protocol_type => protocol_type,
        protocol_name => protocol_name,
        leader => leader,
        skip_assignment => skip_assignment,
        member_id => member_id,
        members => members,
    }
    ours::join_group::JoinGroupMember => theirs::join_group_response::JoinGroupResponseMember {
        member_id => member_id,
        group_instance_id => group_instance_id,
        metadata => metadata,
    }

    ours::SyncGroupRequest<'_> => theirs::SyncGroupRequest {
        group_id => group_id,
        generation_id => generation_id,
        member_id => member_id,
        group_instance_id => group_instance_id,
        protocol_type => protocol_type,
        protocol_name => protocol_name,
        assignments => assignments,
    }
    ours::sync_group::SyncGroupAssignment<'_> => theirs::sync_group_request::SyncGroupRequestAssignment {
        member_id => member_id,
        assignment => assignment,
    }
    ours::SyncGroupResponse => theirs::SyncGroupResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        protocol_type => protocol_type,
        protocol_name => protocol_name,
        assignment => assignment,
    }

    ours::HeartbeatRequest<'_> => theirs::HeartbeatRequest {
        group_id => group_id,
        generation_id => generation_id,
        member_id => member_id,
        group_instance_id => group_instance_id,
    }
    ours::HeartbeatResponse => theirs::HeartbeatResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
    }

    ours::LeaveGroupRequest<'_> => theirs::LeaveGroupRequest {
        group_id => group_id,
        member_id => member_id in ..=2,
        members => members in 3..,
    }
    ours::leave_group::LeavingMember<'_> => theirs::leave_group_request::MemberIdentity {
        member_id => member_id,
        group_instance_id => group_instance_id,
        reason => reason,
    }
    ours::LeaveGroupResponse => theirs::LeaveGroupResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        members => members,
    }
    ours::leave_group::LeftMember => theirs::leave_group_response::MemberResponse {
        member_id => member_id,
        group_instance_id => group_instance_id,
        error => error_code,
    }

    ours::OffsetCommitRequest<'_> => theirs::OffsetCommitRequest {
        group_id => group_id,
        generation_or_epoch => generation_id_or_member_epoch,
        member_id => member_id,
        group_instance_id => group_instance_id,
        retention_ms => retention_time_ms,
        topics => topics,
    }
    ours::offset_commit::OffsetCommitTopic<'_> => theirs::offset_commit_request::OffsetCommitRequestTopic {
        name => name,
        partitions => partitions,
    }
    ours::offset_commit::OffsetCommitPartition<'_> => theirs::offset_commit_request::OffsetCommitRequestPartition {
        index => partition_index,
        offset => committed_offset,
        leader_epoch => committed_leader_epoch,
        metadata => committed_metadata,
    }
    ours::OffsetCommitResponse => theirs::OffsetCommitResponse {
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::offset_commit::OffsetCommitResponseTopic => theirs::offset_commit_response::OffsetCommitResponseTopic {
        name => name,
        partitions => partitions,
    }
    ours::offset_commit::OffsetCommitResponsePartition => theirs::offset_commit_response::OffsetCommitResponsePartition {
        index => partition_index,
        error => error_code,
    }

    ours::OffsetFetchRequest<'_> => theirs::OffsetFetchRequest {
        group_id => group_id in ..=7,
        topics => topics in ..=7,
        groups => groups in 8..,
        require_stable => require_stable,
    }
    ours::offset_fetch::OffsetFetchGroup<'_> => theirs::offset_fetch_request::OffsetFetchRequestGroup {
        group_id => group_id,
        member_id => member_id,
        member_epoch => member_epoch,
        topics => topics,
    }
    ours::offset_fetch::OffsetFetchTopic<'_> => theirs::offset_fetch_request::OffsetFetchRequestTopic {
        name => name,
        partition_indexes => partition_indexes,
    }
    ours::offset_fetch::OffsetFetchTopic<'_> => theirs::offset_fetch_request::OffsetFetchRequestTopics {
        name => name,
        partition_indexes => partition_indexes,
    }
    ours::OffsetFetchResponse => theirs::OffsetFetchResponse {
        throttle_ms => throttle_time_ms,
        topics => topics in ..=7,
        error => error_code,
        groups => groups in 8..,
    }
    ours::offset_fetch::OffsetFetchResponseGroup => theirs::offset_fetch_response::OffsetFetchResponseGroup {
        group_id => group_id,
        topics => topics,
        error => error_code,
    }
    ours::offset_fetch::OffsetFetchResponseTopic => theirs::offset_fetch_response::OffsetFetchResponseTopic {
        name => name,
        partitions => partitions,
    }
    ours::offset_fetch::OffsetFetchResponsePartition => theirs::offset_fetch_response::OffsetFetchResponsePartition {
        index => partition_index,
        offset => committed_offset,
        leader_epoch => committed_leader_epoch,
        metadata => metadata,
        error => error_code,
    }
    ours::offset_fetch::OffsetFetchResponseTopic => theirs::offset_fetch_response::OffsetFetchResponseTopics {
        name => name,
        partitions => partitions,
    }
    ours::offset_fetch::OffsetFetchResponsePartition => theirs::offset_fetch_response::OffsetFetchResponsePartitions {
        index => partition_index,
        offset => committed_offset,
        leader_epoch => committed_leader_epoch,
        metadata => metadata,
        error => error_code,
    }

    ours::OffsetDeleteRequest<'_> => theirs::OffsetDeleteRequest {
        group_id => group_id,
        topics => topics,
    }
    ours::offset_delete::OffsetDeleteTopic<'_> => theirs::offset_delete_request::OffsetDeleteRequestTopic {
        name => name,
        partitions => partitions,
    }
    ours::offset_delete::OffsetDeletePartition => theirs::offset_delete_request::OffsetDeleteRequestPartition {
        index => partition_index,
    }
    ours::OffsetDeleteResponse => theirs::OffsetDeleteResponse {
        error => error_code,
        throttle_ms => throttle_time_ms,
        topics => topics,
    }
    ours::offset_delete::OffsetDeleteResponseTopic => theirs::offset_delete_response::OffsetDeleteResponseTopic {
        name => name,
        partitions => partitions,
    }
    ours::offset_delete::OffsetDeleteResponsePartition => theirs::offset_delete_response::OffsetDeleteResponsePartition {
        index => partition_index,
        error => error_code,
    }

    ours::ListGroupsRequest<'_> => theirs::ListGroupsRequest {
        states_filter => states_filter,
        types_filter => types_filter,
    }
    ours::ListGroupsResponse => theirs::ListGroupsResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        groups => groups,
    }
    ours::list_groups::ListedGroup => theirs::list_groups_response::ListedGroup {
        group_id => group_id,
        protocol_type => protocol_type,
        state => group_state,
        group_type => group_type,
    }

    ours::DescribeGroupsRequest<'_> => theirs::DescribeGroupsRequest {
        groups => groups,
        include_authorized_operations => include_authorized_operations,
    }
    ours::DescribeGroupsResponse => theirs::DescribeGroupsResponse {
        throttle_ms => throttle_time_ms,
        groups => groups,
    }
    ours::describe_groups::DescribedGroup => theirs::describe_groups_response::DescribedGroup {
        error => error_code,
        error_message => error_message,
        group_id => group_id,
        state => group_state,
        protocol_type => protocol_type,
        protocol_data => protocol_data,
        members => members,
        authorized_operations => authorized_operations,
    }
    ours::describe_groups::DescribedMember => theirs::describe_groups_response::DescribedGroupMember {
        member_id => member_id,
        group_instance_id => group_instance_id,
        client_id => client_id,
        client_host => client_host,
        metadata => member_metadata,
        assignment => member_assignment,
    }

    ours::DeleteGroupsRequest<'_> => theirs::DeleteGroupsRequest {
        groups => groups_names,
    }
    ours::DeleteGroupsResponse => theirs::DeleteGroupsResponse {
        throttle_ms => throttle_time_ms,
        results => results,
    }
    ours::delete_groups::DeletedGroup => theirs::delete_groups_response::DeletableGroupResult {
        group_id => group_id,
        error => error_code,
    }

    ours::ConsumerGroupHeartbeatRequest<'_> => theirs::ConsumerGroupHeartbeatRequest {
        group_id => group_id,
        member_id => member_id,
        member_epoch => member_epoch,
        instance_id => instance_id,
        rack_id => rack_id,
        rebalance_timeout_ms => rebalance_timeout_ms,
        subscribed_topic_names => subscribed_topic_names,
        subscribed_topic_regex => subscribed_topic_regex,
        server_assignor => server_assignor,
        topic_partitions => topic_partitions,
    }
    ours::consumer_group_heartbeat::TopicPartitions => theirs::consumer_group_heartbeat_request::TopicPartitions {
        topic_id => topic_id,
        partitions => partitions,
    }
    ours::ConsumerGroupHeartbeatResponse => theirs::ConsumerGroupHeartbeatResponse {
        throttle_ms => throttle_time_ms,
        error => error_code,
        error_message => error_message,
        member_id => member_id,
        member_epoch => member_epoch,
        heartbeat_interval_ms => heartbeat_interval_ms,
        assignment => assignment,
    }
    ours::consumer_group_heartbeat::Assignment => theirs::consumer_group_heartbeat_response::Assignment {
        topic_partitions => topic_partitions,
    }
    ours::consumer_group_heartbeat::TopicPartitions => theirs::consumer_group_heartbeat_response::TopicPartitions {
        topic_id => topic_id,
        partitions => partitions,
    }

    ours::ConsumerGroupDescribeRequest<'_> => theirs::ConsumerGroupDescribeRequest {
        groups => group_ids,
        include_authorized_operations => include_authorized_operations,
    }
    ours::ConsumerGroupDescribeResponse => theirs::ConsumerGroupDescribeResponse {
        throttle_ms => throttle_time_ms,
        groups => groups,
    }
    ours::consumer_group_describe::DescribedConsumerGroup => theirs::consumer_group_describe_response::DescribedGroup {
        error => error_code,
        error_message => error_message,
        group_id => group_id,
        state => group_state,
        group_epoch => group_epoch,
        assignment_epoch => assignment_epoch,
        assignor_name => assignor_name,
        members => members,
        authorized_operations => authorized_operations,
    }
    ours::consumer_group_describe::ConsumerGroupMember => theirs::consumer_group_describe_response::Member {
        member_id => member_id,
        instance_id => instance_id,
        rack_id => rack_id,
        member_epoch => member_epoch,
        client_id => client_id,
        client_host => client_host,
        subscribed_topic_names => subscribed_topic_names,
        subscribed_topic_regex => subscribed_topic_regex,
        assignment => assignment,
        target_assignment => target_assignment,
        member_type => member_type,
    }
    ours::consumer_group_describe::DescribedAssignment => theirs::consumer_group_describe_response::Assignment {
        topic_partitions => topic_partitions,
    }
    ours::consumer_group_describe::DescribedTopicPartitions => theirs::consumer_group_describe_response::TopicPartitions {
        topic_id => topic_id,
        topic_name => topic_name,
        partitions => partitions,
    }
}

impl Convert<Option<theirs::consumer_group_heartbeat_response::Assignment>>
    for Option<ours::consumer_group_heartbeat::Assignment>
{
    fn convert(
        &self,
        version: i16,
    ) -> Option<theirs::consumer_group_heartbeat_response::Assignment> {
        self.as_ref().map(|assignment| assignment.convert(version))
    }
}
