//! CRC-32C (Castagnoli), the only checksum there is here: of entries and index files as of Kafka's record batches.
//!
//! Computed by whatever instructions the processor has for it: carry-less multiplication of up to 64 bytes at once, or `crc32`, or a table. CRCs are
//! linear, so those of two runs of bytes can be joined without the bytes.

use crc_fast::{CrcAlgorithm, Digest};

/// The polynomial, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `POWERS[n]` is x to the power of 2^n, modulo the polynomial; as many as the bits of a byte count of 32 bits times eight.
const POWERS: [u32; 35] = powers();

/// The size in bytes of the blocks that [`Sum::update_folded`](crate::Sum::update_folded) counts by.
pub const FOLD_SIZE: usize = 256;

/// What each half of 16 bytes is multiplied by to count as much as if it stood a block further on: x to the power of a block's bits and 32
/// more for the half that comes first, of 32 less for the other. One bit to the left, for in reversed order a product lies one too far right.
pub(crate) const FOLD_MULTIPLIERS: [u64; 2] = [
    (power_of_bits(FOLD_SIZE as u64 * 8 + 32) as u64) << 1,
    (power_of_bits(FOLD_SIZE as u64 * 8 - 32) as u64) << 1,
];

/// The CRC-32C of `bytes`.
///
/// ```
/// assert_eq!(pagelog_record::crc32c::of(b"123456789"), 0xe306_9283);
/// ```
pub fn of(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// The CRC-32C of bytes whose own is `before`, and of `bytes` behind them.
///
/// ```
/// use pagelog_record::crc32c;
///
/// assert_eq!(crc32c::append(crc32c::of(b"1234"), b"56789"), crc32c::of(b"123456789"));
/// assert_eq!(crc32c::append(0, b"1234"), crc32c::of(b"1234"));
/// ```
#[inline]
pub fn append(before: u32, bytes: &[u8]) -> u32 {
    let mut running = Running::behind(before);
    running.update(bytes);
    running.value()
}

/// A CRC-32C of bytes that come bit by bit. Use it where it was made: it holds 280 bytes of constants, and to move them costs as much as to sum
/// as many again.
pub(crate) struct Running(Digest);

impl Running {
    /// Begins behind bytes whose CRC-32C is `before`.
    #[inline]
    pub(crate) fn behind(before: u32) -> Running {
        let state = u64::from(!before);
        Running(Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, state))
    }

    /// Takes the next bytes.
    #[inline]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The CRC-32C of all bytes so far.
    #[inline]
    pub(crate) fn value(&self) -> u32 {
        self.0.finalize() as u32
    }
}

/// As [`append`], of bytes that may be changed: quicker for few.
///
/// What lies before comes in as a change of the first four bytes, since the state of a CRC is added to the bytes that follow.
#[inline]
pub(crate) fn of_array<const SIZE: usize>(before: u32, mut bytes: [u8; SIZE]) -> u32 {
    const { assert!(SIZE >= size_of::<u32>()) };
    for (byte, before) in bytes.iter_mut().zip(before.to_le_bytes()) {
        *byte ^= before;
    }
    crc_fast::crc32_iscsi(&bytes)
}

/// The CRC-32C of bytes whose own is `before`, and of others behind them, of which there are `size` and whose own is `behind`.
///
/// With 0 for `behind`: how a difference in the CRC of the bytes before comes out in that of the whole.
///
/// ```
/// use pagelog_record::crc32c;
///
/// let joined = crc32c::join(crc32c::of(b"1234"), crc32c::of(b"56789"), 5);
/// assert_eq!(joined, crc32c::of(b"123456789"));
/// ```
pub fn join(before: u32, behind: u32, size: u32) -> u32 {
    multiply(power_of_bytes(size), before) ^ behind
}

const fn powers() -> [u32; 35] {
    let mut powers = [1 << 30; 35];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = multiply(powers[n - 1], powers[n - 1]);
        n += 1;
    }
    powers
}

/// x to the power of eight times `size`, modulo the polynomial: what so many more bytes multiply a remainder by.
fn power_of_bytes(size: u32) -> u32 {
    power_of_bits(u64::from(size) * 8)
}

/// x to the power of `count`, modulo the polynomial.
const fn power_of_bits(mut count: u64) -> u32 {
    let mut power = 1 << 31;
    let mut bit = 0;
    while count > 0 {
        if count & 1 != 0 {
            power = multiply(POWERS[bit], power);
        }
        count >>= 1;
        bit += 1;
    }
    power
}

/// The product of two polynomials modulo ours; the highest bit is x to the power of 0.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1u32 << 31;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        bit >>= 1;
        b = if b & 1 != 0 {
            (b >> 1) ^ POLYNOMIAL
        } else {
            b >> 1
        };
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bytes of which no two places hold the same run.
    fn sample(size: usize) -> Vec<u8> {
        let byte = |at: usize| ((at as u32).wrapping_mul(2_654_435_761) >> 24) as u8;
        (0..size).map(byte).collect()
    }

    /// Another implementation says the same, of every size up to `size_max`, wherever in a cache line the bytes begin.
    fn check_sizes(size_max: usize, begin: usize) {
        let bytes = sample(begin + size_max);
        for size in 0..=size_max {
            let bytes = &bytes[begin..begin + size];
            assert_eq!(of(bytes), crc32c::crc32c(bytes), "{size} bytes");
            let before = size as u32 ^ 0x1234_5678;
            let expected = crc32c::crc32c_append(before, bytes);
            assert_eq!(append(before, bytes), expected, "{size} bytes");
        }
    }

    #[test]
    fn an_array_is_summed_behind_others() {
        fn check<const SIZE: usize>() {
            let bytes: [u8; SIZE] = sample(SIZE).try_into().unwrap();
            for before in [0, 1, 0x1234_5678, u32::MAX] {
                let expected = crc32c::crc32c_append(before, &bytes);
                assert_eq!(
                    of_array(before, bytes),
                    expected,
                    "{SIZE} bytes behind {before:#x}"
                );
            }
        }
        check::<4>();
        check::<5>();
        check::<76>();
        check::<1000>();
    }

    #[test]
    fn every_size_is_summed_as_elsewhere() {
        check_sizes(4096, 0);
        for begin in 1..64 {
            check_sizes(320, begin);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_summed_as_elsewhere(before: u32, begin in 0usize..64, bytes in prop::collection::vec(any::<u8>(), 64..20_000)) {
            let bytes = &bytes[begin..];
            prop_assert_eq!(of(bytes), crc32c::crc32c(bytes));
            prop_assert_eq!(append(before, bytes), crc32c::crc32c_append(before, bytes));
        }

        #[test]
        fn every_size_shifts_as_far_as_it_should(before: u32, behind: u32, size: u32) {
            let expected = crc32c::crc32c_combine(before, behind, size as usize);
            prop_assert_eq!(join(before, behind, size), expected);
        }
    }
}
