//! Whole frames: the size, the header and the body of a request or a response.
//!
//! A server decodes requests ([`RequestHeader::decode`], then the body's own `decode`) and encodes responses; tests, benches and
//! the load generator do the opposite. What an encoder returns begins with its size and is ready to be sent; what a decoder takes
//! is a frame whose size has been read and taken off.

use super::{ApiKey, DecodeError, Encoding, Field, Reader, Writer};

/// Bytes of the size in front of every frame: a big-endian `i32` that does not count itself.
pub const SIZE_PREFIX: usize = 4;

/// The body of a request.
pub trait Request<'a>: Field<'a> {
    /// Its API.
    const API: ApiKey;
}

/// The body of a response.
pub trait Response<'a>: Field<'a> {
    /// Its API.
    const API: ApiKey;
}

/// The header in front of every request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// What is asked for.
    pub api: ApiKey,
    /// The version of the body, not yet held against [`ApiKey::served`].
    pub version: i16,
    /// Sent back in the response's header.
    pub correlation_id: i32,
    /// The name that the client gives itself.
    pub client_id: Option<&'a str>,
}

impl<'a> RequestHeader<'a> {
    /// Reads the header of a request; the reader that comes back stands at the body, in the encoding of the version.
    ///
    /// The body must not be read before the version has been held against [`ApiKey::served`].
    ///
    /// # Errors
    /// [`DecodeError::UnknownApi`] for a key this broker does not have, other variants for bytes that are no header.
    pub fn decode(frame: &'a [u8]) -> Result<(Self, Reader<'a>), DecodeError> {
        let mut reader = Reader::new(frame, Encoding::Classic);
        let key = reader.i16()?;
        let version = reader.i16()?;
        let correlation_id = reader.i32()?;
        let api = ApiKey::from_code(key).ok_or(DecodeError::UnknownApi(key))?;
        // The client's name keeps its classic form in the flexible header too, so that any broker can read it.
        let client_id = reader.nullable_string()?;
        reader.set_encoding(api.encoding(version));
        reader.skip_tags()?;
        Ok((
            Self {
                api,
                version,
                correlation_id,
                client_id,
            },
            reader,
        ))
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        writer.i16(self.api.code());
        writer.i16(self.version);
        writer.i32(self.correlation_id);
        writer.nullable_string(self.client_id);
        writer.set_encoding(self.api.encoding(self.version));
        writer.no_tags();
    }
}

/// Encodes a whole request, its size in front.
pub fn encode_request<'a, R: Request<'a>>(
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: &R,
) -> Vec<u8> {
    let mut out = vec![0; SIZE_PREFIX];
    let mut writer = Writer::new(&mut out, Encoding::Classic);
    RequestHeader {
        api: R::API,
        version,
        correlation_id,
        client_id,
    }
    .encode(&mut writer);
    body.encode(&mut writer, version);
    finish(out)
}

/// Encodes a whole response, its size in front.
pub fn encode_response<'a, R: Response<'a>>(
    version: i16,
    correlation_id: i32,
    body: &R,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let mut writer = begin_response(&mut out, R::API, version, correlation_id);
    body.encode(&mut writer, version);
    finish(out)
}

/// Decodes a whole response, its size taken off: the correlation id and the body.
///
/// # Errors
/// When the bytes are no such response.
pub fn decode_response<'a, R: Response<'a>>(
    frame: &'a [u8],
    version: i16,
) -> Result<(i32, R), DecodeError> {
    let mut reader = Reader::new(frame, R::API.response_header_encoding(version));
    let correlation_id = reader.i32()?;
    reader.skip_tags()?;
    reader.set_encoding(R::API.encoding(version));
    Ok((correlation_id, R::decode(&mut reader, version)?))
}

/// Room for the size and the header of a response, at the front of an empty `out`.
pub(super) fn begin_response(
    out: &mut Vec<u8>,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
) -> Writer<'_> {
    out.resize(SIZE_PREFIX, 0);
    let mut writer = Writer::new(out, api.response_header_encoding(version));
    writer.i32(correlation_id);
    writer.no_tags();
    writer.set_encoding(api.encoding(version));
    writer
}

/// Writes the size of a frame that lies in memory as a whole.
///
/// # Panics
/// When it is 2 GiB or more: no answer is built in memory to that size.
pub(super) fn finish(mut frame: Vec<u8>) -> Vec<u8> {
    let size = i32::try_from(frame.len() - SIZE_PREFIX);
    let size = size.unwrap_or_else(|_| panic!("a frame of {} bytes in memory", frame.len()));
    frame[..SIZE_PREFIX].copy_from_slice(&size.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{ApiVersionsRequest, MetadataRequest, MetadataResponse};

    #[test]
    fn a_flexible_header_has_a_classic_client_id_and_tags() {
        let request = encode_request(9, 7, Some("me"), &MetadataRequest::default());
        let header = [0, 3, 0, 9, 0, 0, 0, 7, 0, 2, b'm', b'e', 0];
        assert_eq!(request[SIZE_PREFIX..][..header.len()], header);
        let (decoded, body) = RequestHeader::decode(&request[SIZE_PREFIX..]).unwrap();
        assert_eq!((decoded.api, decoded.version), (ApiKey::Metadata, 9));
        assert_eq!((decoded.correlation_id, decoded.client_id), (7, Some("me")));
        assert_eq!(body.encoding(), Encoding::Flexible);
    }

    #[test]
    fn the_header_of_an_unknown_api_versions_version_parses() {
        let request = encode_request(99, 7, None, &ApiVersionsRequest::default());
        let (header, _) = RequestHeader::decode(&request[SIZE_PREFIX..]).unwrap();
        assert_eq!((header.api, header.version), (ApiKey::ApiVersions, 99));
    }

    #[test]
    fn short_frames_and_unknown_apis_are_errors() {
        let request = encode_request(9, 7, Some("me"), &MetadataRequest::default());
        for cut in 0..13 {
            assert!(RequestHeader::decode(&request[SIZE_PREFIX..][..cut]).is_err());
        }
        let unknown = [0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        assert_eq!(
            RequestHeader::decode(&unknown).err(),
            Some(DecodeError::UnknownApi(0x7f00))
        );
    }

    #[test]
    fn responses_carry_their_size_and_correlation_id() {
        for version in ApiKey::Metadata.served() {
            let body = MetadataResponse::default();
            let frame = encode_response(version, -5, &body);
            assert_eq!(
                frame[..4],
                i32::try_from(frame.len() - 4).unwrap().to_be_bytes()
            );
            assert_eq!(decode_response(&frame[4..], version), Ok((-5, body)));
        }
    }
}
