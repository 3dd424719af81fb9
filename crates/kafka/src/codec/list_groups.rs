//! ListGroups: the groups that there are.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Which groups are there?
    pub struct ListGroupsRequest<'a> {
        /// Only those in one of these states; empty is any.
        states_filter: Vec<&'a str> [4..],
        /// Only those of one of these types; empty is any.
        types_filter: Vec<&'a str> [5..],
    }
}

message! {
    /// The groups.
    pub struct ListGroupsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Why none is named.
        error: ErrorCode [0..],
        /// The groups.
        groups: Vec<ListedGroup> [0..],
    }
}

message! {
    /// A group.
    pub struct ListedGroup {
        /// Its name.
        group_id: String [0..],
        /// What it is for.
        protocol_type: String [0..],
        /// Its state.
        state: String [4..],
        /// Its type, `classic` or `consumer`.
        group_type: String [5..],
    }
}

api!(ListGroups: ListGroupsRequest<'a> => ListGroupsResponse);
