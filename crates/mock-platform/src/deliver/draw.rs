/// A random draw that is keyed by what it is for, so that adding one moves no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64, call: u64, webhook: u32, purpose: &str) -> Self {
        // FNV-1a: only to tell purposes apart.
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut state = mix(seed ^ 0x5eed);
        for part in [call, u64::from(webhook), purpose] {
            state = mix(state ^ part);
        }
        Self(state)
    }

    /// A number from 0 to `limit`, exclusive; 0 where `limit` is 0.
    pub(super) fn below(self, limit: u64) -> u64 {
        let product = u128::from(self.0) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// True with the probability given.
    #[expect(clippy::cast_precision_loss, reason = "53 bits decide")]
    pub(super) fn chance(self, probability: f64) -> bool {
        ((self.0 >> 11) as f64) < probability * (1_u64 << 53) as f64
    }
}

/// The finaliser of SplitMix64.
fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
