//! The APIs that this broker has, and the versions it tells clients about.

use std::ops::RangeInclusive;

use super::Encoding;

/// An API of the protocol, by its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the protocol's own")]
pub enum ApiKey {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    DeleteGroups = 42,
    OffsetDelete = 47,
}

/// One row of the table: versions told to clients, versions that are served, the first flexible one.
struct Row {
    advertised: RangeInclusive<i16>,
    served: RangeInclusive<i16>,
    flexible_from: i16,
}

/// Of an API whose messages never became flexible.
const NEVER: i16 = i16::MAX;

const fn row(first: i16, last: i16, flexible_from: i16) -> Row {
    Row {
        advertised: first..=last,
        served: first..=last,
        flexible_from,
    }
}

impl ApiKey {
    /// Every API, by rising key, as the ApiVersions answer lists them.
    pub const ALL: [ApiKey; 20] = [
        ApiKey::Produce,
        ApiKey::Fetch,
        ApiKey::ListOffsets,
        ApiKey::Metadata,
        ApiKey::OffsetCommit,
        ApiKey::OffsetFetch,
        ApiKey::FindCoordinator,
        ApiKey::JoinGroup,
        ApiKey::Heartbeat,
        ApiKey::LeaveGroup,
        ApiKey::SyncGroup,
        ApiKey::DescribeGroups,
        ApiKey::ListGroups,
        ApiKey::ApiVersions,
        ApiKey::CreateTopics,
        ApiKey::DeleteTopics,
        ApiKey::InitProducerId,
        ApiKey::OffsetForLeaderEpoch,
        ApiKey::DeleteGroups,
        ApiKey::OffsetDelete,
    ];

    /// The API of a key from the wire.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.code() == code)
    }

    /// The key on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The versions that the ApiVersions answer names.
    pub fn advertised(self) -> RangeInclusive<i16> {
        self.row().advertised
    }

    /// The versions that are answered; any other closes the connection (or gets the ApiVersions fallback).
    pub fn served(self) -> RangeInclusive<i16> {
        self.row().served
    }

    /// The encoding of a version of this API's messages.
    pub fn encoding(self, version: i16) -> Encoding {
        if version >= self.row().flexible_from {
            Encoding::Flexible
        } else {
            Encoding::Classic
        }
    }

    /// The encoding of the header of a response, which is flexible when it ends in a tag buffer.
    ///
    /// ApiVersions is the exception (KIP-511): its response header never has one, for the client cannot know yet what the broker speaks.
    pub fn response_header_encoding(self, version: i16) -> Encoding {
        if self == ApiKey::ApiVersions {
            Encoding::Classic
        } else {
            self.encoding(version)
        }
    }

    fn row(self) -> Row {
        match self {
            // KAFKA-18659: librdkafka before 2.11.1 compresses only when it sees Produce 0 in the range, which nobody then sends.
            ApiKey::Produce => Row {
                advertised: 0..=12,
                served: 3..=12,
                flexible_from: 9,
            },
            ApiKey::Fetch => row(4, 17, 12),
            ApiKey::ListOffsets => row(1, 9, 6),
            ApiKey::Metadata => row(0, 12, 9),
            ApiKey::OffsetCommit => row(2, 9, 8),
            ApiKey::OffsetFetch => row(1, 9, 6),
            ApiKey::FindCoordinator => row(0, 6, 3),
            ApiKey::JoinGroup => row(0, 9, 6),
            ApiKey::Heartbeat => row(0, 4, 4),
            ApiKey::LeaveGroup => row(0, 5, 4),
            ApiKey::SyncGroup => row(0, 5, 4),
            ApiKey::DescribeGroups => row(0, 6, 5),
            ApiKey::ListGroups => row(0, 5, 3),
            ApiKey::ApiVersions => row(0, 4, 3),
            ApiKey::CreateTopics => row(2, 7, 5),
            ApiKey::DeleteTopics => row(1, 6, 4),
            ApiKey::InitProducerId => row(0, 5, 2),
            ApiKey::OffsetForLeaderEpoch => row(2, 4, 4),
            ApiKey::DeleteGroups => row(0, 2, 2),
            ApiKey::OffsetDelete => row(0, 0, NEVER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_rise_and_are_found_again() {
        assert!(ApiKey::ALL.is_sorted());
        for api in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(api.code()), Some(api));
            assert!(
                api.served()
                    .all(|version| api.advertised().contains(&version))
            );
        }
        assert_eq!(ApiKey::from_code(4), None);
    }
}
