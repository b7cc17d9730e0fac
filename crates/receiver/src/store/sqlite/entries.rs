//! Index entries in memory, by their hash.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::seen::IndexEntry;

/// Hashes and the `seq`s of their rows. Hashes are uniformly random as a rule, and hardly two are alike.
#[derive(Debug, Default)]
pub(super) struct Entries {
    first_of: HashMap<i64, i64, BuildHasherDefault<AsItIs>>,
    /// Of hashes that another row has, too.
    more: Vec<IndexEntry>,
}

impl Entries {
    pub(super) fn insert(&mut self, hash: i64, seq: i64) {
        if let Some(other) = self.first_of.insert(hash, seq) {
            self.more.push((hash, other));
        }
    }

    /// The `seq`s of rows with this hash.
    pub(super) fn of(&self, hash: i64) -> impl Iterator<Item = i64> + '_ {
        let more = self.more.iter().filter(move |entry| entry.0 == hash).map(|entry| entry.1);
        self.first_of.get(&hash).copied().into_iter().chain(more)
    }

    pub(super) fn len(&self) -> usize {
        self.first_of.len() + self.more.len()
    }

    /// All, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = IndexEntry> + '_ {
        self.first_of.iter().map(|(&hash, &seq)| (hash, seq)).chain(self.more.iter().copied())
    }

    /// Takes all out, in no order.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = IndexEntry> + '_ {
        self.first_of.drain().chain(self.more.drain(..))
    }

    pub(super) fn clear(&mut self) {
        self.first_of.clear();
        self.more.clear();
    }

    /// Takes all out, in the order of a run.
    pub(super) fn take_sorted(&mut self) -> Vec<IndexEntry> {
        let mut entries: Vec<IndexEntry> = self.drain().collect();
        entries.sort_unstable();
        entries
    }
}

/// What is hashed is a hash with a secret key already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_i64(&mut self, hash: i64) {
        self.0 = hash.cast_unsigned();
    }
}

#[cfg(test)]
mod tests {
    use super::Entries;

    #[test]
    fn rows_with_the_same_hash_are_all_there() {
        let mut entries = Entries::default();
        for (hash, seq) in [(7, 1), (-3, 2), (7, 3), (7, 4)] {
            entries.insert(hash, seq);
        }
        let mut of_seven: Vec<i64> = entries.of(7).collect();
        of_seven.sort_unstable();
        assert_eq!((of_seven, entries.of(1).count(), entries.len()), (vec![1, 3, 4], 0, 4));
        assert_eq!(entries.take_sorted(), [(-3, 2), (7, 1), (7, 3), (7, 4)]);
        assert_eq!((entries.len(), entries.of(7).count()), (0, 0));
    }
}
