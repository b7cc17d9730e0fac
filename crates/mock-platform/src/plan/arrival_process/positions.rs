use crate::plan::draw::{arrival_bits, halving_seed, split_mix};

/// Arrivals in a block. So many of them come in so many mean gaps; within, they are as chance has them.
pub(super) const BLOCK: u64 = 1 << 16;
/// As many are drawn and sorted at once.
const LEAF: u64 = 64;

/// The sorted, independent, uniform positions of the arrivals of a block, in 2⁻⁶⁴ of it, found without those before them: an interval's
/// arrivals are tossed for, a coin each, which half of it they are in, and so on until there are few.
#[derive(Debug, Clone)]
pub(super) struct Positions {
    seed: u64,
    block: u64,
    /// The intervals around the arrival that was asked for last, the largest first: a memory, not a state.
    path: Vec<Interval>,
    /// The positions in the last of them.
    leaf: Vec<u64>,
}

/// The `place`-th of the 2^`depth` parts of a block, and its arrivals.
#[derive(Debug, Clone, Copy)]
struct Interval {
    depth: u32,
    place: u64,
    first: u64,
    count: u64,
}

impl Positions {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, block: u64::MAX, path: Vec::new(), leaf: Vec::new() }
    }

    /// Where in its block an arrival is.
    pub(super) fn of(&mut self, n: u64) -> u64 {
        let (block, n) = (n / BLOCK, n % BLOCK);
        if block != self.block {
            self.block = block;
            self.path.clear();
            self.leaf.clear();
        }
        while self.path.last().is_some_and(|interval| !interval.has(n)) {
            self.path.pop();
            self.leaf.clear();
        }
        let whole = Interval { depth: 0, place: 0, first: 0, count: BLOCK };
        let mut around = self.path.last().copied().unwrap_or(whole);
        while around.count > LEAF {
            around = self.half(around, n);
            self.path.push(around);
        }
        if self.leaf.is_empty() {
            self.draw(around);
        }
        self.leaf[(n - around.first) as usize]
    }

    /// The half of an interval that an arrival is in.
    fn half(&self, whole: Interval, n: u64) -> Interval {
        // Each interval has words of its own: it needs fewer than `BLOCK`.
        let words = whole.count.div_ceil(64);
        let coins = halving_seed(self.seed, self.block, whole.depth);
        let toss = |word: u64| split_mix(coins, whole.place * BLOCK + word);
        let full: u64 = (0..words - 1).map(|word| u64::from(toss(word).count_ones())).sum();
        let rest = toss(words - 1) >> (words * 64 - whole.count);
        let left = full + u64::from(rest.count_ones());
        let (depth, place) = (whole.depth + 1, whole.place * 2);
        if n - whole.first < left {
            Interval { depth, place, first: whole.first, count: left }
        } else {
            Interval { depth, place: place + 1, first: whole.first + left, count: whole.count - left }
        }
    }

    fn draw(&mut self, interval: Interval) {
        let number = self.block.wrapping_mul(BLOCK).wrapping_add(interval.first);
        let Interval { depth, place, count, .. } = interval;
        // The whole block, of which there is but one, begins at 0.
        let begin = if depth == 0 { 0 } else { place << (u64::BITS - depth) };
        let drawn = (0..count).map(|within| arrival_bits(self.seed, number.wrapping_add(within)));
        self.leaf.extend(drawn.map(|bits| begin + (bits >> depth)));
        self.leaf.sort_unstable();
    }
}

impl Interval {
    fn has(&self, n: u64) -> bool {
        (self.first..self.first + self.count).contains(&n)
    }
}
