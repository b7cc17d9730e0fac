//! One attempt: what is read and sent, and what the answer means.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use piopiy_events::Webhook;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::connect::Connector;
use super::queue::Ended;
use super::signature::webhook_id;
use super::{Destination, ForwardError};
use crate::clock::now_micros;
use crate::{Record, Records, StoreError};

/// Posts to one destination.
#[derive(Debug, Clone)]
pub(super) struct Poster {
    client: Client<Connector, Full<Bytes>>,
    destination: Destination,
    uri: Uri,
    /// What the URL names a user for.
    authorization: Option<HeaderValue>,
}

/// How an attempt ended, and how it failed, in words.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) ended: Ended,
    pub(super) error: String,
}

/// One attempt; the record is read first where it is not in hand.
pub(super) async fn deliver(
    poster: &Poster,
    records: Arc<dyn Records>,
    seq: u64,
    record: Option<Record>,
    attempts: u32,
) -> Attempt {
    let record = match record {
        Some(record) => Ok(Some(record)),
        None => match tokio::task::spawn_blocking(move || read_one(&*records, seq)).await {
            Ok(read) => read,
            Err(error) => Err(StoreError::Other(Box::new(error))),
        },
    };
    match record {
        Ok(Some(record)) => match record.webhook() {
            Some(webhook) => poster.post(&record, &webhook, attempts).await,
            None => Attempt { ended: Ended::Gone, error: "it is no webhook".to_owned() },
        },
        Ok(None) => Attempt { ended: Ended::Gone, error: "the store has it no more".to_owned() },
        // As where there is no connection: nothing about this webhook.
        Err(error) => Attempt { ended: Ended::Unreachable, error: error.chain() },
    }
}

pub(super) fn read_one(records: &dyn Records, seq: u64) -> Result<Option<Record>, StoreError> {
    let mut page = records.page(seq.saturating_sub(1), 1, usize::MAX)?;
    Ok(page.pop().filter(|record| record.seq == seq))
}

/// How long a connection may take.
const MOST_CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer's body that are read.
const MOST_ANSWER: usize = 64 << 10;
/// What it calls itself.
const USER_AGENT: &str = concat!("piopiy-receiver/", env!("CARGO_PKG_VERSION"));
/// No answer is asked to be waited for longer than this.
const MOST_RETRY_AFTER: Duration = Duration::from_secs(300);

impl Poster {
    pub(super) fn new(destination: Destination) -> Result<Self, ForwardError> {
        // Shorter than the whole, or it could not be told that there was no connection.
        let within = (destination.timeout / 2).min(MOST_CONNECT);
        let connector = Connector::new(within, destination.ca_file.as_deref())?;
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            // Shorter than servers keep a connection that does nothing, which would cost an attempt.
            .pool_idle_timeout(Duration::from_secs(4))
            .pool_max_idle_per_host(destination.concurrency)
            .build(connector);
        let (uri, authorization) = place(&destination.url)?;
        Ok(Self { client, destination, uri, authorization })
    }

    /// Posts the record's body as it was received; `attempts` were made before.
    pub(super) async fn post(&self, record: &Record, webhook: &Webhook, attempts: u32) -> Attempt {
        let identity = webhook.identity().map(|identity| identity.key()).unwrap_or_default();
        let mut request = Request::new(Full::new(record.body.clone()));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers(record, &webhook_id(&identity), attempts, now_micros());
        let until = Instant::now() + self.destination.timeout;
        match timeout_at(until, self.client.request(request)).await {
            Ok(Ok(response)) => {
                let attempt = judge(response.status(), response.headers());
                // What is not read would close the connection; what it says does not matter, nor whether it comes.
                drop(timeout_at(until, read(response.into_body())).await);
                attempt
            }
            Ok(Err(error)) if error.is_connect() => {
                Attempt { ended: Ended::Unreachable, error: format!("no connection: {}", innermost(&error)) }
            }
            Ok(Err(error)) => {
                Attempt { ended: Ended::Failed, error: format!("no answer: {}", innermost(&error)) }
            }
            Err(_) => Attempt {
                ended: Ended::Failed,
                error: format!("no answer within {:?}", self.destination.timeout),
            },
        }
    }

