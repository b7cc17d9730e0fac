//! Who may speak to the control port: people and programs of this machine, and no web page from elsewhere.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// Refuses what a foreign page makes a browser send: requests by a name that is not this machine's (DNS rebinding), and
/// requests that change something and come from another origin. A program sends no `Origin` and is let through.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let changes = !request.method().is_safe();
    match refusal(request.uri(), request.headers(), changes) {
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
        None => next.run(request).await,
    }
}

/// Why a request is refused; `changes` says whether it may be no other origin's.
pub(super) fn refusal(uri: &Uri, headers: &HeaderMap, changes: bool) -> Option<&'static str> {
    // HTTP/1.1 has the host in a header, HTTP/2 and proxy requests have it in the target.
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| text(headers, &header::HOST));
    let Some(host) = host else {
        return Some("the request does not say which host it is for: send a `Host` header");
    };
    if !is_local(host) {
        return Some(
            "this port is for this machine only: ask for it as 127.0.0.1, [::1] or localhost, not by another name",
        );
    }
    if !changes {
        return None;
    }
    let foreign = headers.get(header::ORIGIN).is_some_and(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        !origin.is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    });
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    if foreign || site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Some(
            "a page of another origin may not change anything here: use the console, or send no `Origin`",
        );
    }
    None
}

/// Whether a page of a browser sends it, whatever its origin: programs name none.
pub(super) fn is_of_a_page(headers: &HeaderMap) -> bool {
    let site = text(headers, &HeaderName::from_static("sec-fetch-site"));
    headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none")
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a host, with or without its port, can be nothing but this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

    use super::refusal;

    fn refused(changes: bool, lines: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        refusal(&Uri::from_static("/calls"), &headers, changes).is_some()
    }

    #[test]
    fn a_host_must_be_this_machine() {
        for host in ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "127.0.0.1", "LOCALHOST"] {
            assert!(!refused(false, &[("host", host)]), "{host}");
            assert!(!refused(true, &[("host", host)]), "{host}");
        }
        for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "[::1", "10.0.0.1", ""] {
            assert!(refused(false, &[("host", host)]), "{host}");
        }
        assert!(refused(false, &[]));
    }

    #[test]
    fn an_origin_must_be_this_one_where_something_changes() {
        let host = ("host", "localhost:8081");
        assert!(!refused(true, &[host, ("origin", "http://localhost:8081")]));
        for origin in [
            "http://evil.example",
            "null",
            "http://localhost:5000",
            "https://localhost:8081",
            "http://127.0.0.1:8081",
        ] {
            assert!(refused(true, &[host, ("origin", origin)]), "{origin}");
            assert!(!refused(false, &[host, ("origin", origin)]), "{origin}");
        }
        assert!(refused(true, &[host, ("sec-fetch-site", "cross-site")]));
        assert!(!refused(true, &[host, ("sec-fetch-site", "same-origin")]));
    }
}
