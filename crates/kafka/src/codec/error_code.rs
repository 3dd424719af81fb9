//! The error codes of the protocol. Codes of a newer peer are kept as numbers.

use std::fmt;

/// An error code on the wire; 0 is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ErrorCode(pub i16);

macro_rules! codes {
    ($($(#[$meta:meta])* $name:ident = $code:literal,)*) => {
        impl ErrorCode {
            $($(#[$meta])* pub const $name: ErrorCode = ErrorCode($code);)*

            /// The protocol's name of the code, where this broker knows it.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The broker met an error that it has no code for.
    UNKNOWN_SERVER_ERROR = -1,
    /// No error.
    NONE = 0,
    /// The offset lies outside the partition.
    OFFSET_OUT_OF_RANGE = 1,
    /// The checksum is wrong, or the batch is cut short.
    CORRUPT_MESSAGE = 2,
    /// There is no such topic or partition.
    UNKNOWN_TOPIC_OR_PARTITION = 3,
    /// The topic is being made; ask again.
    LEADER_NOT_AVAILABLE = 5,
    /// This broker does not have the partition.
    NOT_LEADER_OR_FOLLOWER = 6,
    /// The request took longer than its own limit.
    REQUEST_TIMED_OUT = 7,
    /// The broker is not there.
    BROKER_NOT_AVAILABLE = 8,
    /// The batch is larger than `max.message.bytes`.
    MESSAGE_TOO_LARGE = 10,
    /// The metadata of a committed offset is too large.
    OFFSET_METADATA_TOO_LARGE = 12,
    /// The coordinator is loading; ask again.
    COORDINATOR_LOAD_IN_PROGRESS = 14,
    /// There is no coordinator for the group or transaction.
    COORDINATOR_NOT_AVAILABLE = 15,
    /// This broker does not coordinate the group or transaction.
    NOT_COORDINATOR = 16,
    /// The topic name is not allowed.
    INVALID_TOPIC_EXCEPTION = 17,
    /// The batch is larger than a segment.
    RECORD_LIST_TOO_LARGE = 18,
    /// Fewer replicas than `min.insync.replicas`.
    NOT_ENOUGH_REPLICAS = 19,
    /// Written to fewer replicas than `min.insync.replicas`.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    /// `acks` is none of -1, 0, 1.
    INVALID_REQUIRED_ACKS = 21,
    /// The generation is not the group's.
    ILLEGAL_GENERATION = 22,
    /// The member's protocol is not one that the group has.
    INCONSISTENT_GROUP_PROTOCOL = 23,
    /// The group id is not allowed.
    INVALID_GROUP_ID = 24,
    /// The group has no such member.
    UNKNOWN_MEMBER_ID = 25,
    /// The session timeout is not one that the broker allows.
    INVALID_SESSION_TIMEOUT = 26,
    /// The group is being shared out anew: join again.
    REBALANCE_IN_PROGRESS = 27,
    /// What is committed is larger than the log takes.
    INVALID_COMMIT_OFFSET_SIZE = 28,
    /// The client may not use the topic.
    TOPIC_AUTHORIZATION_FAILED = 29,
    /// The client may not use the cluster.
    CLUSTER_AUTHORIZATION_FAILED = 31,
    /// A record's time lies outside the allowed range.
    INVALID_TIMESTAMP = 32,
    /// The broker does not have this version.
    UNSUPPORTED_VERSION = 35,
    /// There is a topic of this name.
    TOPIC_ALREADY_EXISTS = 36,
    /// The number of partitions is not allowed.
    INVALID_PARTITIONS = 37,
    /// The replication factor is not allowed.
    INVALID_REPLICATION_FACTOR = 38,
    /// The replica assignment is not allowed.
    INVALID_REPLICA_ASSIGNMENT = 39,
    /// A configuration is not allowed.
    INVALID_CONFIG = 40,
    /// This broker is not the controller.
    NOT_CONTROLLER = 41,
    /// The request contradicts itself or the protocol.
    INVALID_REQUEST = 42,
    /// The stored format does not have this.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43,
    /// A policy of the broker forbids it.
    POLICY_VIOLATION = 44,
    /// A producer's batch came before the one it follows.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    /// A producer's batch is there already.
    DUPLICATE_SEQUENCE_NUMBER = 46,
    /// A newer producer has taken over the producer id.
    INVALID_PRODUCER_EPOCH = 47,
    /// The transaction is not in the state for this.
    INVALID_TXN_STATE = 48,
    /// The producer id is not the one of the transactional id.
    INVALID_PRODUCER_ID_MAPPING = 49,
    /// The transaction timeout is not allowed.
    INVALID_TRANSACTION_TIMEOUT = 50,
    /// Another transaction of the same producer is still being finished.
    CONCURRENT_TRANSACTIONS = 51,
    /// The client may not use the transactional id.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    /// There is no authorizer, so there are no rules.
    SECURITY_DISABLED = 54,
    /// The broker's disk failed.
    KAFKA_STORAGE_ERROR = 56,
    /// The broker has forgotten the producer id.
    UNKNOWN_PRODUCER_ID = 59,
    /// The group has members.
    NON_EMPTY_GROUP = 68,
    /// There is no such group.
    GROUP_ID_NOT_FOUND = 69,
    /// There is no such fetch session.
    FETCH_SESSION_ID_NOT_FOUND = 70,
    /// The fetch session is at another epoch.
    INVALID_FETCH_SESSION_EPOCH = 71,
    /// `delete.topic.enable` is off.
    TOPIC_DELETION_DISABLED = 73,
    /// The client knows an older leader epoch.
    FENCED_LEADER_EPOCH = 74,
    /// The client knows a newer leader epoch.
    UNKNOWN_LEADER_EPOCH = 75,
    /// The compression cannot be used with this version.
    UNSUPPORTED_COMPRESSION_TYPE = 76,
    /// The offset is not known yet; ask again.
    OFFSET_NOT_AVAILABLE = 78,
    /// The member shall join again with the id that it has been given.
    MEMBER_ID_REQUIRED = 79,
    /// The group has as many members as are allowed.
    GROUP_MAX_SIZE_REACHED = 81,
    /// Another member has taken over the instance id.
    FENCED_INSTANCE_ID = 82,
    /// The group is subscribed to the topic.
    GROUP_SUBSCRIBED_TO_TOPIC = 86,
    /// Leadership need not change.
    ELECTION_NOT_NEEDED = 84,
    /// No partition is being moved.
    NO_REASSIGNMENT_IN_PROGRESS = 85,
    /// The batch breaks a rule of its format.
    INVALID_RECORD = 87,
    /// A transaction may still change the offset.
    UNSTABLE_OFFSET_COMMIT = 88,
    /// A newer producer with the same transactional id has taken over.
    PRODUCER_FENCED = 90,
    /// There is no such resource.
    RESOURCE_NOT_FOUND = 91,
    /// There is no topic of this id.
    UNKNOWN_TOPIC_ID = 100,
    /// The topic id is not the one of the topic.
    INCONSISTENT_TOPIC_ID = 103,
    /// A fetch session mixes topic ids and names.
    FETCH_SESSION_TOPIC_ID_ERROR = 106,
    /// The member is fenced off by the coordinator: it has to join again.
    FENCED_MEMBER_EPOCH = 110,
    /// Another member still has the instance id.
    UNRELEASED_INSTANCE_ID = 111,
    /// The broker does not have this way of sharing out.
    UNSUPPORTED_ASSIGNOR = 112,
    /// The member's epoch is not the coordinator's.
    STALE_MEMBER_EPOCH = 113,
    /// The expression for topics cannot be read.
    INVALID_REGULAR_EXPRESSION = 128,
    /// The endpoint is not of the kind that was asked for.
    MISMATCHED_ENDPOINT_TYPE = 114,
    /// The client shall start from its bootstrap servers again.
    REBOOTSTRAP_REQUIRED = 129,
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(formatter, "{name} ({})", self.0),
            None => write!(formatter, "error {}", self.0),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}