    fn headers(&self, record: &Record, id: &str, attempts: u32, now: i64) -> HeaderMap {
        let seconds = now.div_euclid(1_000_000);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.extend(self.authorization.clone().map(|value| (header::AUTHORIZATION, value)));
        let mut insert = |name, value: String| {
            // Hexadecimal, base 64 and digits: nothing that a header could not hold.
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        };
        insert("webhook-id", id.to_owned());
        insert("webhook-timestamp", seconds.to_string());
        if let Some(secret) = &self.destination.secret {
            insert("webhook-signature", secret.sign(id, seconds, &record.body));
        }
        insert("piopiy-seq", record.seq.to_string());
        insert("piopiy-received-at", record.received_at.to_string());
        insert("piopiy-attempt", attempts.saturating_add(1).to_string());
        headers
    }
}

/// What an answer says about the webhook.
fn judge(status: StatusCode, headers: &HeaderMap) -> Attempt {
    let ended = match status {
        status if status.is_success() => Ended::Delivered,
        // 502 and 504 are what a proxy says whose app is away.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Ended::Refused { retry_after: retry_after(headers) },
        _ => Ended::Failed,
    };
    Attempt { ended, error: format!("status {}", status.as_u16()) }
}

/// `Retry-After` in seconds; as a date it is passed over, for whose clock it goes by is not known.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MOST_RETRY_AFTER))
}

/// What is requested, and as whom: user and password are no part of a request's address.
fn place(url: &Url) -> Result<(Uri, Option<HeaderValue>), ForwardError> {
    let mut address = url.clone();
    address.set_fragment(None);
    // They cannot fail for what was a destination.
    let _ = address.set_username("");
    let _ = address.set_password(None);
    let uri = address.as_str().parse::<Uri>().map_err(|error| ForwardError::Client(Box::new(error)))?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok((uri, None));
    }
    let mut credentials = decoded(url.username());
    credentials.push(b':');
    credentials.extend(decoded(url.password().unwrap_or_default()));
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(credentials)))
        .map_err(|error| ForwardError::Client(Box::new(error)))?;
    value.set_sensitive(true);
    Ok((uri, Some(value)))
}

/// The bytes that `%40` and the like stand for.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| first == b'%');
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

/// Reads an answer's body, so much of it and no more.
async fn read(mut body: Incoming) {
    let mut read = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST_ANSWER {
            break;
        }
    }
}

/// The cause that all others come from: the client's own words say less.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_becomes_of_the_webhook() {
        let check = |status, after: Option<&'static str>, expected| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(after));
            }
            let found = judge(StatusCode::from_u16(status).unwrap(), &headers).ended;
            assert_eq!(found, expected, "{status} {after:?}");
        };
        let refused = |seconds: Option<u64>| Ended::Refused { retry_after: seconds.map(Duration::from_secs) };
        check(200, None, Ended::Delivered);
        check(204, None, Ended::Delivered);
        check(302, None, Ended::Failed);
        check(404, None, Ended::Failed);
        check(500, Some("3"), Ended::Failed);
        check(502, None, refused(None));
        check(504, None, refused(None));
        check(429, Some("7"), refused(Some(7)));
        check(503, None, refused(None));
        check(503, Some("86400"), refused(Some(300)));
        check(503, Some("Fri, 31 Dec 1999 23:59:59 GMT"), refused(None));
    }

    #[test]
    fn who_the_url_names_is_told_and_the_address_is_without_it() {
        let check = |url: &str, address: &str, told: Option<&str>| {
            let (uri, authorization) = place(&url.parse().unwrap()).unwrap();
            assert_eq!(uri.to_string(), address, "{url}");
            assert_eq!(authorization.as_ref().map(|value| value.to_str().unwrap()), told, "{url}");
        };
        check("http://h:81/p?q=1#f", "http://h:81/p?q=1", None);
        check("https://h", "https://h/", None);
        check("http://u:p@h/", "http://h/", Some("Basic dTpw"));
        check("http://u%40d:p%3A%25@h/", "http://h/", Some("Basic dUBkOnA6JQ=="));
        check("http://:p@h/", "http://h/", Some("Basic OnA="));
        check("http://100%:%zz@h/", "http://h/", Some("Basic MTAwJToleno="));
    }
}
