//! ApiVersions: what a client asks first, and the one request that is answered even when its version is unknown (KIP-511).

use super::frame::{begin_response, finish};
use super::schema::{api, message};
use super::{ApiKey, ErrorCode};

message! {
    /// Which APIs and versions are there?
    pub struct ApiVersionsRequest<'a> {
        /// The client's software.
        client_software_name: &'a str [3..],
        /// Its version.
        client_software_version: &'a str [3..],
    }
}

message! {
    /// The APIs and versions that are there.
    pub struct ApiVersionsResponse {
        /// Whether the request was understood.
        error: ErrorCode [0..],
        /// One entry per API.
        apis: Vec<ApiVersion> [0..],
        /// How long the client should hold back.
        throttle_ms: i32 [1..],
        /// Features that clients may meet.
        supported_features: Vec<SupportedFeature> [3..; tag 0],
        /// Rises whenever the finalized features change; -1: unknown.
        finalized_features_epoch: i64 [3..; tag 1] = -1,
        /// Features that are switched on.
        finalized_features: Vec<FinalizedFeature> [3..; tag 2],
        /// Of use only while leaving ZooKeeper.
        zk_migration_ready: bool [3..; tag 3],
    }
}

message! {
    /// The versions of one API.
    pub struct ApiVersion {
        /// The API's key.
        api_key: i16 [0..],
        /// The first version.
        version_min: i16 [0..],
        /// The last version.
        version_max: i16 [0..],
    }
}

message! {
    /// The levels of a feature that the broker has.
    pub struct SupportedFeature {
        /// The feature's name.
        name: String [3..],
        /// The lowest level; below version 4 a feature with level 0 must not be listed (KAFKA-17011).
        version_min: i16 [3..],
        /// The highest level.
        version_max: i16 [3..],
    }
}

message! {
    /// The levels of a feature that are switched on.
    pub struct FinalizedFeature {
        /// The feature's name.
        name: String [3..],
        /// The highest level.
        level_max: i16 [3..],
        /// The lowest level.
        level_min: i16 [3..],
    }
}

api!(ApiVersions: ApiVersionsRequest<'a> => ApiVersionsResponse);

impl ApiVersionsRequest<'_> {
    /// Whether name and version look as KIP-511 wants them: letters and digits, and `-` and `.` between them.
    ///
    /// A request that fails this is answered with [`ErrorCode::INVALID_REQUEST`].
    pub fn names_software(&self) -> bool {
        is_software_word(self.client_software_name)
            && is_software_word(self.client_software_version)
    }
}

fn is_software_word(word: &str) -> bool {
    let bytes = word.as_bytes();
    let ends = bytes.first().zip(bytes.last());
    ends.is_some_and(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte))
}

/// Every API with its advertised versions.
pub fn advertised() -> Vec<ApiVersion> {
    ApiKey::ALL.iter().copied().map(entry).collect()
}

fn entry(api: ApiKey) -> ApiVersion {
    let versions = api.advertised();
    ApiVersion {
        api_key: api.code(),
        version_min: *versions.start(),
        version_max: *versions.end(),
    }
}

/// The whole answer to an ApiVersions request of an unknown version, its size in front.
///
/// KIP-511: the body of version 0 with [`ErrorCode::UNSUPPORTED_VERSION`] and the versions of ApiVersions itself, with which
/// the client tries again.
pub fn fallback(correlation_id: i32) -> Vec<u8> {
    let body = ApiVersionsResponse {
        error: ErrorCode::UNSUPPORTED_VERSION,
        apis: vec![entry(ApiKey::ApiVersions)],
        ..Default::default()
    };
    let mut out = Vec::new();
    let mut writer = begin_response(&mut out, ApiKey::ApiVersions, 0, correlation_id);
    super::Field::encode(&body, &mut writer, 0);
    finish(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_is_what_old_and_new_clients_expect() {
        let expected = [
            0, 0, 0, 0x10, // size
            0, 0, 0, 7, // correlation id
            0, 0x23, // UNSUPPORTED_VERSION
            0, 0, 0, 1, // one API
            0, 0x12, 0, 0, 0, 4, // ApiVersions 0 to 4
        ];
        assert_eq!(fallback(7), expected);
    }

    #[test]
    fn software_words() {
        let named = |name, version| {
            ApiVersionsRequest {
                client_software_name: name,
                client_software_version: version,
            }
            .names_software()
        };
        assert!(named("librdkafka", "v2.15.0-RC1"));
        assert!(named("a", "1"));
        assert!(!named("", "1"));
        assert!(!named("a b", "1"));
        assert!(!named("a", "-1"));
        assert!(!named("a", "1."));
    }
}
