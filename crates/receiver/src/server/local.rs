//! Whether a request comes from this machine.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use http::header;
use http::uri::Authority;

/// Whether somebody on this machine asks for this machine, as far as can be told: the peer is a loopback address, and
/// nothing says that a proxy passes on what another machine asks. A proxy that adds no header at all cannot be told apart.
pub(crate) fn is_of_this_machine(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|peer| peer.0.ip().to_canonical().is_loopback())
        && !request.headers().keys().any(|name| is_of_a_go_between(name.as_str()))
        && request.uri().authority().is_none_or(|authority| is_loopback(authority.as_str()))
        && request.headers().get(header::HOST).is_some_and(|host| host.to_str().is_ok_and(is_loopback))
}

fn is_of_a_go_between(name: &str) -> bool {
    ["via", "x-real-ip", "forwarded"].contains(&name) || name.starts_with("x-forwarded-")
}

/// Whether a `Host` is this machine by itself. Any other name can be made to lead here by whoever owns it.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || literal.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
