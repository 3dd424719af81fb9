//! DeleteGroups: empty groups, and what they committed, are forgotten.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Forget these.
    pub struct DeleteGroupsRequest<'a> {
        /// The groups.
        groups: Vec<&'a str> [0..],
    }
}

message! {
    /// What was forgotten.
    pub struct DeleteGroupsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// By group.
        results: Vec<DeletedGroup> [0..],
    }
}

message! {
    /// What became of one.
    pub struct DeletedGroup {
        /// The group.
        group_id: String [0..],
        /// Why it is still there.
        error: ErrorCode [0..],
    }
}

api!(DeleteGroups: DeleteGroupsRequest<'a> => DeleteGroupsResponse);
