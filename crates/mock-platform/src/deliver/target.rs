mod own;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use super::Trust;

/// A URL that webhooks may be posted to.
///
/// Loopback is free. Any other host has to be allowed by name, so that a slip of the keyboard never calls a stranger.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::Target;
///
/// assert!(Target::parse("http://127.0.0.1:5000/webhook/cdr", &[]).is_ok());
/// assert!(Target::parse("http://app.example/webhook/cdr", &[]).is_err());
/// assert!(Target::parse("http://app.example/webhook/cdr", &["app.example".into()]).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    trust: Trust,
    /// Whether every port of the host may be spoken to, and not the one of the URL alone.
    has_all_ports: bool,
    /// Empty where the name is to be looked up.
    addresses: Vec<IpAddr>,
}

/// Why a text is no [`Target`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is no URL.
    #[error("{url:?} is no URL: {reason}; write it like http://127.0.0.1:5000/webhook/cdr")]
    NotAUrl {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is neither `http` nor `https`.
    #[error("{scheme:?} cannot be spoken to: only http:// and https:// can")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// It is neither `ws` nor `wss`.
    #[error("{scheme:?} is no WebSocket: only ws:// and wss:// are")]
    NoWebSocket {
        /// The scheme.
        scheme: String,
    },
    /// It is `https`, for what does not speak TLS.
    #[error(
        "calls are delivered to http:// alone, checks to https:// too: put a TLS proxy in front, or give the plain port"
    )]
    Tls,
    /// Whoever would send something there listens there.
    #[error("{host} is this platform itself: give the address of your application")]
    Itself {
        /// The host and its port.
        host: String,
    },
    /// It is not on this machine, and was not allowed.
    #[error("{host} is not on this machine: if it is yours, allow it with `--allow-host {host}`")]
    NotAllowed {
        /// The host, with its port if one was given.
        host: String,
    },
}

