//! The front of a Produce request, read before the rest has come: it says what the whole request says.

use pagelog_kafka::codec::produce_front::ProduceFront;
use pagelog_kafka::codec::{ApiKey, Field, ProduceRequest, RequestHeader};

use crate::input::Input;

/// The first byte chooses the version, the next two how much of the frame has come; the rest is the frame behind its header.
///
/// # Panics
/// When the front says something else than the whole, or too much.
pub fn check(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let version = i16::from(input.u8() % 16);
    let cut = usize::from(input.u16());
    let mut frame = Vec::new();
    frame.extend(ApiKey::Produce.code().to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(7_i32.to_be_bytes());
    frame.extend((-1_i16).to_be_bytes());
    frame.extend_from_slice(input.rest());
    check_frame(&frame, cut);
    // As it came, too: whose header it is may be anything.
    check_frame(bytes, cut);
}

/// Reads the first `cut` bytes of `frame`. Whether they are the front of a request that can land.
///
/// # Panics
/// As [`check`].
pub fn check_frame(frame: &[u8], cut: usize) -> bool {
    let front = &frame[..cut.min(frame.len())];
    let Some(found) = ProduceFront::read(front, frame.len()) else {
        return false;
    };
    let records_from = front.len() - found.early.len();
    let records_to = records_from + found.records_size;
    assert_eq!(records_to + found.behind_size, frame.len());
    let (records, behind) = frame[records_from..].split_at(found.records_size);
    assert!(records.starts_with(found.early));
    let whole = RequestHeader::decode(frame).and_then(|(header, mut body)| {
        let request = ProduceRequest::decode(&mut body, header.version)?;
        Ok((header, request))
    });
    if behind.iter().any(|byte| *byte != 0) {
        // Nothing of it lands, and the decoder of the whole has the answer.
        return true;
    }
    let (header, request) = whole.expect("what has a proper front and nothing behind can be read");
    assert_eq!(found.header, header);
    assert_eq!(
        (found.acks, found.timeout_ms, None),
        (request.acks, request.timeout_ms, request.transactional_id)
    );
    let [topic] = request.topics.as_slice() else {
        panic!("one topic was found of {}", request.topics.len());
    };
    let [partition] = topic.partitions.as_slice() else {
        panic!("one partition was found of {}", topic.partitions.len());
    };
    assert_eq!(
        (found.topic, found.partition),
        (topic.name, partition.index)
    );
    assert_eq!(partition.records, Some(records));
    true
}
