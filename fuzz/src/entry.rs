//! The entries of the log: any 80 bytes as a header, and headers that were sealed.

use pagelog_record::{
    Epoch, HEADER_SIZE, Header, Kind, Offset, Producer, Seed, StreamId, entry_size,
};

use crate::input::Input;

const SECRET: &[u8; 16] = b"a secret to test";

/// Reads the front of `bytes` as a header, then seals a header made of them and changes one byte of it.
///
/// # Panics
/// When a header that was read does not seal to the same fields, or a change is not seen.
pub fn check(bytes: &[u8]) {
    if let Some((header, payload)) = bytes.split_first_chunk::<HEADER_SIZE>() {
        check_read(header, payload);
    }
    let mut input = Input::new(bytes);
    let (at, change) = (usize::from(input.u8()), input.u8());
    let mut header = header(&mut input);
    let payload = input.rest();
    header.payload_size = payload.len() as u32;
    check_sealed(&header, payload, at, change);
}

fn check_read(bytes: &[u8; HEADER_SIZE], payload: &[u8]) {
    let seed = Seed::from_secret(SECRET);
    let Ok(header) = Header::decode(bytes) else {
        assert!(seed.open(bytes, payload).is_err());
        return;
    };
    assert!(header.entry_size() >= HEADER_SIZE as u64 + u64::from(header.payload_size));
    assert_eq!(header.entry_size(), entry_size(header.payload_size));
    assert!(header.end().is_none_or(|end| end > header.position));
    assert_eq!(Header::decode(&seed.seal(&header, &[])), Ok(header));
    let _ = seed.open(bytes, payload);
    let _ = seed.begin(bytes).verify();
}

fn check_sealed(header: &Header, payload: &[u8], at: usize, change: u8) {
    let seed = Seed::from_secret(SECRET);
    let covered = &payload[..header.covered_size() as usize];
    let mut bytes = seed.seal(header, &[covered]);
    assert_eq!(seed.open(&bytes, payload), Ok(*header));
    if change != 0 {
        bytes[at % HEADER_SIZE] ^= change;
        assert!(seed.open(&bytes, payload).is_err());
    }
}

/// A header of the input's fields.
pub(crate) fn header(input: &mut Input<'_>) -> Header {
    Header {
        kind: [Kind::Data, Kind::Filler, Kind::Control][usize::from(input.u8() % 3)],
        payload_size: u32::from(input.u16()),
        position: input.u64(),
        durable: input.u64(),
        base_offset: Offset(input.u64() as i64),
        append_time_ms: input.u64() as i64,
        record_time_max_ms: input.u64() as i64,
        stream: StreamId(input.u64() as u32),
        count: input.u64() as u32,
        epoch: Epoch(input.u64() as u32),
        producer: Producer {
            id: input.u64() as i64,
            epoch: input.u16() as i16,
            sequence: input.u64() as i32,
        },
    }
}
