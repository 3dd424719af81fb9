//! Whatever is sealed opens again; whatever is changed does not.

use pagelog_record::{
    EntryError, Epoch, HEADER_SIZE, Header, HeaderError, Kind, MAGIC, Offset, Producer, Seed,
    StreamId, entry_size,
};
use proptest::prelude::*;

const SEED_SECRET: &[u8; 16] = b"a secret of ours";

prop_compose! {
    fn any_header(payload_size: u32)(
        kind in prop_oneof![Just(Kind::Data), Just(Kind::Control)],
        moved in any::<bool>(),
        numbers in any::<(u64, u64, i64, i64, i64)>(),
        stream in any::<u32>(),
        count in any::<u32>(),
        epoch in any::<u32>(),
        producer in any::<(i64, i16, i32)>(),
    ) -> Header {
        let (position, durable, base_offset, append_time_ms, record_time_max_ms) = numbers;
        Header {
            kind,
            moved,
            payload_size,
            position,
            durable,
            base_offset: Offset(base_offset),
            append_time_ms,
            record_time_max_ms,
            stream: StreamId(stream),
            count,
            epoch: Epoch(epoch),
            producer: Producer { id: producer.0, epoch: producer.1, sequence: producer.2 },
        }
    }
}

fn any_entry() -> impl Strategy<Value = (Header, Vec<u8>)> {
    prop::collection::vec(any::<u8>(), 0..300)
        .prop_flat_map(|payload| (any_header(payload.len() as u32), Just(payload)))
}

proptest! {
    #[test]
    fn opens_what_was_sealed((header, payload) in any_entry(), cut in any::<prop::sample::Index>()) {
        let seed = Seed::from_secret(SEED_SECRET);
        let (left, right) = payload.split_at(cut.index(payload.len() + 1));
        let bytes = seed.seal(&header, &[left, right]);
        prop_assert_eq!(seed.open(&bytes, &payload), Ok(header));
    }

    #[test]
    fn refuses_every_single_changed_bit((header, payload) in any_entry(), bit in any::<prop::sample::Index>()) {
        let seed = Seed::from_secret(SEED_SECRET);
        let mut entry = seed.seal(&header, &[&payload]).to_vec();
        entry.extend_from_slice(&payload);
        let bit = bit.index(entry.len() * 8);
        entry[bit / 8] ^= 1 << (bit % 8);
        let bytes: [u8; HEADER_SIZE] = entry[..HEADER_SIZE].try_into().unwrap();
        prop_assert!(seed.open(&bytes, &entry[HEADER_SIZE..]).is_err());
    }

    #[test]
    fn another_log_s_entry_is_not_ours((header, payload) in any_entry()) {
        let theirs = Seed::from_secret(b"a secret of them").seal(&header, &[&payload]);
        let refused = matches!(Seed::from_secret(SEED_SECRET).open(&theirs, &payload), Err(EntryError::Checksum(_)));
        prop_assert!(refused);
    }

    #[test]
    fn any_bytes_decode_or_name_what_is_wrong(bytes in prop::collection::vec(any::<u8>(), HEADER_SIZE)) {
        let bytes: [u8; HEADER_SIZE] = bytes.try_into().unwrap();
        match Header::decode(&bytes) {
            Ok(_) => prop_assert_eq!(&bytes[..4], &MAGIC),
            Err(HeaderError::Magic(found)) => prop_assert_ne!(found, MAGIC),
            Err(HeaderError::Kind(_) | HeaderError::Flags(_)) => {}
        }
    }
}

#[test]
fn a_filler_does_not_cover_what_lies_under_it() {
    let seed = Seed::from_secret(SEED_SECRET);
    let header = Header {
        kind: Kind::Filler,
        moved: false,
        payload_size: 3,
        position: 64,
        durable: 0,
        base_offset: Offset(0),
        append_time_ms: 0,
        record_time_max_ms: -1,
        stream: StreamId::CONTROL,
        count: 0,
        epoch: Epoch(1),
        producer: Producer::NONE,
    };
    let bytes = seed.seal(&header, &[]);
    assert_eq!(seed.open(&bytes, b"abc"), Ok(header));
    assert_eq!(seed.open(&bytes, b"xyz"), Ok(header));
}

#[test]
fn sizes_are_padded_to_eight() {
    assert_eq!(entry_size(0), 80);
    assert_eq!(entry_size(1), 88);
    assert_eq!(entry_size(8), 88);
    assert_eq!(entry_size(u32::MAX), 80 + (1 << 32));
}

/// The bytes themselves, so that a change of the format cannot pass for a refactoring.
#[test]
fn the_bytes_are_those_of_the_format_document() {
    let header = Header {
        kind: Kind::Data,
        moved: true,
        payload_size: 0x0102_0304,
        position: 0x1112_1314_1516_1718,
        durable: 0x2122_2324_2526_2728,
        base_offset: Offset(0x3132_3334_3536_3738),
        append_time_ms: 0x4142_4344_4546_4748,
        record_time_max_ms: 0x5152_5354_5556_5758,
        stream: StreamId(0x6162_6364),
        count: 0x7172_7374,
        epoch: Epoch(0x8182_8384),
        producer: Producer {
            id: 0x0a0b_0c0d_0e0f_1011,
            epoch: 0x0506,
            sequence: 0x2a2b_2c2d,
        },
    };
    let bytes = Seed::from_secret(SEED_SECRET).seal(&header, &[]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = [
        "504c4531",
        "01",
        "01",
        "0605",
        &hex[16..24],
        "04030201",
        "1817161514131211",
        "2827262524232221",
        "3837363534333231",
        "4847464544434241",
        "5857565554535251",
        "64636261",
        "74737271",
        "84838281",
        "2d2c2b2a",
        "11100f0e0d0c0b0a",
    ];
    assert_eq!(hex, expected.concat());
}
