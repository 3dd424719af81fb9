//! ListConfigResources: what has a configuration (KIP-1142).

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// What has a configuration.
    pub struct ListConfigResourcesRequest {
        /// Of these kinds; empty: of all.
        resource_types: Vec<i8> [1..],
    }
}

message! {
    /// What has one.
    pub struct ListConfigResourcesResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why there is no list.
        error: ErrorCode [0..],
        /// The resources.
        resources: Vec<ConfigResource> [0..],
    }
}

message! {
    /// One resource.
    pub struct ConfigResource {
        /// Its name.
        name: String [0..],
        /// Its kind.
        resource_type: i8 [1..] = 16,
    }
}

api!(ListConfigResources: ListConfigResourcesRequest => ListConfigResourcesResponse);
