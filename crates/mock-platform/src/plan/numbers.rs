//! Phone numbers that belong to nobody: only ranges reserved for fiction or documentation.

use piopiy_events::Profile;

use super::draw::scale;
use super::scenario::Region;

/// Digits of a phone number, with the country code and without `+`; as many as a number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Digits {
    bytes: [u8; 20],
    len: u8,
}

impl Digits {
    pub(crate) fn new(number: u64) -> Self {
        let mut text = itoa::Buffer::new();
        let text = text.format(number).as_bytes();
        let mut bytes = [0; 20];
        let len = text.len().min(bytes.len());
        bytes[..len].copy_from_slice(&text[..len]);
        Self { bytes, len: len as u8 }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The ten digits of an Indian number without its country code; `callerid` has them after a 0.
    pub(crate) fn national(&self) -> &[u8] {
        let digits = self.as_bytes();
        &digits[digits.len().saturating_sub(10)..]
    }
}

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The account: what customers dial, and what it shows when it calls.
    Account,
    /// The customer: the far end of leg a.
    Customer,
    /// Whom leg b is bridged to.
    Agent,
}

/// Ofcom, "Telephone numbers for use in TV and radio drama programmes": 01632 960000 to 960999 (no area).
const UK_NO_AREA: u64 = 441_632_960_000;
/// Ofcom: 07700 900000 to 900999 (mobile).
const UK_MOBILE: u64 = 447_700_900_000;
/// Ofcom: 020 7946 0000 to 0999 (London).
const UK_LONDON: u64 = 442_079_460_000;
const UK_RANGE: u64 = 1_000;
/// North American Numbering Plan: 555-0100 to 555-0199 of any area code are reserved for fiction.
const US_AREAS: [u64; 8] = [202, 212, 303, 312, 415, 617, 702, 917];
const US_RANGE: u64 = 100;
/// India reserves no range: the vendor's own sample number, its last four digits varied.
const INDIA_SAMPLE: u64 = 919_800_000_000;

/// A number from the pool of its owner. The account has `account` numbers, at most a hundred in each region.
pub(crate) fn number(profile: Profile, regions: &[Region], owner: Owner, account: u64, bits: u64) -> Digits {
    if profile == Profile::India {
        return Digits::new(INDIA_SAMPLE + india(owner, account, bits));
    }
    let region = regions.get(scale(bits.rotate_left(32), regions.len() as u64) as usize);
    Digits::new(match (region.copied().unwrap_or(Region::Uk), owner) {
        (Region::Uk, Owner::Account) => UK_NO_AREA + scale(bits, account.clamp(1, US_RANGE)),
        (Region::Uk, Owner::Customer) => UK_MOBILE + scale(bits, UK_RANGE),
        (Region::Uk, Owner::Agent) => UK_LONDON + scale(bits, UK_RANGE),
        // The account's numbers are the first of one area code, agents have another, customers the rest.
        (Region::Us, Owner::Account) => us(0, scale(bits, account.clamp(1, US_RANGE))),
        (Region::Us, Owner::Agent) => us(1, scale(bits, US_RANGE)),
        (Region::Us, Owner::Customer) => {
            let area = 2 + scale(bits, US_AREAS.len() as u64 - 2);
            us(area as usize, scale(bits.rotate_left(16), US_RANGE))
        }
    })
}

fn us(area: usize, line: u64) -> u64 {
    10_000_000_000 + US_AREAS[area] * 10_000_000 + 5_550_100 + line
}

fn india(owner: Owner, account: u64, bits: u64) -> u64 {
    match owner {
        Owner::Account => scale(bits, account.clamp(1, US_RANGE)),
        Owner::Customer => 1_000 + scale(bits, 8_000),
        Owner::Agent => 9_000 + scale(bits, 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::draw::split_mix;

    #[test]
    fn every_number_is_reserved() {
        let owners = [Owner::Account, Owner::Customer, Owner::Agent];
        for n in 0..20_000 {
            let bits = split_mix(1, n);
            let owner = owners[n as usize % 3];
            let global = number(Profile::Global, &[Region::Uk, Region::Us], owner, 4, bits);
            let text = std::str::from_utf8(global.as_bytes()).unwrap();
            let uk = ["441632960", "447700900", "442079460"];
            let reserved = (text.len() == 12 && uk.iter().any(|range| text.starts_with(range)))
                || (text.len() == 11 && text.starts_with('1') && text[4..].starts_with("55501"));
            assert!(reserved, "{text}");
            let india = number(Profile::India, &[], owner, 4, bits);
            assert!(india.as_bytes().starts_with(b"91980000") && india.as_bytes().len() == 12);
            assert!(india.national().starts_with(b"980000") && india.national().len() == 10);
        }
    }
}
