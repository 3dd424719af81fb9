//! A seeded generator: the same seed gives the same faults, so that what failed once can be run again.

/// Pseudo-random numbers by SplitMix64 (Steele, Lea, Flood 2014): small, quick and good enough to choose faults with.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator whose whole sequence follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        assert!(limit > 0, "nothing is below 0");
        (self.next_u64() % limit as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Overwrites `bytes` with noise.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let noise = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&noise[..chunk.len()]);
        }
    }
}

/// The seed of a test: `PAGELOG_TEST_SEED` if it is set (a number), else `usual`. It is printed, so a failure shows it.
///
/// # Panics
///
/// If the variable is set and is no number.
#[must_use]
pub fn seed(usual: u64) -> u64 {
    let seed = match std::env::var("PAGELOG_TEST_SEED") {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("PAGELOG_TEST_SEED={text:?}: expected a number")),
        Err(_) => usual,
    };
    println!("seed {seed}: set PAGELOG_TEST_SEED={seed} to run it again");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_sequences_and_others_differ() {
        let take = |seed| {
            let mut random = Random::new(seed);
            (0..16).map(|_| random.next_u64()).collect::<Vec<_>>()
        };
        assert_eq!(take(7), take(7));
        assert_ne!(take(7), take(8));
    }

    #[test]
    fn fill_reaches_the_last_byte() {
        let mut bytes = [0_u8; 4099];
        Random::new(3).fill(&mut bytes);
        assert!(bytes[4090..].iter().any(|byte| *byte != 0));
    }
}
