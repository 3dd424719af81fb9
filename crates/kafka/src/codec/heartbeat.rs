//! Heartbeat: a member of a classic group is still there.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// I am here.
    pub struct HeartbeatRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// The generation that the member knows.
        generation_id: i32 [0..],
        /// The member.
        member_id: &'a str [0..],
        /// The id that its owner gave it.
        group_instance_id: Option<&'a str> [3..],
    }
}

message! {
    /// Whether it may go on.
    pub struct HeartbeatResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Why it may not.
        error: ErrorCode [0..],
    }
}

api!(Heartbeat: HeartbeatRequest<'a> => HeartbeatResponse);
