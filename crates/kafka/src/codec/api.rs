//! The APIs that this broker has, and the versions it tells clients about.

use std::ops::RangeInclusive;

use super::Encoding;

/// Of an API whose messages never became flexible.
const NEVER: i16 = i16::MAX;

/// One row an API: key, versions that are served, the first flexible one (KIP-482).
macro_rules! apis {
    ($($name:ident = $key:literal, $served:expr, $flexible_from:expr;)*) => {
        /// An API of the protocol, by its key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the names are the protocol's own")]
        pub enum ApiKey {
            $($name = $key,)*
        }

        impl ApiKey {
            /// Every API, by rising key, as the ApiVersions answer lists them.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name,)*];

            /// The versions that are answered; any other closes the connection (or gets the ApiVersions fallback).
            pub fn served(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKey::$name => $served,)*
                }
            }

            fn flexible_from(self) -> i16 {
                match self {
                    $(ApiKey::$name => $flexible_from,)*
                }
            }
        }
    };
}

// Versions that the other codec of the tests knows (Kafka 4.1).
apis! {
    Produce = 0, 3..=12, 9;
    Fetch = 1, 4..=17, 12;
    ListOffsets = 2, 1..=9, 6;
    Metadata = 3, 0..=12, 9;
    OffsetCommit = 8, 2..=9, 8;
    OffsetFetch = 9, 1..=9, 6;
    FindCoordinator = 10, 0..=6, 3;
    JoinGroup = 11, 0..=9, 6;
    Heartbeat = 12, 0..=4, 4;
    LeaveGroup = 13, 0..=5, 4;
    SyncGroup = 14, 0..=5, 4;
    DescribeGroups = 15, 0..=6, 5;
    ListGroups = 16, 0..=5, 3;
    ApiVersions = 18, 0..=4, 3;
    CreateTopics = 19, 2..=7, 5;
    DeleteTopics = 20, 1..=6, 4;
    DeleteRecords = 21, 0..=2, 2;
    InitProducerId = 22, 0..=5, 2;
    OffsetForLeaderEpoch = 23, 2..=4, 4;
    DescribeAcls = 29, 1..=3, 2;
    CreateAcls = 30, 1..=3, 2;
    DeleteAcls = 31, 1..=3, 2;
    DescribeConfigs = 32, 1..=4, 4;
    AlterConfigs = 33, 0..=2, 2;
    DescribeLogDirs = 35, 1..=4, 2;
    CreatePartitions = 37, 0..=3, 2;
    DeleteGroups = 42, 0..=2, 2;
    ElectLeaders = 43, 0..=2, 2;
    IncrementalAlterConfigs = 44, 0..=1, 1;
    AlterPartitionReassignments = 45, 0..=1, 0;
    ListPartitionReassignments = 46, 0..=0, 0;
    OffsetDelete = 47, 0..=0, NEVER;
    DescribeClientQuotas = 48, 0..=1, 1;
    AlterClientQuotas = 49, 0..=1, 1;
    DescribeUserScramCredentials = 50, 0..=0, 0;
    DescribeQuorum = 55, 0..=2, 0;
    DescribeCluster = 60, 0..=2, 0;
    DescribeProducers = 61, 0..=0, 0;
    ConsumerGroupHeartbeat = 68, 0..=1, 0;
    ConsumerGroupDescribe = 69, 0..=1, 0;
    ListConfigResources = 74, 0..=1, 0;
    DescribeTopicPartitions = 75, 0..=0, 0;
}

impl ApiKey {
    /// The API of a key from the wire.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|api| api.code() == code)
    }

    /// The key on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The versions that the ApiVersions answer names: those that are served, and of Produce also some that nobody sends.
    pub fn advertised(self) -> RangeInclusive<i16> {
        match self {
            // KAFKA-18659: librdkafka before 2.11.1 compresses only when it sees Produce 0 in the range, which nobody then sends.
            ApiKey::Produce => 0..=*self.served().end(),
            _ => self.served(),
        }
    }

    /// The encoding of a version of this API's messages.
    pub fn encoding(self, version: i16) -> Encoding {
        if version >= self.flexible_from() {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_rise_and_are_found_again() {
        assert!(ApiKey::ALL.is_sorted());
        for &api in ApiKey::ALL {
            assert_eq!(ApiKey::from_code(api.code()), Some(api));
            assert!(
                api.served()
                    .all(|version| api.advertised().contains(&version))
            );
        }
        assert_eq!(ApiKey::from_code(4), None);
    }
}
