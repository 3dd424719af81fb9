//! A small seeded generator of random numbers: the same seed gives the same test, on every machine.

/// SplitMix64, by Steele, Lea and Flood: one multiplication chain per number, good enough to choose test inputs.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator whose numbers follow from `seed` alone.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A seed that nobody chose; whoever uses it prints it.
    pub(crate) fn seed_from_clock() -> u64 {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Random(u64::try_from(now.as_nanos() & u128::from(u64::MAX)).unwrap_or(0)).next() >> 16
    }

    /// The next number, of all 64-bit numbers.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without `end`.
    ///
    /// # Panics
    /// When `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        assert!(end > 0, "no number is below 0");
        self.next() % end
    }

    /// A number from `range.start` up to and without `range.end`.
    pub(crate) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// Whether something happens that happens once in `times`.
    pub(crate) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// `size` bytes that no codec makes smaller.
    pub(crate) fn bytes(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 8);
        while bytes.len() < size {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(size);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_seed_decides_all_numbers() {
        let mut one = Random::new(7);
        let mut other = Random::new(7);
        assert_eq!(one.bytes(100), other.bytes(100));
        assert_ne!(one.next(), Random::new(8).next());
    }

    #[test]
    fn numbers_stay_within_their_range() {
        let mut random = Random::new(1);
        for _ in 0..1000 {
            assert!((5..9).contains(&random.within(5..9)));
        }
        assert_eq!(random.bytes(13).len(), 13);
    }
}
