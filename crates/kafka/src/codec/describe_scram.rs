//! DescribeUserScramCredentials: which users have passwords (KIP-554); here none has.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Who has a password.
    pub struct DescribeUserScramCredentialsRequest {
        /// Of these; None: of all.
        users: Option<Vec<ScramUser>> [0..],
    }
}

message! {
    /// A user.
    pub struct ScramUser {
        /// The name.
        name: String [0..],
    }
}

message! {
    /// Who has one.
    pub struct DescribeUserScramCredentialsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why nothing is said.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// By user.
        results: Vec<ScramResult> [0..],
    }
}

message! {
    /// One user.
    pub struct ScramResult {
        /// The name.
        user: String [0..],
        /// Why nothing is said of them.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Their passwords.
        credentials: Vec<ScramCredential> [0..],
    }
}

message! {
    /// What is known of a password.
    pub struct ScramCredential {
        /// How it is checked.
        mechanism: i8 [0..],
        /// How often it was hashed.
        iterations: i32 [0..],
    }
}

api!(DescribeUserScramCredentials: DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse);
