//! FindCoordinator: which broker looks after a group or a transaction.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Who coordinates these?
    pub struct FindCoordinatorRequest<'a> {
        /// The group or transactional id, up to version 3.
        key: &'a str [..=3],
        /// 0: groups, 1: transactions, 2: share groups.
        key_type: i8 [1..],
        /// The groups or transactional ids, from version 4 on.
        keys: Vec<&'a str> [4..],
    }
}

message! {
    /// The coordinators.
    pub struct FindCoordinatorResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Why there is none, up to version 3.
        error: ErrorCode [..=3],
        /// The same in words.
        error_message: Option<String> [1..=3],
        /// The coordinator's node, up to version 3.
        node_id: i32 [..=3] = -1,
        /// Its host, up to version 3.
        host: String [..=3],
        /// Its port, up to version 3.
        port: i32 [..=3] = -1,
        /// The coordinators, from version 4 on.
        coordinators: Vec<Coordinator> [4..],
    }
}

message! {
    /// The coordinator of one key.
    pub struct Coordinator {
        /// The group or transactional id.
        key: String [4..],
        /// The coordinator's node.
        node_id: i32 [4..] = -1,
        /// Its host.
        host: String [4..],
        /// Its port.
        port: i32 [4..] = -1,
        /// Why there is none.
        error: ErrorCode [4..],
        /// The same in words.
        error_message: Option<String> [4..],
    }
}

api!(FindCoordinator: FindCoordinatorRequest<'a> => FindCoordinatorResponse);
