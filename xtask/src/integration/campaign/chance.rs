//! Choices that follow from a seed.

/// SplitMix64.
#[derive(Debug)]
pub(in crate::integration) struct Chance(u64);

impl Chance {
    pub(in crate::integration) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is not 0.
    pub(in crate::integration) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((word ^ (word >> 31)) % bound as u64).unwrap_or_default()
    }
}

/// At how many of `of` acknowledged deliveries something happens: `count` numbers, sorted, some way from the end.
pub(in crate::integration) fn moments(seed: u64, of: usize, count: usize) -> Vec<usize> {
    let mut chance = Chance::new(seed);
    let mut moments: Vec<_> = std::iter::repeat_with(|| chance.below(of - 100)).take(count).collect();
    moments.sort_unstable();
    moments
}

#[cfg(test)]
mod tests {
    use super::moments;

    #[test]
    fn faults_come_while_webhooks_do() {
        let found = moments(7, 5_000, 20);
        assert_eq!(found.len(), 20);
        assert!(found.is_sorted() && found.iter().all(|moment| *moment < 4_900));
        assert_eq!(found, moments(7, 5_000, 20));
        assert_ne!(found, moments(8, 5_000, 20));
    }
}
