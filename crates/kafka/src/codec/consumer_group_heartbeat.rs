//! ConsumerGroupHeartbeat (KIP-848): a member says what it wants and has, and hears what is its part.

use uuid::Uuid;

use super::schema::{api, message};
use super::{DecodeError, Encoding, ErrorCode, Field, Reader, Writer};

message! {
    /// I am here; what is null has not changed.
    pub struct ConsumerGroupHeartbeatRequest<'a> {
        /// The group.
        group_id: &'a str [0..],
        /// The member; from version 1 on the client makes its id.
        member_id: &'a str [0..],
        /// 0 joins, -1 leaves, -2 leaves for a while, else the epoch that the member is at.
        member_epoch: i32 [0..],
        /// The id that its owner gave it.
        instance_id: Option<&'a str> [0..],
        /// Its rack.
        rack_id: Option<&'a str> [0..],
        /// How long it may take to give a partition back.
        rebalance_timeout_ms: i32 [0..] = -1,
        /// The topics that it wants.
        subscribed_topic_names: Option<Vec<&'a str>> [0..],
        /// An expression for the topics that it wants.
        subscribed_topic_regex: Option<&'a str> [1..],
        /// The way of sharing out that it wants.
        server_assignor: Option<&'a str> [0..],
        /// What it has.
        topic_partitions: Option<Vec<TopicPartitions>> [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct TopicPartitions {
        /// The topic.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// What the member is to do.
    pub struct ConsumerGroupHeartbeatResponse {
        /// How long the client should hold back.
        throttle_ms: i32 [0..],
        /// Why it is not a member.
        error: ErrorCode [0..],
        /// The same in words.
        error_message: Option<String> [0..],
        /// Its id.
        member_id: Option<String> [0..],
        /// Its epoch.
        member_epoch: i32 [0..],
        /// When to come again.
        heartbeat_interval_ms: i32 [0..],
        /// Its part, if that has changed.
        assignment: Option<Assignment> [0..],
    }
}

message! {
    /// A member's part.
    pub struct Assignment {
        /// By topic.
        topic_partitions: Vec<TopicPartitions> [0..],
    }
}

/// A struct that can be null has a byte in front: -1 for null, 1 for what follows.
impl<'a> Field<'a> for Option<Assignment> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if reader.i8()? < 0 {
            return Ok(None);
        }
        Assignment::decode(reader, version).map(Some)
    }

    fn encode(&self, writer: &mut Writer<'_>, version: i16) {
        match self {
            None => writer.i8(-1),
            Some(assignment) => {
                writer.i8(1);
                assignment.encode(writer, version);
            }
        }
    }

    fn size_min(_version: i16, _encoding: Encoding) -> usize {
        1
    }
}

api!(ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest<'a> => ConsumerGroupHeartbeatResponse);
