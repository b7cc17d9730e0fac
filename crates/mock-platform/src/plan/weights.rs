use super::draw::scale;

/// Choices by weight.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    /// The sums of the weights up to each choice.
    sums: Vec<u64>,
}

impl Weights {
    pub(crate) fn new(weights: &[u32]) -> Self {
        let mut sum = 0;
        let sums = weights.iter().map(|&weight| {
            sum += u64::from(weight);
            sum
        });
        Self { sums: sums.collect() }
    }

    /// One choice alone.
    pub(crate) fn only(choice: usize) -> Self {
        let sums = (0..=choice).map(|at| u64::from(at == choice));
        Self { sums: sums.collect() }
    }

    /// Whether a choice is ever made.
    pub(crate) fn has(&self, choice: usize) -> bool {
        let before = choice.checked_sub(1).map_or(0, |before| self.sums[before]);
        self.sums[choice] > before
    }

    /// The choice that 64 random bits stand for.
    pub(crate) fn at(&self, bits: u64) -> usize {
        let total = self.sums.last().copied().unwrap_or(0);
        let drawn = scale(bits, total);
        self.sums.iter().position(|&sum| drawn < sum).unwrap_or(0)
    }
}
