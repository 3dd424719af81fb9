//! SyncGroup: the leader hands in who gets what, and every member learns its part.

use bytes::Bytes;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// What is my part?
    pub struct SyncGroupRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// The generation that JoinGroup named.
        generation_id: i32 [0..],
        /// The member.
        member_id: &'a str [0..],
        /// The id that its owner gave it.
        group_instance_id: Option<&'a str> [3..],
        /// What the group is for.
        protocol_type: Option<&'a str> [5..],
        /// The way of sharing out that JoinGroup named.
        protocol_name: Option<&'a str> [5..],
        /// Everyone's part, from the leader.
        assignments: Vec<SyncGroupAssignment<'a>> [0..],
    }
}

message! {
    /// One member's part.
    pub struct SyncGroupAssignment<'a> {
        /// The member.
        member_id: &'a str [0..],
        /// Its part.
        assignment: &'a [u8] [0..],
    }
}

message! {
    /// The member's part.
    pub struct SyncGroupResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Why there is none.
        error: ErrorCode [0..],
        /// What the group is for.
        protocol_type: Option<String> [5..],
        /// The way of sharing out.
        protocol_name: Option<String> [5..],
        /// The part.
        assignment: Bytes [0..],
    }
}

api!(SyncGroup: SyncGroupRequest<'a> => SyncGroupResponse);