impl Target {
    /// Reads a URL; `allowed` are the hosts beyond loopback that may be posted to, as `HOST` or `HOST:PORT`.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL, or its host is neither on this machine nor allowed.
    pub fn parse(url: &str, allowed: &[String]) -> Result<Self, TargetError> {
        let parsed = Url::parse(url)
            .map_err(|error| TargetError::NotAUrl { url: without_secrets(url), reason: error.to_string() })?;
        let Some(host) = parsed.host_str() else {
            return Err(TargetError::NotAUrl {
                url: without_secrets(url),
                reason: "it has no host".to_owned(),
            });
        };
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(TargetError::Scheme { scheme: parsed.scheme().to_owned() });
        }
        let with_port = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let known_port = format!("{host}:{}", parsed.port_or_known_default().unwrap_or(80));
        let is_one = |names: &[&str]| {
            allowed.iter().any(|entry| names.iter().any(|name| name.eq_ignore_ascii_case(entry)))
        };
        let has_all_ports = is_loopback(host) || is_one(&[host]);
        if has_all_ports || is_one(&[&with_port, &known_port]) {
            Ok(Self { url: parsed, trust: Trust::default(), has_all_ports, addresses: Vec::new() })
        } else {
            Err(TargetError::NotAllowed { host: with_port })
        }
    }

    /// Reads a `ws` or `wss` URL; otherwise as [`Target::parse`].
    ///
    /// # Errors
    /// If it is no such URL, or its host is neither on this machine nor allowed.
    pub fn parse_websocket(url: &str, allowed: &[String]) -> Result<Self, TargetError> {
        let http = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ws") => format!("http://{rest}"),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("wss") => format!("https://{rest}"),
            Some((scheme, _)) => return Err(TargetError::NoWebSocket { scheme: scheme.to_owned() }),
            None => {
                let reason = "it has no scheme".to_owned();
                return Err(TargetError::NotAUrl { url: without_secrets(url), reason });
            }
        };
        Self::parse(&http, allowed)
    }

    /// The URL as that of a WebSocket.
    #[must_use]
    pub fn as_websocket(&self) -> String {
        self.url.as_str().replacen("http", "ws", 1)
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The URL as it may be shown and written down: credentials, and values of the query that look like secrets, are
    /// stars.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::deliver::Target;
    ///
    /// let target = Target::parse("http://me:pass@127.0.0.1:5000/cdr?token=abc&id=7", &[])?;
    /// assert_eq!(target.shown(), "http://***@127.0.0.1:5000/cdr?token=***&id=7");
    /// # Ok::<(), piopiy_mock_platform::deliver::TargetError>(())
    /// ```
    #[must_use]
    pub fn shown(&self) -> String {
        without_secrets(self.as_str())
    }

    /// Host and port to connect to, an IPv6 address in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or(80);
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// Whose word is taken for who it is, by TLS; the public roots where nothing is said.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// Connects to these addresses, and does not ask what the name stands for; that is asked where there are none.
    #[must_use]
    pub fn resolved_to(self, addresses: &[IpAddr]) -> Self {
        Self { addresses: addresses.to_vec(), ..self }
    }

    /// What it is reached at.
    pub(crate) async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        if self.addresses.is_empty() {
            return Ok(tokio::net::lookup_host(self.authority()).await?.collect());
        }
        let port = self.url.port_or_known_default().unwrap_or(80);
        Ok(self.addresses.iter().map(|&address| SocketAddr::new(address, port)).collect())
    }

    /// Whether its host was allowed as such, and not one port of it.
    pub(super) fn has_all_ports(&self) -> bool {
        self.has_all_ports
    }

    /// Whether its host is a name that means this machine alone, and its addresses were not given.
    pub(super) fn is_local_name(&self) -> bool {
        self.addresses.is_empty()
            && self.url.host_str().is_some_and(|host| host.eq_ignore_ascii_case("localhost"))
    }

    /// The parameters of the query whose values are kept to oneself, as they are written.
    pub(super) fn query_secrets(&self) -> Vec<(String, String)> {
        let pairs = self.url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let secret = pairs.filter(|(name, value)| !value.is_empty() && is_secret(name));
        secret.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// For what does not speak TLS.
    ///
    /// # Errors
    /// If it is `https`.
    pub fn without_tls(self) -> Result<Self, TargetError> {
        if self.is_tls() { Err(TargetError::Tls) } else { Ok(self) }
    }

    /// Whether it is spoken to by TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.shown()).finish()
    }
}

/// Words in the names of query parameters whose values are kept to oneself.
const SECRET: [&str; 7] = ["token", "secret", "key", "pass", "auth", "sig", "pwd"];

/// A text with the secrets of the URLs in it replaced by stars, however those are written; any other text as it is. See
/// [`Target::shown`].
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::without_secrets;
///
/// assert_eq!(without_secrets("--to=http://u:p@localhost/?api_key=x"), "--to=http://***@localhost/?api_key=***");
/// assert_eq!(without_secrets("token=x"), "token=x");
/// ```
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let Some(start) = authority_in(text) else { return text.to_owned() };
    let (before, rest) = text.split_at(start);
    let (authority, rest) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let authority = match authority.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => authority.to_owned(),
    };
    // There may be more of them, behind this one or within it.
    let Some((path, query)) = rest.split_once('?') else {
        return format!("{before}{authority}{}", without_secrets(rest));
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=***"),
        _ => without_secrets(pair),
    });
    format!("{before}{authority}{}?{}", without_secrets(path), pairs.collect::<Vec<_>>().join("&"))
}

/// Where the host of the first URL begins, or who is named before it. `http:` may be followed by any slashes, and none.
fn authority_in(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let schemes = ["://", "http:", "https:"];
    let (at, scheme) = schemes.iter().filter_map(|scheme| Some((lower.find(scheme)?, scheme))).min()?;
    let rest = &text[at + scheme.len()..];
    Some(text.len() - rest.trim_start_matches(['/', '\\']).len())
}

