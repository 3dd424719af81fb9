//! IncrementalAlterConfigs: changes some configurations and leaves the others (KIP-339).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Change what is configured.
    pub struct IncrementalAlterConfigsRequest {
        /// By resource.
        resources: Vec<IncrementalResource> [0..],
        /// Whether to say only what would become of it.
        validate_only: bool [0..],
    }
}

message! {
    /// Changes to one resource.
    pub struct IncrementalResource {
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// The changes.
        configs: Vec<IncrementalConfig> [0..],
    }
}

message! {
    /// One change.
    pub struct IncrementalConfig {
        /// The name of the configuration.
        name: String [0..],
        /// 0 set, 1 delete, 2 append to a list, 3 take from a list.
        operation: i8 [0..],
        /// The value, or the list's elements.
        value: Option<String> [0..],
    }
}

message! {
    /// What became of it.
    pub struct IncrementalAlterConfigsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        responses: Vec<IncrementalResult> [0..],
    }
}

message! {
    /// What became of one resource.
    pub struct IncrementalResult {
        /// Why nothing was changed.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
    }
}

api!(IncrementalAlterConfigs: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse);
