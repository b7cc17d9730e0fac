use crate::plan::draw::{scale, split_mix};

/// A random draw that is keyed by what it is for, so that adding one moves no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64, call: u64, webhook: u32, purpose: &str) -> Self {
        // FNV-1a: only to tell purposes apart.
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        // Not the plan's own numbers: a fault must not follow from what it strikes.
        let seed = split_mix(seed, 0x6661_756c_7473);
        Self(split_mix(split_mix(split_mix(seed, call), u64::from(webhook)), purpose))
    }

    /// A number from 0 to `limit`, exclusive; 0 where `limit` is 0.
    pub(super) fn below(self, limit: u64) -> u64 {
        scale(self.0, limit)
    }

    /// True with the probability given.
    #[expect(clippy::cast_precision_loss, reason = "53 bits decide")]
    pub(super) fn chance(self, probability: f64) -> bool {
        ((self.0 >> 11) as f64) < probability * (1_u64 << 53) as f64
    }
}
