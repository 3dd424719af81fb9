//! A checksum of bytes that lie behind others not known yet: CRCs are linear, so both can be taken apart and joined.

use crate::crc32c;

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
        self.value = crc32c::append(self.value, bytes);
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
        self.behind_value(crc32c::of(before))
    }

    /// As [`Sum::behind`], for bytes whose CRC-32C is `before`.
    pub(crate) fn behind_value(&self, before: u32) -> u32 {
        crc32c::join(before, self.value, self.size)
    }
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
            prop_assert_eq!(sum.behind(&before), crc32c::of(&whole));
        }
    }
}
