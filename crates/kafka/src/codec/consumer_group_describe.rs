//! ConsumerGroupDescribe (KIP-848): the state and the members of a group of the consumer protocol.

use uuid::Uuid;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Tell of these.
    pub struct ConsumerGroupDescribeRequest<'a> {
        /// The groups.
        groups: Vec<&'a str> [0..],
        /// Whether to say what the client may do with them.
        include_authorized_operations: bool [0..],
    }
}

message! {
    /// The groups.
    pub struct ConsumerGroupDescribeResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By group.
        groups: Vec<DescribedConsumerGroup> [0..],
    }
}

message! {
    /// A group.
    pub struct DescribedConsumerGroup {
        /// Why nothing is told.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Its name.
        group_id: String [0..],
        /// Its state.
        state: String [0..],
        /// The epoch of its members and what they want.
        group_epoch: i32 [0..],
        /// The epoch for which it was last shared out.
        assignment_epoch: i32 [0..],
        /// How it is shared out.
        assignor_name: String [0..],
        /// Its members.
        members: Vec<ConsumerGroupMember> [0..],
        /// What the client may do, as bits; the smallest number if it did not ask.
        authorized_operations: i32 [0..] = i32::MIN,
    }
}

message! {
    /// A member.
    pub struct ConsumerGroupMember {
        /// Its id.
        member_id: String [0..],
        /// The id that its owner gave it.
        instance_id: Option<String> [0..],
        /// Its rack.
        rack_id: Option<String> [0..],
        /// Its epoch.
        member_epoch: i32 [0..],
        /// The client's name.
        client_id: String [0..],
        /// Where it is.
        client_host: String [0..],
        /// The topics that it wants.
        subscribed_topic_names: Vec<String> [0..],
        /// The expression for the topics that it wants.
        subscribed_topic_regex: Option<String> [0..],
        /// What it has.
        assignment: DescribedAssignment [0..],
        /// What it is to have.
        target_assignment: DescribedAssignment [0..],
        /// 0 for a classic member, 1 for one of the consumer protocol, -1 if not known.
        member_type: i8 [1..] = -1,
    }
}

message! {
    /// A member's part.
    pub struct DescribedAssignment {
        /// By topic.
        topic_partitions: Vec<DescribedTopicPartitions> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct DescribedTopicPartitions {
        /// The topic.
        topic_id: Uuid [0..],
        /// Its name.
        topic_name: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

api!(ConsumerGroupDescribe: ConsumerGroupDescribeRequest<'a> => ConsumerGroupDescribeResponse);
