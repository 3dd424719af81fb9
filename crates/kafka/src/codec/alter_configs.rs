//! AlterConfigs: replaces the whole configuration of topics, brokers and groups.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// Replace what is configured.
    pub struct AlterConfigsRequest {
        /// By resource.
        resources: Vec<AlterConfigsResource> [0..],
        /// Whether to say only what would become of it.
        validate_only: bool [0..],
    }
}

message! {
    /// The new configuration of one resource.
    pub struct AlterConfigsResource {
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// All that is to be set.
        configs: Vec<AlterableConfig> [0..],
    }
}

message! {
    /// One configuration.
    pub struct AlterableConfig {
        /// Its name.
        name: String [0..],
        /// Its value.
        value: Option<String> [0..],
    }
}

message! {
    /// What became of it.
    pub struct AlterConfigsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        responses: Vec<AlterConfigsResult> [0..],
    }
}

message! {
    /// What became of one resource.
    pub struct AlterConfigsResult {
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

api!(AlterConfigs: AlterConfigsRequest => AlterConfigsResponse);
