use super::draw::{mix, place_of, seed_of, split_mix};
use super::{Nonce, Seed};

pub(crate) const UUID_LEN: usize = 36;
pub(crate) const REQUEST_ID_LEN: usize = 43;

/// The ids of one run. Each is drawn from 128 bits of key, so that runs and calls share an id by chance alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunIds {
    high: u64,
    low: u64,
}

/// The ids of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallIds {
    high: u64,
    low: u64,
}

impl RunIds {
    pub(crate) fn new(seed: Seed, nonce: Nonce) -> Self {
        const HIGH: u64 = 0x6964_732e_6869_6768;
        const LOW: u64 = 0x6964_732e_6c6f_772e;
        Self { high: mix(mix(seed.0 ^ HIGH) ^ nonce.0), low: mix(mix(nonce.0 ^ LOW) ^ seed.0) }
    }

    pub(crate) fn call(self, index: u64) -> CallIds {
        CallIds { high: split_mix(self.high, index), low: split_mix(self.low, index) }
    }

    /// The call, and which of its first so many legs, that has an id: the way back through the generator. `None` where no
    /// call of the run has it.
    pub(crate) fn find(self, id: &str, legs: u64) -> Option<(u64, u64)> {
        let text = id.as_bytes();
        if text.len() != UUID_LEN {
            return None;
        }
        // The second half, without the two bits that every such UUID has.
        let mut low = 0_u64;
        for &digit in text[19..23].iter().chain(&text[24..]) {
            low = (low << 4) | u64::from(char::from(digit).to_digit(16)?);
        }
        low &= u64::MAX >> 2;
        (0..legs).find_map(|leg| {
            let calls = (0..4).map(|bits| place_of(seed_of(low | (bits << 62), leg), self.low));
            let mut fitting = calls.filter(|&call| self.call(call).leg(leg) == *text);
            Some((fitting.next()?, leg))
        })
    }
}

impl CallIds {
    /// The `cmiuuid` of the n-th leg: a version 4 UUID in lower case.
    pub(crate) fn leg(self, n: u64) -> [u8; UUID_LEN] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&split_mix(self.high, n).to_be_bytes());
        bytes[8..].copy_from_slice(&split_mix(self.low, n).to_be_bytes());
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        let mut text = [b'-'; UUID_LEN];
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        for (byte, at) in bytes.into_iter().zip(PLACES) {
            text[at..at + 2].copy_from_slice(&HEX[usize::from(byte)]);
        }
        text
    }

    /// The `request_id`: 43 letters and digits.
    pub(crate) fn request(self) -> [u8; REQUEST_ID_LEN] {
        const REQUEST: u64 = 1 << 32;
        let mut text = [0; REQUEST_ID_LEN];
        for (n, chunk) in text.chunks_mut(10).enumerate() {
            let half = if n % 2 == 0 { self.high } else { self.low };
            let mut bits = split_mix(half, REQUEST + n as u64);
            for pair in chunk.chunks_mut(2) {
                let product = u128::from(bits) * BASE62_PAIRS.len() as u128;
                let drawn = &BASE62_PAIRS[(product >> 64) as usize];
                pair.copy_from_slice(&drawn[..pair.len()]);
                bits = product as u64;
            }
        }
        text
    }
}

const HEX: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut at = 0;
    while at < 256 {
        table[at] = [digits[at >> 4], digits[at & 15]];
        at += 1;
    }
    table
};

static BASE62_PAIRS: [[u8; 2]; 62 * 62] = {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut table = [[0; 2]; 62 * 62];
    let mut at = 0;
    while at < 62 * 62 {
        table[at] = [digits[at / 62], digits[at % 62]];
        at += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn ids_stay_what_they_are() {
        let call = RunIds::new(Seed(0x5eed), Nonce(0)).call(3);
        insta::assert_debug_snapshot!([text(&call.leg(0)), text(&call.leg(1)), text(&call.request())]);
    }

    #[test]
    fn ids_lead_back_to_their_call_and_leg() {
        proptest::proptest!(|(seed: u64, nonce: u64, call: u64, leg in 0..9_u64)| {
            let run = RunIds::new(Seed(seed), Nonce(nonce));
            let id = run.call(call).leg(leg);
            proptest::prop_assert_eq!(run.find(text(&id), 9), Some((call, leg)));
            proptest::prop_assert_eq!(run.find(text(&id), leg), None, "it has fewer legs");
            let other = RunIds::new(Seed(seed), Nonce(!nonce));
            proptest::prop_assert_eq!(other.find(text(&id), 9), None);
        });
        let run = RunIds::new(Seed(1), Nonce(2));
        for id in ["", "x", "00000000-0000-4000-8000-00000000000g", "€€€€€€€€€€€€"] {
            assert_eq!(run.find(id, 9), None, "{id}");
        }
    }

    #[test]
    fn seed_nonce_call_and_leg_each_change_the_id() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..8 {
            for nonce in 0..8 {
                for call in 0..8 {
                    let ids = RunIds::new(Seed(seed), Nonce(nonce)).call(call);
                    assert!(seen.insert(text(&ids.request()).to_owned()));
                    for leg in 0..3 {
                        assert!(seen.insert(text(&ids.leg(leg)).to_owned()));
                    }
                }
            }
        }
    }
}
