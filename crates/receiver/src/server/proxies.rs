//! Who asks by way of a proxy.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

use crate::IpRange;

/// Whose request it is: the peer's, or, where that is a proxy that is trusted, the last in `X-Forwarded-For` that is none.
///
/// What stands before that in the header is what the client says of itself.
pub(super) fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpRange]) -> SocketAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(peer.ip()) {
        return peer;
    }
    // Of bytes: what a client wrote before need be no text.
    let lines: Vec<&[u8]> = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        match std::str::from_utf8(entry.trim_ascii()).ok().and_then(address) {
            Some(address) if is_trusted(address) => {}
            Some(address) => return SocketAddr::new(address, 0),
            // Nobody can tell: whoever it is, it came from the proxy.
            None => return peer,
        }
    }
    peer
}

/// An address, with a port or without, in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_is_no_proxy_is_the_client() {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
        let check_bytes = |peer: &str, lines: &[&[u8]], expected: &str| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_bytes(line).unwrap());
            }
            let peer = SocketAddr::new(peer.parse().unwrap(), 7);
            assert_eq!(client(peer, &headers, &trusted).ip().to_string(), expected, "{peer} {lines:?}");
        };
        let check = |peer: &str, lines: &[&'static str], expected: &str| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            check_bytes(peer, &lines, expected);
        };
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["198.51.100.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7");
        check("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7");
        check("::1", &["[2001:db8::1]:4711"], "2001:db8::1");
        check("::1", &["[2001:db8::1]"], "2001:db8::1");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.3"], "10.0.0.1");
        check("10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1");
        check("203.0.113.9", &["10.0.0.1"], "203.0.113.9");
        // What the client wrote before the proxy went on is no text, and hides nothing of what the proxy says.
        check_bytes("10.0.0.1", &[b"\xff, 203.0.113.7"], "203.0.113.7");
        check_bytes("10.0.0.1", &[b"\xff", b"203.0.113.7, 10.0.0.2"], "203.0.113.7");
    }
}
