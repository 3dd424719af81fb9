//! Random values of every field; `message!` makes those of every struct from them, with only the fields of the version set.

use bytes::Bytes;
use pagelog_testing::Random;
use uuid::Uuid;

use crate::codec::consumer_group_heartbeat::Assignment;
use crate::codec::{Double, ErrorCode};

/// A random value, as a version of a message may hold it.
pub(crate) trait Sample: Sized {
    fn sample(random: &mut Random, version: i16) -> Self;
}

const STRINGS: [&str; 5] = ["", "a", "topic-1", "ünïcode", LONG];
/// Its compact length takes two bytes.
const LONG: &str = concat!(
    "0123456789012345678901234567890123456789012345678901234567890123456789",
    "0123456789012345678901234567890123456789012345678901234567890123456789"
);

macro_rules! scalars {
    ($($type:ty: |$bits:ident| $value:expr;)*) => {$(
        impl Sample for $type {
            fn sample(random: &mut Random, _version: i16) -> Self {
                let $bits = random.next_u64();
                $value
            }
        }
    )*};
}

scalars! {
    bool: |bits| bits & 1 == 1;
    i8: |bits| bits as i8;
    i16: |bits| bits as i16;
    i32: |bits| bits as i32;
    i64: |bits| bits as i64;
    u16: |bits| bits as u16;
    // No fraction is lost in it, and it is a number.
    Double: |bits| Double::from((bits >> 12) as f64);
    ErrorCode: |bits| ErrorCode(bits as i16);
    Uuid: |bits| Uuid::from_u64_pair(bits, !bits);
    &'static str: |bits| STRINGS[bits as usize % STRINGS.len()];
    String: |bits| STRINGS[bits as usize % STRINGS.len()].to_owned();
    Option<String>: |bits| STRINGS.get(bits as usize % 6).map(|&text| text.to_owned());
    Option<&'static str>: |bits| STRINGS.get(bits as usize % 6).copied();
    &'static [u8]: |bits| STRINGS[bits as usize % STRINGS.len()].as_bytes();
    Bytes: |bits| Bytes::from_static(STRINGS[bits as usize % STRINGS.len()].as_bytes());
    Option<&'static [u8]>: |bits| STRINGS.get(bits as usize % 6).map(|text| text.as_bytes());
}

impl Sample for Option<Assignment> {
    fn sample(random: &mut Random, version: i16) -> Self {
        (!random.one_in(3)).then(|| Assignment::sample(random, version))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(random: &mut Random, version: i16) -> Self {
        (0..random.below(4))
            .map(|_| T::sample(random, version))
            .collect()
    }
}

impl<T: Sample> Sample for Option<Vec<T>> {
    fn sample(random: &mut Random, version: i16) -> Self {
        (!random.one_in(5)).then(|| Vec::sample(random, version))
    }
}
