//! DescribeGroups: a classic group's state and members.

use bytes::Bytes;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Tell of these.
    pub struct DescribeGroupsRequest<'a> {
        /// The groups.
        groups: Vec<&'a str> [0..],
        /// Whether to say what the client may do with them.
        include_authorized_operations: bool [3..],
    }
}

message! {
    /// The groups.
    pub struct DescribeGroupsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// By group.
        groups: Vec<DescribedGroup> [0..],
    }
}

message! {
    /// A group.
    pub struct DescribedGroup {
        /// Why nothing is told.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [6..],
        /// Its name.
        group_id: String [0..],
        /// Its state.
        state: String [0..],
        /// What it is for.
        protocol_type: String [0..],
        /// How it is shared out.
        protocol_data: String [0..],
        /// Its members.
        members: Vec<DescribedMember> [0..],
        /// What the client may do, as bits; the smallest number if it did not ask.
        authorized_operations: i32 [3..] = i32::MIN,
    }
}

message! {
    /// A member.
    pub struct DescribedMember {
        /// Its id.
        member_id: String [0..],
        /// The id that its owner gave it.
        group_instance_id: Option<String> [4..],
        /// The client's name.
        client_id: String [0..],
        /// Where it is.
        client_host: String [0..],
        /// What it says to whoever shares out.
        metadata: Bytes [0..],
        /// Its part.
        assignment: Bytes [0..],
    }
}

api!(DescribeGroups: DescribeGroupsRequest<'a> => DescribeGroupsResponse);
