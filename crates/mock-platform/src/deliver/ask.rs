//! Asking an application what to do: one POST, and its answer within limits.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect, retry};
use tokio::time::{Instant, timeout_at};

use super::Target;
use super::attempt::causes;

/// Asks URLs of an application: no redirect, no proxy, and one try.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    client: Client,
}

/// How much of an answer is read: a call flow is far smaller.
const ANSWER_LIMIT: usize = 1 << 20;

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) status: Option<u16>,
    pub(crate) body: Vec<u8>,
    /// Why there is no whole answer.
    pub(crate) error: Option<String>,
    pub(crate) took: Duration,
}

impl Asked {
    /// The body of a 2xx answer.
    pub(crate) fn taken(&self) -> Result<&[u8], String> {
        match (self.status, &self.error) {
            (_, Some(error)) => Err(error.clone()),
            (Some(status), None) if (200..300).contains(&status) => Ok(&self.body),
            (Some(status), None) => Err(format!("it answered {status}")),
            (None, None) => Err("it did not answer".to_owned()),
        }
    }
}

impl Asker {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .user_agent(concat!("piopiy-mock/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(1))
            .build()?;
        Ok(Self { client })
    }

    /// POSTs a JSON body.
    pub(crate) async fn post(&self, target: &Target, body: Vec<u8>, limit: Duration) -> Asked {
        let request = self.client.post(target.url().clone()).header(CONTENT_TYPE, "application/json");
        self.send(request.body(body), limit, ANSWER_LIMIT).await
    }

    /// GETs a file of up to `most` bytes.
    pub(crate) async fn get(&self, target: &Target, limit: Duration, most: usize) -> Asked {
        self.send(self.client.get(target.url().clone()), limit, most).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, limit: Duration, most: usize) -> Asked {
        let began = Instant::now();
        let deadline = began + limit;
        let failed =
            |status, error| Asked { status, body: Vec::new(), error: Some(error), took: began.elapsed() };
        let mut response = match timeout_at(deadline, request.send()).await {
            Err(_) => return failed(None, format!("it did not answer within {limit:?}")),
            Ok(Err(error)) => return failed(None, causes(&error)),
            Ok(Ok(response)) => response,
        };
        let status = Some(response.status().as_u16());
        let mut body = Vec::new();
        loop {
            let chunk: Option<Bytes> = match timeout_at(deadline, response.chunk()).await {
                Err(_) => return failed(status, format!("its answer was not whole within {limit:?}")),
                Ok(Err(error)) => return failed(status, causes(&error)),
                Ok(Ok(chunk)) => chunk,
            };
            let Some(chunk) = chunk else { break };
            if body.len() + chunk.len() > most {
                return failed(status, format!("its answer is longer than {most} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Asked { status, body, error: None, took: began.elapsed() }
    }
}
