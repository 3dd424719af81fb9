//! DeleteTopics: by name, and from version 6 on by id.

use uuid::Uuid;

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Delete these topics.
    pub struct DeleteTopicsRequest {
        /// The topics, from version 6 on.
        topics: Vec<DeleteTopicState> [6..],
        /// The topics' names, up to version 5.
        names: Vec<String> [..=5],
        /// How long the client waits.
        timeout_ms: i32 [0..],
    }
}

message! {
    /// A topic to delete.
    pub struct DeleteTopicState {
        /// Its name; None when it is given by id.
        name: Option<String> [6..],
        /// Its id; zero when it is given by name.
        topic_id: Uuid [6..],
    }
}

message! {
    /// What became of the topics.
    pub struct DeleteTopicsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// By topic.
        topics: Vec<DeletableTopicResult> [0..],
    }
}

message! {
    /// What became of one topic.
    pub struct DeletableTopicResult {
        /// Its name; None (from version 6 on) for an unknown id.
        name: Option<String> [0..],
        /// Its id.
        topic_id: Uuid [6..],
        /// Why it was not deleted.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [5..],
    }
}

api!(DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse);
