//! What arrives on a connection: cut into frames, and each frame's request header read.

use pagelog_kafka::codec::{Encoding, Reader, RequestHeader};
use pagelog_net::frame::{Front, PREFIX_SIZE, front};

/// Small, so that too long a frame is found as easily as a good one.
const FRAME_SIZE_MAX: usize = 1 << 12;

/// Cuts `bytes` into frames and reads their headers.
///
/// # Panics
/// When a frame reaches past its bytes, or a wait is for less than is there.
pub fn check(bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        match front(rest, FRAME_SIZE_MAX) {
            Ok(Front::Frame(frame)) => {
                check_header(frame);
                rest = &rest[PREFIX_SIZE + frame.len()..];
            }
            Ok(Front::Part(Some(size))) => {
                assert!(size > rest.len() && size <= PREFIX_SIZE + FRAME_SIZE_MAX);
                return;
            }
            Ok(Front::Part(None)) => {
                assert!(rest.len() < PREFIX_SIZE);
                return;
            }
            Err(_) => return,
        }
    }
}

fn check_header(frame: &[u8]) {
    let Ok((header, body)) = RequestHeader::decode(frame) else {
        return;
    };
    assert_eq!(body.encoding(), header.api.encoding(header.version));
    assert!(body.remaining().len() < frame.len());
    let mut again = Reader::new(frame, Encoding::Classic);
    assert_eq!(again.i16(), Ok(header.api.code()));
    assert_eq!(again.i16(), Ok(header.version));
    assert_eq!(again.i32(), Ok(header.correlation_id));
}
