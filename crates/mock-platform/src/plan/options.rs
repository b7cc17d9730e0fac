use piopiy_events::Profile;

use super::{Nonce, Seed};

/// What a plan follows from, its scenario aside.
///
/// # Examples
/// ```
/// use piopiy_events::Profile;
/// use piopiy_mock_platform::plan::{PlanOptions, Seed};
///
/// let mut options = PlanOptions::new(Profile::India, Seed(0x5eed));
/// options.calls = Some(10);
/// assert_eq!(options.indices().count(), 10);
/// options.shard = Some((1, 4));
/// assert_eq!(options.indices().collect::<Vec<_>>(), [1, 5, 9]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlanOptions {
    /// The revision of the wire.
    pub profile: Profile,
    /// What all but the ids follows from.
    pub seed: Seed,
    /// What the ids follow from, together with the seed.
    pub nonce: Nonce,
    /// Leaves out payloads that are guesses.
    pub documented_only: bool,
    /// When the run starts, in the payloads: milliseconds since 1970.
    pub epoch_ms: u64,
    /// The index of the first call.
    pub first_call: u64,
    /// How many calls from there on, over all shards; `None` for no end.
    pub calls: Option<u64>,
    /// Which part of the calls: `(i, n)` has those whose index is `i` modulo `n`.
    pub shard: Option<(u64, u64)>,
}

/// 2026-01-01T00:00:00Z.
const EPOCH_MS: u64 = 1_767_225_600_000;

impl PlanOptions {
    /// The default options with a profile and a seed.
    #[must_use]
    pub fn new(profile: Profile, seed: Seed) -> Self {
        Self { profile, seed, ..Self::default() }
    }

    /// The indices of the calls, rising.
    pub fn indices(&self) -> impl Iterator<Item = u64> + use<> {
        let (part, parts) = self.shard.map_or((0, 1), |(part, parts)| (part, parts.max(1)));
        let end = self.calls.map_or(u64::MAX, |calls| self.first_call.saturating_add(calls));
        // The first index from `first_call` on that is in the shard.
        let behind = (part % parts + parts - self.first_call % parts) % parts;
        let mut next = self.first_call.checked_add(behind);
        std::iter::from_fn(move || {
            let index = next.filter(|index| *index < end)?;
            next = index.checked_add(parts);
            Some(index)
        })
    }
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            seed: Seed(0),
            nonce: Nonce(0),
            documented_only: false,
            epoch_ms: EPOCH_MS,
            first_call: 0,
            calls: None,
            shard: None,
        }
    }
}
