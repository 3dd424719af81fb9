//! Records by time, in plain and in compressed batches.

use pagelog_kafka::batch::{
    BatchBuilder, Codec, FoundRecord, NewRecord, find_first_at_or_after, max_timestamp_record,
    patch,
};

fn batch(codec: Codec, base_offset: i64, times: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().with_codec(codec);
    for &timestamp in times {
        builder.push(&NewRecord {
            timestamp,
            value: Some(b"value"),
            ..Default::default()
        });
    }
    let mut batch = builder.build();
    patch(&mut batch, base_offset, 1);
    batch
}

/// Three batches: times fall as well as rise, and the greatest is there twice.
fn stored(codec: Codec) -> Vec<u8> {
    let first = batch(codec, 10, &[100, 90, 120]);
    let second = batch(codec, 13, &[110, 150, 150]);
    let third = batch(codec, 16, &[150, 140]);
    [first, second, third].concat()
}

#[test]
fn the_first_record_at_or_after_a_time() {
    for codec in Codec::ALL {
        let records = stored(codec);
        let find = |timestamp| find_first_at_or_after(&records, 0, timestamp).unwrap();
        assert_eq!(
            find(0),
            Some(FoundRecord {
                offset: 10,
                timestamp: 100
            }),
            "{codec:?}"
        );
        assert_eq!(
            find(100),
            Some(FoundRecord {
                offset: 10,
                timestamp: 100
            })
        );
        assert_eq!(
            find(101),
            Some(FoundRecord {
                offset: 12,
                timestamp: 120
            })
        );
        assert_eq!(
            find(121),
            Some(FoundRecord {
                offset: 14,
                timestamp: 150
            })
        );
        assert_eq!(
            find(150),
            Some(FoundRecord {
                offset: 14,
                timestamp: 150
            })
        );
        assert_eq!(find(151), None);
    }
}

#[test]
fn the_greatest_time_is_that_of_the_first_record_that_has_it() {
    for codec in Codec::ALL {
        let greatest = max_timestamp_record(&stored(codec)).unwrap();
        assert_eq!(
            greatest,
            Some(FoundRecord {
                offset: 14,
                timestamp: 150
            }),
            "{codec:?}"
        );
    }
    assert_eq!(max_timestamp_record(&[]).unwrap(), None);
}

#[test]
fn a_damaged_batch_is_an_error_only_where_it_is_opened() {
    let mut records = stored(Codec::None);
    let second = batch(Codec::None, 10, &[100, 90, 120]).len();
    records[second + 16] = 0;
    assert!(find_first_at_or_after(&records, 0, 100).is_ok());
    assert!(find_first_at_or_after(&records, 0, 121).is_err());
    assert!(max_timestamp_record(&records).is_err());
}
