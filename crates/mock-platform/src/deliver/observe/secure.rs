//! Asking by TLS.

use std::error::Error;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use rustls::pki_types::ServerName;

use super::PATIENCE;
use crate::deliver::Target;
use crate::deliver::stream::{Stream, Tls, connect};

type Failure = Box<dyn Error + Send + Sync>;

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Incoming,
}

/// `GET` on a connection of its own.
pub(super) async fn get(target: &Target, url: &Url) -> Result<Answer, Failure> {
    let addresses = target.look_up().await?;
    let host = url.host_str().unwrap_or_default();
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let tls = Tls {
        config: Arc::new(target.trust().config(&["http/1.1"])?),
        name: ServerName::try_from(name.to_owned())?,
    };
    let Stream::Tls(stream) = connect(&addresses, None, Some(&tls)).await? else {
        return Err("the connection is not by TLS".into());
    };
    let (mut send, connection) = http1::handshake(TokioIo::new(*stream)).await?;
    // It ends with the answer.
    tokio::spawn(connection);
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::get(target).header(HOST, authority);
    if let Some(credentials) = authorization(url) {
        request = request.header(AUTHORIZATION, credentials);
    }
    let answer = tokio::time::timeout(PATIENCE, send.send_request(request.body(Empty::<Bytes>::new())?));
    let (head, body) = answer.await??.into_parts();
    Ok(Answer { status: head.status.as_u16(), body })
}

/// The credentials of a URL, as they are meant: in a URL `p@ss` is `p%40ss`.
fn authorization(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    Some(format!("Basic {}", STANDARD.encode(credentials)))
}

/// The bytes that a part of a URL stands for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

impl Answer {
    /// The next piece of its body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = tokio::time::timeout(PATIENCE, self.body.frame()).await? {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&[u8]>) {
        let value = authorization(&Url::parse(url).unwrap());
        let sent = value.map(|value| STANDARD.decode(value.strip_prefix("Basic ").unwrap()).unwrap());
        assert_eq!(sent.as_deref(), expected, "{url}");
    }

    #[test]
    fn credentials_are_sent_as_they_are_meant() {
        check("https://127.0.0.1/", None);
        check("https://user:pass@127.0.0.1/", Some(b"user:pass"));
        check("https://us%40er:p%3Aa%2Fss%25@127.0.0.1/", Some(b"us@er:p:a/ss%"));
        check("https://:only@127.0.0.1/", Some(b":only"));
        check("https://%ff:a+b@127.0.0.1/", Some(b"\xff:a+b"));
        check("https://user:100%@127.0.0.1/", Some(b"user:100%"));
    }
}
