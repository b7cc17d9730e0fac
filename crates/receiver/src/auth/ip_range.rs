use std::net::IpAddr;
use std::str::FromStr;

/// An address, or a range of them in CIDR notation: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/32`.
///
/// # Examples
/// ```
/// use piopiy_receiver::IpRange;
///
/// let range: IpRange = "203.0.113.0/24".parse()?;
/// assert!(range.contains("203.0.113.9".parse()?));
/// assert!(range.contains("::ffff:203.0.113.9".parse()?), "the same address on a dual-stack socket");
/// assert!(!range.contains("203.0.114.9".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpRange {
    address: IpAddr,
    prefix: u32,
}

/// Why a text is no [`IpRange`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no IP address or range such as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32")]
#[non_exhaustive]
pub struct InvalidIpRange {
    /// What was given.
    pub text: String,
}

impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, prefix.parse().ok()),
            None => (text, Some(u32::MAX)),
        };
        let range = address.parse::<IpAddr>().ok().zip(prefix).and_then(|(address, prefix)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = if prefix == u32::MAX { longest } else { prefix };
            (prefix <= longest).then_some(Self { address, prefix })
        });
        range.ok_or_else(|| InvalidIpRange { text: text.to_owned() })
    }
}

impl IpRange {
    /// Whether the address is in the range. An IPv4 address mapped to IPv6 counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let differing = range.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let differing = range.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}
