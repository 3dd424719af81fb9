//! JoinGroup: a consumer asks to be a member of a group, and learns who else is.

use bytes::Bytes;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Let me be a member.
    pub struct JoinGroupRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// How long the member may be silent.
        session_timeout_ms: i32 [0..],
        /// How long the member may take to come back when the group is shared out anew; in version 0 the session's time.
        rebalance_timeout_ms: i32 [1..] = -1,
        /// The id that the coordinator gave, or empty.
        member_id: &'a str [0..],
        /// The id that the member's owner gave it for good (KIP-345).
        group_instance_id: Option<&'a str> [5..],
        /// What the group is for; consumers say `consumer`.
        protocol_type: &'a str [0..],
        /// The ways of sharing out that the member knows, the best first.
        protocols: Vec<JoinGroupProtocol<'a>> [0..],
        /// Why it joins, for the log.
        reason: Option<&'a str> [8..],
    }
}

message! {
    /// One way of sharing out.
    pub struct JoinGroupProtocol<'a> {
        /// Its name.
        name: &'a str [0..],
        /// What the member says to whoever shares out.
        metadata: &'a [u8] [0..],
    }
}

message! {
    /// The generation that the member is of.
    pub struct JoinGroupResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [2..],
        /// Why it did not join.
        error: ErrorCode [0..],
        /// The number of the generation.
        generation_id: i32 [0..] = -1,
        /// What the group is for.
        protocol_type: Option<String> [7..],
        /// The way of sharing out that was chosen; null only from version 7 on.
        protocol_name: Option<String> [0..] = Some(String::new()),
        /// The member that shares out.
        leader: String [0..],
        /// Whether the leader shall leave the assignment as it is.
        skip_assignment: bool [9..],
        /// The id of this member.
        member_id: String [0..],
        /// Everyone, for the leader; for others nobody.
        members: Vec<JoinGroupMember> [0..],
    }
}

message! {
    /// A member, as its leader sees it.
    pub struct JoinGroupMember {
        /// Its id.
        member_id: String [0..],
        /// The id that its owner gave it.
        group_instance_id: Option<String> [5..],
        /// What it says to the leader.
        metadata: Bytes [0..],
    }
}

api!(JoinGroup: JoinGroupRequest<'a> => JoinGroupResponse);
