//! A Fetch answer as a rope: made bytes, a partition's regions, made bytes, and so on.

use bytes::Bytes;
use pagelog_transfer::Rope;

use super::connection::Call;
use crate::codec::ErrorCode;
use crate::codec::fetch_answer::{FetchAnswer, FetchFrame};

/// The whole answer; `ropes` are the records of its partitions, in their order.
pub(super) fn weave(call: &Call, answer: &FetchAnswer<'_>, ropes: Vec<Rope>) -> Rope {
    let frame = match answer.encode(call.version, call.correlation_id) {
        Ok(frame) => frame,
        Err(error) => {
            tracing::error!("{error}");
            return refuse(call);
        }
    };
    let FetchFrame { bytes, cuts } = frame;
    let bytes = Bytes::from(bytes);
    let filled = ropes.iter().filter(|rope| !rope.is_empty()).count();
    let mut whole = Rope::with_capacity(2 * filled + 1);
    let mut from = 0;
    for (rope, cut) in ropes.into_iter().zip(cuts) {
        if rope.is_empty() {
            continue;
        }
        whole.push_bytes(bytes.slice(from..cut));
        whole.append(rope);
        from = cut;
    }
    whole.push_bytes(bytes.slice(from..));
    whole
}

/// An answer of no partition.
fn refuse(call: &Call) -> Rope {
    let answer = FetchAnswer {
        error: ErrorCode::UNKNOWN_SERVER_ERROR,
        ..Default::default()
    };
    let frame = answer.encode(call.version, call.correlation_id);
    Rope::from(frame.map(|frame| frame.bytes).unwrap_or_default())
}
