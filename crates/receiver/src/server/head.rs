//! What the head of a request has to be beyond what the HTTP library sees to.

use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;

use crate::metrics::Refusal;

/// What makes the head of a request unfit, though it could be read.
pub(super) fn fault_of(request: &Request<Incoming>) -> Option<(Refusal, &'static str)> {
    // RFC 9112, section 3.2: no more than one `Host`, and one in HTTP/1.1.
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() || (host.is_none() && request.version() == Version::HTTP_11) {
        return Some((Refusal::host, "expected exactly one Host\n"));
    }
    if host.is_some_and(|host| !host.as_bytes().iter().all(|&byte| may_be_in_host(byte))) {
        return Some((Refusal::host, "the Host is none\n"));
    }
    // The HTTP library looks at the last coding only; a proxy before it may look at another.
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    let is_other = |coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(is_other) || codings.next().is_some() {
        return Some((Refusal::framing, "no Transfer-Encoding but chunked is understood\n"));
    }
    None
}

/// RFC 3986, section 3.2.2, and the colon before a port; no comma, which would make two of one.
fn may_be_in_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=%:[]".contains(&byte)
}
