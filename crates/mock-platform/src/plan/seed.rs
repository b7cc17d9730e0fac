use std::fmt;
use std::str::FromStr;

/// The generator's version. A plan follows from it, the seed, the nonce, the scenario and the options; it is
/// raised whenever the same inputs would give other bytes.
pub const GENERATOR: &str = "gen-v1";

/// A number that is neither decimal nor `0x` and hexadecimal, or does not fit 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no 64-bit number: write it in decimal, or in hexadecimal after 0x")]
pub struct ParseSeedError(String);

macro_rules! key {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(clippy::exhaustive_structs, reason = "it is a number")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseSeedError;

            fn from_str(text: &str) -> Result<Self, ParseSeedError> {
                let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                    Some(digits) => u64::from_str_radix(digits, 16),
                    None => text.parse(),
                };
                number.map(Self).map_err(|_| ParseSeedError(text.to_owned()))
            }
        }
    };
}

key! {
    /// What a whole plan follows from, its ids aside.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::plan::Seed;
    /// assert_eq!("0x5eed".parse(), Ok(Seed(0x5eed)));
    /// assert_eq!("24301".parse(), Ok(Seed(0x5eed)));
    /// assert_eq!(Seed(0x5eed).to_string(), "0x5eed");
    /// ```
    Seed
}
key! {
    /// What the ids of a plan (`cmiuuid`, `request_id`) follow from, together with the seed: fresh for each run,
    /// so that a durable receiver never meets an id twice by accident.
    Nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_refused_by_name() {
        for text in ["", "0x", "seed", "-1", "18446744073709551616", "0xg"] {
            let error = text.parse::<Seed>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{text:?}")), "{error}");
        }
        assert_eq!("18446744073709551615".parse(), Ok(Nonce(u64::MAX)));
    }
}
