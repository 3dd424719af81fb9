//! LeaveGroup: members go, or are sent away by an administrator.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// These go.
    pub struct LeaveGroupRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// The member, up to version 2.
        member_id: &'a str [..=2],
        /// The members, from version 3 on.
        members: Vec<LeavingMember<'a>> [3..],
    }
}

message! {
    /// One that goes.
    pub struct LeavingMember<'a> {
        /// Its id; empty when it is named by the other one.
        member_id: &'a str [3..],
        /// The id that its owner gave it.
        group_instance_id: Option<&'a str> [3..],
        /// Why it goes, for the log.
        reason: Option<&'a str> [5..],
    }
}

message! {
    /// Who has gone.
    pub struct LeaveGroupResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Why nobody has.
        error: ErrorCode [0..],
        /// By member, from version 3 on.
        members: Vec<LeftMember> [3..],
    }
}

message! {
    /// What became of one.
    pub struct LeftMember {
        /// Its id.
        member_id: String [3..],
        /// The id that its owner gave it.
        group_instance_id: Option<String> [3..],
        /// Why it is still there.
        error: ErrorCode [3..],
    }
}

api!(LeaveGroup: LeaveGroupRequest<'a> => LeaveGroupResponse);