fn is_secret(parameter: &str) -> bool {
    SECRET.iter().any(|word| parameter.to_ascii_lowercase().contains(word))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|mapped| mapped.is_loopback())
        }
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, allowed: &[&str], expected: Result<(), &str>) {
        let allowed: Vec<String> = allowed.iter().map(|&host| host.to_owned()).collect();
        let got = Target::parse(url, &allowed).map(drop).map_err(|error| error.to_string());
        match (got, expected) {
            (Ok(()), Ok(())) => {}
            (Err(message), Err(part)) => assert!(message.contains(part), "{url}: {message}"),
            (got, expected) => panic!("{url}: {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn no_spelling_of_a_url_shows_its_secrets() {
        for (text, expected) in [
            (r"http:\\me:hush@x/", r"http:\\***@x/"),
            ("HTTP:me:hush@x:80/", "HTTP:***@x:80/"),
            ("https:///me:hush@x", "https:///***@x"),
            ("curl http://a/b -L http://me:hush@x/?sig=hush", "curl http://a/b -L http://***@x/?sig=***"),
            ("http://x/?to=http://me:hush@y/&n=1", "http://x/?to=http://***@y/&n=1"),
            ("psql postgres://me:hu@sh@db/calls", "psql postgres://***@db/calls"),
            ("a: b@c", "a: b@c"),
        ] {
            assert_eq!(without_secrets(text), expected, "{text}");
        }
    }

    #[test]
    fn who_allows_a_port_allows_no_other() {
        for (url, allowed, expected) in [
            ("https://app.example/", "app.example", true),
            ("https://app.example/", "app.example:443", false),
            ("https://app.example:8443/", "app.example:8443", false),
            ("https://127.0.0.1/", "app.example", true),
        ] {
            let target = Target::parse(url, &[allowed.to_owned()]).unwrap();
            assert_eq!(target.has_all_ports(), expected, "{url} by {allowed}");
        }
    }

    #[test]
    fn loopback_is_free() {
        for url in [
            "http://127.0.0.1:5000/webhook/cdr",
            "http://127.8.9.10/",
            "http://localhost:1/x?token=a",
            "http://LOCALHOST/",
            "http://[::1]:5000/",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "https://127.0.0.1:5443/webhook/cdr",
        ] {
            check(url, &[], Ok(()));
        }
    }

    #[test]
    fn secrets_of_the_query_are_known() {
        let target = Target::parse("http://127.0.0.1/?api_key=a%20b&id=7&token=", &[]).unwrap();
        assert_eq!(target.query_secrets(), [("api_key".to_owned(), "a%20b".to_owned())]);
    }

    #[test]
    fn anything_else_has_to_be_allowed() {
        check("http://10.0.0.1/", &[], Err("--allow-host 10.0.0.1"));
        check("http://127.0.0.1@evil.example:81/", &[], Err("--allow-host evil.example:81"));
        check("http://localhost.example/", &[], Err("not on this machine"));
        check("http://0.0.0.0/", &[], Err("not on this machine"));
        check("http://app.example:8080/", &["app.example"], Ok(()));
        check("http://app.example:8080/", &["APP.example:8080"], Ok(()));
        check("http://app.example/", &["app.example:80"], Ok(()));
        check("https://app.example/", &["app.example:443"], Ok(()));
        check("https://app.example/", &["app.example:80"], Err("not on this machine"));
        check("http://app.example:8080/", &["app.example:80"], Err("not on this machine"));
    }

    #[test]
    fn what_is_no_http_url_is_told() {
        check("127.0.0.1:5000", &[], Err("is no URL"));
        check("nonsense", &[], Err("is no URL"));
        check("ftp://127.0.0.1/", &[], Err("only http:// and https://"));
        check("file:///etc/hosts", &[], Err("has no host"));
    }
}
