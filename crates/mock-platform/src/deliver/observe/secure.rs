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
    if !url.username().is_empty() {
        let credentials = format!("{}:{}", url.username(), url.password().unwrap_or_default());
        request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(credentials)));
    }
    let answer = tokio::time::timeout(PATIENCE, send.send_request(request.body(Empty::<Bytes>::new())?));
    let (head, body) = answer.await??.into_parts();
    Ok(Answer { status: head.status.as_u16(), body })
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
