//! Bytes that are no message: cut at every byte, with every byte changed, with counts that cannot be.

use pagelog_testing::{Random, seed};

use super::{Sample, for_every_message};
use crate::codec::{self as ours, ApiKey, DecodeError, Field, Reader, Writer};

const ROUNDS: usize = 3;

macro_rules! damage_body {
    ($api:ident, $message:ident) => {
        let mut random = Random::new(seed(0xbad));
        for version in ApiKey::$api.served() {
            let encoding = ApiKey::$api.encoding(version);
            let decode = |bytes: &[u8]| {
                ours::$message::decode(&mut Reader::new(bytes, encoding), version).map(|_| ())
            };
            for _ in 0..ROUNDS {
                let mut bytes = Vec::new();
                let message = ours::$message::sample(&mut random, version);
                message.encode(&mut Writer::new(&mut bytes, encoding), version);
                for cut in 0..bytes.len() {
                    assert!(decode(&bytes[..cut]).is_err(), "{version} {message:?} cut at {cut}");
                }
                for at in 0..bytes.len() {
                    let mut changed = bytes.clone();
                    // Most of these turn a length or a count into another; whether an error comes of it, the decoder decides.
                    for value in [0x00, 0x7f, 0x80, 0xff, random.next_u64() as u8] {
                        changed[at] = value;
                        let _ = decode(&changed);
                    }
                }
            }
        }
    };
}

macro_rules! damage {
    ($api:ident, $request:ident, $response:ident) => {{
        damage_body!($api, $request);
        damage_body!($api, $response);
    }};
}

#[test]
fn damaged_messages_are_errors_and_never_panics() {
    for_every_message!(damage);
}

/// A request whose first array, behind `front`, claims far more than the frame has.
fn claims(api: ApiKey, version: i16, front: &[u8], count: &[u8]) -> Result<(), DecodeError> {
    let bytes = [front, count, &[0; 16]].concat();
    let mut reader = Reader::new(&bytes, api.encoding(version));
    match api {
        ApiKey::Metadata => ours::MetadataRequest::decode(&mut reader, version).map(|_| ()),
        ApiKey::Produce => ours::ProduceRequest::decode(&mut reader, version).map(|_| ()),
        ApiKey::Fetch => ours::FetchRequest::decode(&mut reader, version).map(|_| ()),
        api => panic!("{api:?} has no front here"),
    }
}

#[test]
fn counts_beyond_the_frame_are_refused() {
    const CLASSIC: [u8; 4] = i32::MAX.to_be_bytes();
    const COMPACT: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let refused = |api, version, front: &[u8], count: &[u8]| {
        let claimed = claims(api, version, front, count);
        assert!(
            matches!(claimed, Err(DecodeError::CountBeyondFrame { .. })),
            "{api:?}: {claimed:?}"
        );
    };
    refused(ApiKey::Metadata, 1, &[], &CLASSIC);
    refused(ApiKey::Metadata, 12, &[], &COMPACT);
    refused(
        ApiKey::Produce,
        3,
        &[0xff, 0xff, 0, 1, 0, 0, 0, 0],
        &CLASSIC,
    );
    refused(ApiKey::Produce, 12, &[0, 0, 1, 0, 0, 0, 0], &COMPACT);
    refused(ApiKey::Fetch, 4, &[0; 17], &CLASSIC);
    refused(ApiKey::Fetch, 17, &[0; 21], &COMPACT);
}

#[test]
fn negative_counts_are_refused() {
    let claimed = claims(ApiKey::Metadata, 1, &[], &(-2i32).to_be_bytes());
    assert_eq!(claimed, Err(DecodeError::Negative(-2)));
    let claimed = claims(ApiKey::Fetch, 4, &[0; 17], &(-1i32).to_be_bytes());
    assert_eq!(claimed, Err(DecodeError::Null));
}
