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

/// A header like those of a young log, but for the fields that the first bits choose to take from the input.
pub(crate) fn header(input: &mut Input<'_>) -> Header {
    let chosen = input.u16();
    let mut field = |bit: u16, usual: u64| match chosen >> bit & 1 {
        0 => usual,
        _ => input.u64(),
    };
    Header {
        kind: [Kind::Data, Kind::Filler, Kind::Control][usize::from(chosen >> 14) % 3],
        moved: chosen >> 12 & 1 != 0,
        payload_size: field(0, 0) as u32,
        position: field(1, 0),
        durable: field(2, 0),
        base_offset: Offset(field(3, 0) as i64),
        append_time_ms: field(4, 5) as i64,
        record_time_max_ms: field(5, 5) as i64,
        stream: StreamId(field(6, 1) as u32),
        count: field(7, 1) as u32,
        epoch: Epoch(field(8, 1) as u32),
        producer: Producer {
            id: field(9, u64::MAX) as i64,
            epoch: field(10, u64::MAX) as i16,
            sequence: field(11, u64::MAX) as i32,
        },
    }
}
