//! What a consumer says to whoever shares out: the topics that it wants.
//!
//! To the coordinator these bytes belong to the clients, and it hands them on as they are. Only what hangs on a topic being wanted (OffsetDelete,
//! the end of committed offsets) looks into them.

use crate::codec::{Encoding, Reader};

/// The topics that a member's metadata of the protocol type `consumer` names; `None` when it cannot be read.
///
/// The layout is that of the clients' `ConsumerProtocolSubscription`, whose versions all begin with a version and the topics.
pub(crate) fn topics(metadata: &[u8]) -> Option<Vec<&str>> {
    let mut reader = Reader::new(metadata, Encoding::Classic);
    if reader.i16().ok()? < 0 {
        return None;
    }
    let count = reader.nullable_count(2).ok()??;
    (0..count).map(|_| reader.string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_topics_and_refuses_what_is_no_subscription() {
        let mut bytes = vec![0, 3, 0, 0, 0, 2, 0, 1, b'a', 0, 2, b'b', b'c'];
        assert_eq!(topics(&bytes), Some(vec!["a", "bc"]));
        bytes.extend([0xff; 30]);
        assert_eq!(topics(&bytes), Some(vec!["a", "bc"]));
        for cut in 0..13 {
            assert_eq!(topics(&bytes[..cut]), None, "cut at {cut}");
        }
        assert_eq!(topics(&[0, 0, 0x7f, 0xff, 0xff, 0xff]), None);
    }
}
