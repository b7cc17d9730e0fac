use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Target, TargetError};

impl Target {
    /// The same, unless one of these addresses is what it is reached at; a name that is looked up is none of them, but for
    /// `localhost`.
    pub(crate) fn apart_from(self, own: &[SocketAddr]) -> Result<Self, TargetError> {
        let port = self.url.port_or_known_default().unwrap_or(80);
        let host = self.url.host_str().unwrap_or_default();
        let ips: Vec<IpAddr> = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => vec![ip.to_canonical()],
            Err(_) if self.is_local_name() => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            Err(_) => self.addresses.clone(),
        };
        let is_own = own.iter().any(|own| {
            let ip = own.ip().to_canonical();
            own.port() == port && (ips.contains(&ip) || (ip.is_unspecified() && !ips.is_empty()))
        });
        if is_own { Err(TargetError::Itself { host: self.authority() }) } else { Ok(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_to_where_it_comes_from() {
        let own: Vec<SocketAddr> =
            ["127.0.0.1:8081", "0.0.0.0:8080", "[::1]:9"].iter().map(|own| own.parse().unwrap()).collect();
        for (url, expected) in [
            ("http://127.0.0.1:8081/api/reset", true),
            ("http://localhost:8081/", true),
            ("http://2130706433:8081/", true),
            ("http://[::ffff:127.0.0.1]:8081/", true),
            ("http://127.9.9.9:8080/", true),
            ("http://localhost:9/", true),
            ("http://[::1]:9/", true),
            ("http://127.0.0.1:9/", false),
            ("http://127.0.0.2:8081/", false),
            ("http://127.0.0.1:8082/", false),
            // Whoever allows a name knows what it is.
            ("http://app.example:8080/", false),
        ] {
            let target = Target::parse(url, &["app.example".to_owned()]).unwrap();
            assert_eq!(target.apart_from(&own).is_err(), expected, "{url}");
        }
    }
}
