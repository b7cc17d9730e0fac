use super::draw::arrival_bits;
use super::scenario::{Arrivals, Spacing};

/// Calls in a block of random arrivals.
const BLOCK: u64 = 64;

/// No call starts later, in milliseconds: what lies behind 36 million years of calls is of no use.
const LATEST: u64 = 1 << 60;

/// When each call starts, without a sum over the calls before it.
///
/// *Constant*: call k starts at k / rate. *Poisson*: block b of 64 calls starts at 64 b / rate and lasts 64 / rate;
/// the calls of the block are its sorted, independent, uniform positions. That is a Poisson process whose count is
/// known for every block: as bursty as one within a block, and evened out from block to block. Either way a shard,
/// which has every n-th call, gets exactly its part, and a later call never starts before an earlier one.
#[derive(Debug, Clone)]
pub(crate) struct ArrivalTimes {
    spacing: Spacing,
    /// Millionths of a millisecond between calls.
    gap: u64,
    seed: u64,
}

/// The block that was computed last: a memory, not a state.
#[derive(Debug, Clone)]
pub(crate) struct BlockMemo {
    seed: u64,
    block: u64,
    positions: [u64; BLOCK as usize],
}

impl Default for BlockMemo {
    fn default() -> Self {
        Self { seed: 0, block: u64::MAX, positions: [0; BLOCK as usize] }
    }
}

impl ArrivalTimes {
    pub(crate) fn new(arrivals: &Arrivals, seed: u64) -> Self {
        Self { spacing: arrivals.spacing, gap: libm::round(1e9 / arrivals.per_second) as u64, seed }
    }

    pub(crate) fn with_seed(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    /// When a call starts, in milliseconds from the start of the run.
    pub(crate) fn at_ms(&self, call: u64, memo: &mut BlockMemo) -> u64 {
        let millis = |calls: u64, part: u64| {
            let whole = u128::from(calls) * u128::from(self.gap);
            let within = (u128::from(part) * u128::from(self.gap) * u128::from(BLOCK)) >> 64;
            u64::try_from((whole + within) / 1_000_000).unwrap_or(LATEST).min(LATEST)
        };
        match self.spacing {
            Spacing::Constant => millis(call, 0),
            Spacing::Poisson => {
                let block = call / BLOCK;
                if memo.block != block || memo.seed != self.seed {
                    let first = block * BLOCK;
                    for (n, position) in memo.positions.iter_mut().enumerate() {
                        *position = arrival_bits(self.seed, first.wrapping_add(n as u64));
                    }
                    memo.positions.sort_unstable();
                    (memo.seed, memo.block) = (self.seed, block);
                }
                millis(block * BLOCK, memo.positions[(call % BLOCK) as usize])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(spacing: Spacing, per_second: f64) -> Vec<u64> {
        let arrivals = ArrivalTimes::new(&Arrivals { spacing, per_second }, 1);
        let mut memo = BlockMemo::default();
        (0..6400).map(|call| arrivals.at_ms(call, &mut memo)).collect()
    }

    #[test]
    fn arrivals_rise_and_keep_the_rate() {
        let random = times(Spacing::Poisson, 10.0);
        assert!(random.is_sorted());
        assert!((637_000..640_000).contains(random.last().unwrap()));
        let short = random.windows(2).filter(|pair| pair[1] - pair[0] < 20).count();
        let expected = 6400.0 * (1.0 - (-0.2f64).exp());
        assert!((short as f64 - expected).abs() < 120.0, "{short} gaps under a fifth of the mean");
        assert_eq!(times(Spacing::Constant, 10.0)[..3], [0, 100, 200]);
    }

    #[test]
    fn the_memo_changes_nothing() {
        let arrivals = ArrivalTimes::new(&Arrivals { spacing: Spacing::Poisson, per_second: 3.0 }, 9);
        let mut memo = BlockMemo::default();
        for call in [700, 3, 701, 64, 63, u64::MAX] {
            assert_eq!(arrivals.at_ms(call, &mut memo), arrivals.at_ms(call, &mut BlockMemo::default()));
        }
    }
}
