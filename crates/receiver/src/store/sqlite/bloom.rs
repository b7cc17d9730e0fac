use std::ops::RangeInclusive;

/// A set of hashes that may take a stranger for a member (about one in a thousand in each layer), never a member for a stranger.
///
/// It grows by layers, each twice the last, so growing moves nothing. Each knows which rows it is of: that the smaller ones are
/// mistaken, too, costs a look at the few rows that they are of, and not at all. The hashes must be uniform already.
#[derive(Debug)]
pub(super) struct Bloom {
    layers: Vec<Layer>,
    budget: usize,
}

/// A layer of blocks of one cache line each: a look-up touches one of them.
#[derive(Debug)]
struct Layer {
    blocks: Vec<[u64; 8]>,
    len: usize,
    /// The rows that its hashes are of lie within these.
    rows: RangeInclusive<i64>,
}

const BLOCK_BYTES: usize = 64;
/// 16 bits for each hash.
const HASHES_PER_BLOCK: usize = 32;
const BITS_SET: u32 = 6;

impl Bloom {
    /// An empty set that has room for `expected` hashes at first, within `budget` bytes.
    pub(super) fn new(expected: usize, budget: usize) -> Self {
        let mut bloom = Self { layers: Vec::new(), budget: budget.max(BLOCK_BYTES) };
        bloom.grow(expected.max(1 << 12).next_power_of_two());
        bloom
    }

    /// How many hashes were put in.
    pub(super) fn len(&self) -> usize {
        self.layers.iter().map(|layer| layer.len).sum()
    }

    /// The bytes that it would take, where it has more hashes than the budget is for, and so is less sure.
    pub(super) fn wanted_bytes(&self) -> Option<usize> {
        let room = self.budget / BLOCK_BYTES * HASHES_PER_BLOCK;
        (self.len() > room).then(|| self.len().div_ceil(HASHES_PER_BLOCK).saturating_mul(BLOCK_BYTES))
    }

    pub(super) fn contains(&self, hash: u64) -> bool {
        self.layers.iter().any(|layer| layer.contains(hash))
    }

    /// Whether a row between these may have the hash.
    pub(super) fn contains_within(&self, hash: u64, first: i64, last: i64) -> bool {
        let is_of = |layer: &&Layer| *layer.rows.start() <= last && first <= *layer.rows.end();
        self.layers.iter().filter(is_of).any(|layer| layer.contains(hash))
    }

    /// Puts in the hash of a row.
    pub(super) fn insert(&mut self, hash: u64, row: i64) {
        if let Some(last) = self.layers.last()
            && last.len >= last.blocks.len() * HASHES_PER_BLOCK
        {
            self.grow(last.blocks.len() * HASHES_PER_BLOCK * 2);
        }
        if let Some(last) = self.layers.last_mut() {
            let (block, mask) = last.place(hash);
            for (bits, wanted) in last.blocks[block].iter_mut().zip(mask) {
                *bits |= wanted;
            }
            last.len += 1;
            last.rows = (*last.rows.start()).min(row)..=(*last.rows.end()).max(row);
        }
    }

    /// Adds a layer for that many hashes, or what the budget leaves; none where it leaves less than a sixteenth.
    fn grow(&mut self, hashes: usize) {
        let used: usize = self.layers.iter().map(|layer| layer.blocks.len()).sum();
        let wanted = hashes.div_ceil(HASHES_PER_BLOCK);
        let blocks = wanted.min((self.budget / BLOCK_BYTES).saturating_sub(used));
        if blocks > wanted / 16 || self.layers.is_empty() {
            let rows = RangeInclusive::new(i64::MAX, i64::MIN);
            self.layers.push(Layer { blocks: vec![[0; 8]; blocks.max(1)], len: 0, rows });
        }
    }
}

impl Layer {
    fn contains(&self, hash: u64) -> bool {
        let (block, mask) = self.place(hash);
        self.blocks[block].iter().zip(mask).all(|(bits, wanted)| bits & wanted == wanted)
    }

    /// The block of a hash, and the bits that stand for it.
    fn place(&self, hash: u64) -> (usize, [u64; 8]) {
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of blocks")]
        let block = ((u128::from(hash) * self.blocks.len() as u128) >> 64) as usize;
        // The high bits chose the block; mixed again, they say nothing about the bits in it.
        let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_right(32);
        let mut mask = [0; 8];
        for round in 0..BITS_SET {
            let bit = (mixed >> (round * 9)) & 511;
            mask[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        (block, mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform hashes, all different.
    fn hashes(from: u64, count: u64) -> impl Iterator<Item = u64> {
        (from..from + count).map(|index| {
            let mixed = (index ^ (index >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        })
    }

    #[test]
    fn growth_keeps_members_and_stays_sure() {
        let mut bloom = Bloom::new(0, 64 << 20);
        for (row, hash) in (1..).zip(hashes(1, 200_000)) {
            bloom.insert(hash, row);
        }
        assert_eq!(bloom.layers.len(), 6, "4096, then doubled until 258,048 fit");
        assert!(hashes(1, 200_000).all(|hash| bloom.contains(hash)));
        let mistaken = hashes(1_000_000, 100_000).filter(|&hash| bloom.contains(hash)).count();
        assert_eq!(bloom.wanted_bytes(), None);
        assert!(mistaken < 1_000, "{mistaken} of 100,000 strangers taken for members");
    }

    #[test]
    fn a_layer_that_is_mistaken_says_nothing_of_the_rows_of_others() {
        let mut bloom = Bloom::new(0, 64 << 20);
        let rows = 1..=100_000_i64;
        for (row, hash) in rows.clone().zip(hashes(1, 100_000)) {
            bloom.insert(hash, row);
        }
        for (row, hash) in rows.zip(hashes(1, 100_000)) {
            assert!(bloom.contains_within(hash, row, row), "row {row}");
            assert!(bloom.contains_within(hash, row - 10, row + 10), "row {row}");
            assert!(!bloom.contains_within(hash, 100_001, i64::MAX), "nothing is behind the last row");
        }
        let mistaken = |first, last| {
            hashes(1_000_000, 100_000).filter(|&hash| bloom.contains_within(hash, first, last)).count()
        };
        let (of_first, of_all) = (mistaken(1, 4096), mistaken(1, 100_000));
        assert!(0 < of_first && 2 * of_first < of_all, "{of_first} in the first layer, {of_all} in all");
    }

    #[test]
    fn budget_holds() {
        let mut bloom = Bloom::new(1 << 20, 4096);
        for (row, hash) in (1..).zip(hashes(1, 50_000)) {
            bloom.insert(hash, row);
        }
        let blocks: usize = bloom.layers.iter().map(|layer| layer.blocks.len()).sum();
        assert_eq!(blocks * BLOCK_BYTES, 4096);
        assert_eq!(bloom.wanted_bytes(), Some(50_000_usize.div_ceil(32) * 64));
        assert!(hashes(1, 50_000).all(|hash| bloom.contains(hash)), "less sure, never wrong");
    }
}
