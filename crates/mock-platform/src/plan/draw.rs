//! Randomness without a state: a draw is a function of the seed, the call, the purpose and a number.
//!
//! The function is the n-th output of SplitMix64 (Steele, Lea, Flood 2014), reached directly. A new purpose moves
//! no other draw, and no draw depends on another call.

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64's output function: a bijection.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Output `n`, from 0, of SplitMix64 with the given seed.
pub(crate) const fn split_mix(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(GOLDEN.wrapping_mul(n.wrapping_add(1))))
}

/// What [`mix`] was given.
pub(crate) const fn unmix(mut z: u64) -> u64 {
    z = z ^ (z >> 31) ^ (z >> 62);
    z = z.wrapping_mul(inverse(0x94d0_49bb_1331_11eb));
    z = z ^ (z >> 27) ^ (z >> 54);
    z = z.wrapping_mul(inverse(0xbf58_476d_1ce4_e5b9));
    z ^ (z >> 30) ^ (z >> 60)
}

/// The seed of which an output of [`split_mix`] is number `n`.
pub(crate) const fn seed_of(output: u64, n: u64) -> u64 {
    unmix(output).wrapping_sub(GOLDEN.wrapping_mul(n.wrapping_add(1)))
}

/// Which output of [`split_mix`] with the given seed it is.
pub(crate) const fn place_of(output: u64, seed: u64) -> u64 {
    unmix(output).wrapping_sub(seed).wrapping_mul(inverse(GOLDEN)).wrapping_sub(1)
}

/// What an odd number is multiplied with to be 1, in 64 bits (Newton: each step doubles the bits that are right).
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// What a draw is for. The numbers are part of the generator's version: new ones are added, none is reused.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Kind = 0,
    Ring = 1,
    Ringing = 2,
    Talk = 3,
    Patience = 4,
    BridgeAfter = 5,
    BridgeRing = 6,
    NoAnswer = 7,
    IsUnanswered = 8,
    GroupSpread = 9,
    GroupWinner = 10,
    HangUpBy = 11,
    HangUpLag = 12,
    StreamCount = 13,
    StreamAfter = 14,
    StreamClose = 15,
    StreamError = 16,
    RecordDelay = 17,
    AccountNumber = 18,
    CustomerNumber = 19,
    AgentNumber = 20,
    ExtraParams = 21,
    ExtraParamsValue = 22,
    WrapUp = 23,
    /// Live calls: how long a person takes to pick up, and to press a key.
    Person = 24,
    Fingers = 25,
}

/// The draws of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draws {
    key: u64,
}

impl Draws {
    pub(crate) fn new(seed: u64, call: u64) -> Self {
        const CALLS: u64 = 0x6361_6c6c_732e_7631;
        let key = split_mix(mix(seed ^ CALLS), call);
        Self { key }
    }

    /// 64 random bits.
    pub(crate) fn bits(self, purpose: Purpose, n: u64) -> u64 {
        split_mix(self.key, ((purpose as u64) << 32) | n)
    }

    /// A number below `bound`; 0 where that is 0.
    pub(crate) fn below(self, purpose: Purpose, n: u64, bound: u64) -> u64 {
        scale(self.bits(purpose, n), bound)
    }
}

/// Random bits made a number below `bound`.
pub(crate) fn scale(bits: u64, bound: u64) -> u64 {
    let product = u128::from(bits) * u128::from(bound);
    (product >> 64) as u64
}

/// The positions in a block of arrivals, which belong to no one call.
pub(crate) fn arrival_bits(seed: u64, call: u64) -> u64 {
    const ARRIVALS: u64 = 0x6172_7269_7661_6c73;
    split_mix(mix(seed ^ ARRIVALS), call)
}

/// What the coins are drawn from ([`split_mix`]) by which the arrivals of a block's parts, each 2⁻`depth` of it, are in its halves.
pub(crate) fn halving_seed(seed: u64, block: u64, depth: u32) -> u64 {
    const HALVES: u64 = 0x6861_6c76_6573_2121;
    mix(split_mix(mix(seed ^ HALVES), block) ^ u64::from(depth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_split_mix_64() {
        // The published first outputs for seeds 0 and 1234567.
        let first = |seed| [0, 1, 2].map(|n| split_mix(seed, n));
        assert_eq!(first(0), [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
        assert_eq!(
            first(1_234_567),
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn outputs_lead_back_to_the_seed_and_to_their_place() {
        proptest::proptest!(|(seed: u64, n: u64)| {
            proptest::prop_assert_eq!(unmix(mix(seed)), seed);
            let output = split_mix(seed, n);
            proptest::prop_assert_eq!((seed_of(output, n), place_of(output, seed)), (seed, n));
        });
    }

    #[test]
    fn draws_stay_what_they_are() {
        let draws = Draws::new(0x5eed, 7);
        let drawn = [
            draws.bits(Purpose::Kind, 0),
            draws.bits(Purpose::Talk, 0),
            draws.bits(Purpose::Talk, 1),
            arrival_bits(0x5eed, 7),
        ];
        insta::assert_debug_snapshot!(drawn);
        assert_eq!(draws.below(Purpose::Talk, 0, 0), 0);
        assert_eq!(scale(u64::MAX, 10), 9);
    }
}
