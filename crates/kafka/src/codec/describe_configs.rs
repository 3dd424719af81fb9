//! DescribeConfigs: the configurations of topics, brokers and groups, with where each value comes from.

use super::ErrorCode;
use super::schema::{api, message};

message! {
    /// What is configured.
    pub struct DescribeConfigsRequest {
        /// Of these.
        resources: Vec<DescribeConfigsResource> [0..],
        /// Whether to name every place that a value could come from.
        include_synonyms: bool [0..],
        /// Whether to say what each configuration means.
        include_documentation: bool [3..],
    }
}

message! {
    /// Something that has a configuration.
    pub struct DescribeConfigsResource {
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// The configurations wanted; None: all.
        keys: Option<Vec<String>> [0..],
    }
}

message! {
    /// What is configured.
    pub struct DescribeConfigsResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// In the order of the request.
        results: Vec<DescribeConfigsResult> [0..],
    }
}

message! {
    /// What is configured of one resource.
    pub struct DescribeConfigsResult {
        /// Why nothing is said.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Its kind.
        resource_type: i8 [0..],
        /// Its name.
        resource_name: String [0..],
        /// Its configurations.
        configs: Vec<DescribeConfigsEntry> [0..],
    }
}

message! {
    /// One configuration.
    pub struct DescribeConfigsEntry {
        /// Its name.
        name: String [0..],
        /// Its value; None of a secret, or where nothing is set.
        value: Option<String> [0..],
        /// Whether it cannot be changed while the broker runs.
        read_only: bool [0..],
        /// Where the value comes from.
        source: i8 [0..] = -1,
        /// Whether the value is a secret.
        is_sensitive: bool [0..],
        /// Every place where it is set, the one that counts first.
        synonyms: Vec<DescribeConfigsSynonym> [0..],
        /// The type of the value.
        config_type: i8 [3..],
        /// What it means.
        documentation: Option<String> [3..],
    }
}

message! {
    /// A place that sets it.
    pub struct DescribeConfigsSynonym {
        /// Its name there.
        name: String [0..],
        /// Its value there.
        value: Option<String> [0..],
        /// Which place.
        source: i8 [0..],
    }
}

api!(DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse);
