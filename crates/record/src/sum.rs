//! A checksum of bytes that lie behind others not known yet: CRCs are linear, so both can be taken apart and joined.

/// The polynomial of CRC-32C (Castagnoli), its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `POWERS[n]` is x to the power of 2^n, modulo the polynomial; as many as the bits of a byte count of 32 bits times eight.
const POWERS: [u32; 35] = powers();

/// The CRC-32C of some bytes, which can be put behind others.
///
/// ```
/// use pagelog_record::Sum;
///
/// let mut body = Sum::default();
/// body.update(b"what came ");
/// body.update(b"first");
/// let mut whole = Sum::default();
/// whole.update(b"its header, and what came first");
/// assert_eq!(body.behind(b"its header, and "), whole.value());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    value: u32,
    size: u32,
}

impl Sum {
    /// Takes the next bytes; 4 GiB in all at most.
    ///
    /// # Panics
    ///
    /// When they are more.
    pub fn update(&mut self, bytes: &[u8]) {
        let size = u32::try_from(bytes.len())
            .ok()
            .and_then(|size| self.size.checked_add(size));
        self.size = size.expect("the bytes of a sum are fewer than 4 GiB");
        self.value = crc32c::crc32c_append(self.value, bytes);
    }

    /// The CRC-32C of the bytes.
    pub fn value(&self) -> u32 {
        self.value
    }

    /// How many bytes there were.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The CRC-32C of `before` and these bytes behind it.
    pub fn behind(&self, before: &[u8]) -> u32 {
        self.behind_value(crc32c::crc32c(before))
    }

    /// As [`Sum::behind`], for bytes whose CRC-32C is `before`.
    pub(crate) fn behind_value(&self, before: u32) -> u32 {
        multiply(power_of_bytes(self.size), before) ^ self.value
    }
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
    let bits = (0..u32::BITS).filter(|bit| size & (1 << bit) != 0);
    bits.fold(1 << 31, |power, bit| {
        multiply(POWERS[bit as usize + 3], power)
    })
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

    proptest! {
        #[test]
        fn it_is_the_checksum_of_both(before: Vec<u8>, first: Vec<u8>, second: Vec<u8>) {
            let mut sum = Sum::default();
            sum.update(&first);
            sum.update(&second);
            let whole = [before.as_slice(), &first, &second].concat();
            prop_assert_eq!(sum.behind(&before), crc32c::crc32c(&whole));
        }

        #[test]
        fn every_size_shifts_as_far_as_it_should(before: u32, value: u32, size: u32) {
            let sum = Sum { value, size };
            let expected = crc32c::crc32c_combine(before, value, size as usize);
            prop_assert_eq!(sum.behind_value(before), expected);
        }
    }
}
