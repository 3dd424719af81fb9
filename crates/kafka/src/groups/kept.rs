//! What is kept of a group in the log, so that its members go on after a restart as if nothing had been.
//!
//! In the encoding of the protocol's own messages (flexible, big-endian), behind a byte for the kind of the group and one for the layout: to the
//! store it is only bytes.

#![allow(unreachable_pub, reason = "message! makes public structs")]

use bytes::Bytes;
use uuid::Uuid;

use crate::codec::{DecodeError, Encoding, Field, Reader, Writer, schema::message};

/// The first byte of what is kept of a classic group.
const CLASSIC: u8 = 1;

/// The first byte of what is kept of a group of the consumer protocol.
const CONSUMER: u8 = 2;

/// The layout of what this version writes, which is the version of the messages below.
const LAYOUT: i16 = 0;

/// What was kept of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Classic(KeptClassic),
    Consumer(KeptConsumer),
}

/// Why what was kept cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    #[error("the state of a group of unknown kind {0}")]
    Kind(u8),
    #[error("the state of a group in layout {0}; this version reads 0")]
    Layout(u8),
    #[error("the state of a group cannot be read: {0}")]
    Decode(#[from] DecodeError),
}

message! {
    /// A classic group.
    pub struct KeptClassic {
        /// Its generation.
        generation: i32 [0..],
        /// What it is for.
        protocol_type: Option<String> [0..],
        /// How it is shared out.
        protocol: Option<String> [0..],
        /// The member that shares out.
        leader: Option<String> [0..],
        /// Since when it has had no members, in milliseconds since 1970; -1 if it has.
        empty_since_ms: i64 [0..] = -1,
        /// Its members.
        members: Vec<KeptClassicMember> [0..],
    }
}

message! {
    /// A member of a classic group.
    pub struct KeptClassicMember {
        /// Its id.
        id: String [0..],
        /// The id that its owner gave it.
        instance_id: Option<String> [0..],
        /// The client's name.
        client_id: String [0..],
        /// Where it was.
        client_host: String [0..],
        /// Its session timeout, in milliseconds.
        session_timeout_ms: i32 [0..],
        /// Its rebalance timeout, in milliseconds.
        rebalance_timeout_ms: i32 [0..],
        /// The ways of sharing out that it knows.
        protocols: Vec<KeptProtocol> [0..],
        /// Its part.
        assignment: Bytes [0..],
    }
}

message! {
    /// A way of sharing out.
    pub struct KeptProtocol {
        /// Its name.
        name: String [0..],
        /// What the member says to whoever shares out.
        metadata: Bytes [0..],
    }
}

message! {
    /// A group of the consumer protocol.
    pub struct KeptConsumer {
        /// The epoch of its members and their wishes.
        epoch: i32 [0..],
        /// The epoch for which it was last shared out.
        target_epoch: i32 [0..],
        /// How it was shared out.
        assignor: String [0..],
        /// Since when it has had no members, in milliseconds since 1970.
        empty_since_ms: i64 [0..],
        /// What was shared out.
        shared: Vec<KeptCount> [0..],
        /// Its members.
        members: Vec<KeptConsumerMember> [0..],
    }
}

message! {
    /// A topic, and how many partitions it had.
    pub struct KeptCount {
        /// The topic.
        topic_id: Uuid [0..],
        /// Its partitions.
        count: i32 [0..],
    }
}

message! {
    /// A topic's partitions.
    pub struct KeptParts {
        /// The topic.
        topic_id: Uuid [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }
}

message! {
    /// A member of a group of the consumer protocol.
    pub struct KeptConsumerMember {
        /// Its id.
        id: String [0..],
        /// Its epoch.
        epoch: i32 [0..],
        /// The epoch before.
        previous_epoch: i32 [0..],
        /// The id that its owner gave it.
        instance_id: Option<String> [0..],
        /// Its rack.
        rack_id: Option<String> [0..],
        /// The client's name.
        client_id: String [0..],
        /// Where it was.
        client_host: String [0..],
        /// Its rebalance timeout, in milliseconds.
        rebalance_timeout_ms: i32 [0..],
        /// The topics that it wants.
        topic_names: Vec<String> [0..],
        /// The expression for the topics that it wants.
        pattern: Option<String> [0..],
        /// The way of sharing out that it wants.
        assignor: Option<String> [0..],
        /// What it may use.
        assigned: Vec<KeptParts> [0..],
        /// What it is to give back.
        revoking: Vec<KeptParts> [0..],
        /// Whether it waits for what others are to give back.
        waits: bool [0..],
        /// What it is to have.
        target: Vec<KeptParts> [0..],
    }
}

impl Kept {
    /// The bytes for the store.
    pub(crate) fn encode(&self) -> Bytes {
        let kind = match self {
            Kept::Classic(_) => CLASSIC,
            Kept::Consumer(_) => CONSUMER,
        };
        let mut bytes = vec![kind, LAYOUT as u8];
        let mut writer = Writer::new(&mut bytes, Encoding::Flexible);
        match self {
            Kept::Classic(group) => group.encode(&mut writer, LAYOUT),
            Kept::Consumer(group) => group.encode(&mut writer, LAYOUT),
        }
        Bytes::from(bytes)
    }

    /// Reads what the store gives back.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Kept, KeptError> {
        let mut reader = Reader::new(bytes, Encoding::Flexible);
        let kind = reader.i8()? as u8;
        let layout = reader.i8()? as u8;
        if i16::from(layout) != LAYOUT {
            return Err(KeptError::Layout(layout));
        }
        match kind {
            CLASSIC => Ok(Kept::Classic(Field::decode(&mut reader, LAYOUT)?)),
            CONSUMER => Ok(Kept::Consumer(Field::decode(&mut reader, LAYOUT)?)),
            kind => Err(KeptError::Kind(kind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::Sample;

    #[test]
    fn what_is_kept_is_read_again_and_cut_bytes_are_errors() {
        let mut random = pagelog_testing::Random::new(pagelog_testing::seed(7));
        for round in 0..60 {
            let kept = match round % 2 {
                0 => Kept::Classic(KeptClassic::sample(&mut random, LAYOUT)),
                _ => Kept::Consumer(KeptConsumer::sample(&mut random, LAYOUT)),
            };
            let bytes = kept.encode();
            assert_eq!(Kept::decode(&bytes).expect("valid"), kept);
            for cut in 0..bytes.len() {
                assert!(Kept::decode(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
        assert!(matches!(Kept::decode(&[9, 0]), Err(KeptError::Kind(9))));
        assert!(matches!(Kept::decode(&[1, 9]), Err(KeptError::Layout(9))));
    }
}
