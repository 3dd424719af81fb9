//! What is kept of a group in the log, so that its members go on after a restart as if nothing had been.
//!
//! In the encoding of the protocol's own messages (flexible, big-endian), behind a byte for the kind of the group and one for the layout: to the
//! store it is only bytes.

#![allow(unreachable_pub, reason = "message! makes public structs")]

use bytes::Bytes;

use crate::codec::{DecodeError, Encoding, Field, Reader, Writer, schema::message};

/// The first byte of what is kept of a classic group.
const CLASSIC: u8 = 1;

/// The layout of what this version writes, which is the version of the messages below.
const LAYOUT: i16 = 0;

/// What was kept of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Classic(KeptClassic),
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

impl Kept {
    /// The bytes for the store.
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = Vec::new();
        match self {
            Kept::Classic(group) => {
                bytes.extend([CLASSIC, LAYOUT as u8]);
                group.encode(&mut Writer::new(&mut bytes, Encoding::Flexible), LAYOUT);
            }
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
        for _ in 0..50 {
            let kept = Kept::Classic(KeptClassic::sample(&mut random, LAYOUT));
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
