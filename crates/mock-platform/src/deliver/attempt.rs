use std::error::Error;
use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, StatusCode, Url, redirect, retry};
use tokio::time::{Instant, timeout_at};

use super::DeliveryOptions;
use super::ledger::AttemptOutcome;

/// What sends one attempt. Everything else of a delivery is decided without a socket.
pub(crate) trait Transport: Clone + Send + 'static {
    /// Sends `body` once and says how that ended.
    fn post(&self, url: Url, body: Bytes) -> impl Future<Output = Answer> + Send;
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    /// Whether the receiver may have acted although no answer came.
    pub(crate) ambiguous: bool,
    /// To the head of the answer, or to the failure.
    pub(crate) latency: Duration,
    pub(crate) answer_bytes: u64,
    pub(crate) cut_off: bool,
}

/// HTTP/1.1 with keep-alive; no redirect, no proxy, and no try but the one asked for.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    timeout: Duration,
    answer_limit: u64,
}

impl Http {
    pub(crate) fn new(options: &DeliveryOptions) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("piopiy-mock/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .tcp_nodelay(true)
            .pool_max_idle_per_host(options.connections)
            // Below the keep-alive of common servers (2 to 5 s), so that a connection which they are about to
            // close is not taken for a receiver that lost a webhook.
            .pool_idle_timeout(Duration::from_secs(1))
            .build()?;
        Ok(Self { client, timeout: options.timeout(), answer_limit: options.answer_limit })
    }
}

impl Transport for Http {
    async fn post(&self, url: Url, body: Bytes) -> Answer {
        let start = Instant::now();
        let deadline = start + self.timeout;
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        let sent = timeout_at(deadline, request.send()).await;
        let latency = start.elapsed();
        let failed = |outcome, error: String, ambiguous| Answer {
            outcome,
            status: None,
            error: Some(error),
            ambiguous,
            latency,
            answer_bytes: 0,
            cut_off: false,
        };
        let response = match sent {
            Err(_) => {
                let error = format!("no answer within {:?}", self.timeout);
                return failed(AttemptOutcome::Timeout, error, true);
            }
            Ok(Err(error)) => {
                let outcome = classify(&error);
                return failed(outcome, causes(&error), outcome != AttemptOutcome::ConnectError);
            }
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        let (outcome, error) = judge_status(status, &response);
        // The status decides. The body is read so that the connection can be used again, and dropped with the
        // connection where it is too long or too slow.
        let (answer_bytes, cut_off) = read_body(response, self.answer_limit, deadline).await;
        Answer {
            outcome,
            status: Some(status.as_u16()),
            error,
            ambiguous: false,
            latency,
            answer_bytes,
            cut_off,
        }
    }
}

fn judge_status(status: StatusCode, response: &Response) -> (AttemptOutcome, Option<String>) {
    if status.is_success() {
        (AttemptOutcome::Acknowledged, None)
    } else if status.is_redirection() {
        let location = response.headers().get(LOCATION);
        let error = location
            .map(|to| format!("redirect to {:?}, not followed", String::from_utf8_lossy(to.as_bytes())));
        (AttemptOutcome::Redirect, error)
    } else {
        (AttemptOutcome::Refused, None)
    }
}

/// Reads up to `limit` bytes; returns how many, and whether more was to come.
async fn read_body(mut response: Response, limit: u64, deadline: Instant) -> (u64, bool) {
    let mut read = 0;
    loop {
        match timeout_at(deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                read += chunk.len() as u64;
                if read > limit {
                    return (read, true);
                }
            }
            Ok(Ok(None)) => return (read, false),
            Ok(Err(_)) | Err(_) => return (read, true),
        }
    }
}

fn classify(error: &reqwest::Error) -> AttemptOutcome {
    if error.is_connect() {
        return AttemptOutcome::ConnectError;
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_parse() {
                return AttemptOutcome::ProtocolError;
            }
            if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
                return AttemptOutcome::Reset;
            }
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => AttemptOutcome::ProtocolError,
                _ => AttemptOutcome::Reset,
            };
        }
        cause = error.source();
    }
    AttemptOutcome::ProtocolError
}

/// The error with its causes, without the URL, which the ledger has already.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() { error.to_string() } else { texts.join(": ") }
}
