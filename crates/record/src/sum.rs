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
        self.grow(bytes.len());
        self.value = crc32c::append(self.value, bytes);
    }

    /// As [`Sum::update`], for the next `count` blocks of [`crc32c::FOLD_SIZE`] bytes where nobody can read them but `fold`. It is given
    /// multipliers and a state, which it adds (exclusive or) to the first block; for each further block it multiplies the state and adds it
    /// to that. Multiplied is each run of 16 bytes: its first eight, as a little-endian number, carry-less by the first multiplier, its last
    /// eight by the second, and the products are added.
    ///
    /// # Errors
    ///
    /// That of `fold`; then the sum is as it was.
    ///
    /// # Panics
    ///
    /// As [`Sum::update`].
    pub fn update_folded<E>(
        &mut self,
        count: usize,
        fold: impl FnOnce([u64; 2], &mut [u8; crc32c::FOLD_SIZE]) -> Result<(), E>,
    ) -> Result<(), E> {
        if count == 0 {
            return Ok(());
        }
        // The state of a CRC is added to the bytes that follow; from none of it on, the last block has the remainder of them all.
        let mut state = [0; crc32c::FOLD_SIZE];
        state[..size_of::<u32>()].copy_from_slice(&(!self.value).to_le_bytes());
        fold(crc32c::FOLD_MULTIPLIERS, &mut state)?;
        self.grow(count.saturating_mul(crc32c::FOLD_SIZE));
        self.value = crc32c::append(!0, &state);
        Ok(())
    }

    fn grow(&mut self, size: usize) {
        let size = u32::try_from(size)
            .ok()
            .and_then(|size| self.size.checked_add(size));
        self.size = size.expect("the bytes of a sum are fewer than 4 GiB");
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

    /// The plain way of what `fold` is to do.
    fn fold(multipliers: [u64; 2], state: &mut [u8; crc32c::FOLD_SIZE], bytes: &[u8]) {
        for (number, block) in bytes.chunks_exact(crc32c::FOLD_SIZE).enumerate() {
            for (run, bytes) in state.chunks_exact_mut(16).zip(block.chunks_exact(16)) {
                let old = u128::from_le_bytes(run.try_into().unwrap());
                let halves = [old as u64, (old >> 64) as u64];
                let moved = match number {
                    0 => old,
                    _ => product(halves[0], multipliers[0]) ^ product(halves[1], multipliers[1]),
                };
                let sum = moved ^ u128::from_le_bytes(bytes.try_into().unwrap());
                run.copy_from_slice(&sum.to_le_bytes());
            }
        }
    }

    fn product(a: u64, b: u64) -> u128 {
        let bits = (0..u64::BITS).filter(|bit| b & (1 << bit) != 0);
        bits.fold(0, |product, bit| product ^ u128::from(a) << bit)
    }

    proptest! {
        #[test]
        fn a_fold_is_the_sum_of_the_bytes(before: Vec<u8>, count in 0usize..20, seed: u64) {
            let bytes: Vec<u8> = (0..count * crc32c::FOLD_SIZE)
                .map(|at| (seed.wrapping_mul(at as u64 | 1) >> 32) as u8)
                .collect();
            let mut sum = Sum::default();
            sum.update(&before);
            let mut plain = sum;
            plain.update(&bytes);
            let folded = sum.update_folded(count, |multipliers, state| {
                fold(multipliers, state, &bytes);
                Ok::<(), ()>(())
            });
            prop_assert_eq!((folded, sum), (Ok(()), plain));
            prop_assert_eq!(sum.update_folded(1, |_, _| Err("no")), Err("no"));
            prop_assert_eq!(sum, plain, "a fold that failed changes nothing");
        }

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
