//! What stands before every request: a rate limit and failures, both where they were asked for.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::has_path;
use super::reply::Reply;

/// What the REST APIs do on purpose, besides answering. Written as `[platform.rest]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct RestRules {
    /// The most requests per second; more are answered 429. None for no limit.
    pub rate_limit: Option<u32>,
    /// Requests that fail, the first that fits each time.
    pub fail: Vec<Failure>,
}

/// Requests that fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Failure {
    /// The path, as in the OpenAPI document; every path where none is given.
    #[serde(default)]
    pub path: Option<String>,
    /// How many of them; every one where none is given.
    #[serde(default)]
    pub times: Option<u32>,
    /// What they are answered with.
    pub status: u16,
}

impl RestRules {
    /// Checks that each failure can happen.
    ///
    /// # Errors
    /// If a path is none of the OpenAPI document, or a status ends no request.
    pub fn check(&self) -> Result<(), String> {
        for Failure { path, status, .. } in &self.fail {
            if let Some(path) = path.as_ref().filter(|path| !has_path(path)) {
                return Err(format!(
                    "{path:?} is no path of the REST APIs: write one of /openapi.json, such as /v3/calls/{{id}}"
                ));
            }
            if !(200..=599).contains(status) {
                return Err(format!("status is {status}: it must be from 200 to 599"));
            }
        }
        Ok(())
    }
}

/// The rules, and how far they have come.
#[derive(Debug, Default)]
pub(in crate::platform) struct Gate {
    rules: RestRules,
    recent: VecDeque<Instant>,
}

const SECOND: Duration = Duration::from_secs(1);

impl Gate {
    pub(in crate::platform) fn new(rules: RestRules) -> Self {
        Self { rules, recent: VecDeque::new() }
    }

    pub(in crate::platform) fn rules(&self) -> &RestRules {
        &self.rules
    }

    /// Why a request to `path` is not let through, if it is not. A failure counts down.
    pub(super) fn refuse(&mut self, path: &str, now: Instant) -> Option<Reply> {
        if let Some(limit) = self.rules.rate_limit {
            while self.recent.front().is_some_and(|at| now.duration_since(*at) >= SECOND) {
                self.recent.pop_front();
            }
            if self.recent.len() >= limit as usize {
                let mut reply = Reply::failed(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    format!("more than {limit} requests in a second"),
                );
                reply.headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
                return Some(reply);
            }
            self.recent.push_back(now);
        }
        let fits = |rule: &&mut Failure| {
            rule.path.as_deref().is_none_or(|wanted| wanted == path) && rule.times != Some(0)
        };
        let rule = self.rules.fail.iter_mut().find(fits)?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        let status = StatusCode::from_u16(rule.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        Some(Reply::failed(status, "injected_failure", "this request fails on purpose"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_has_so_many_requests() {
        let mut gate = Gate::new(RestRules { rate_limit: Some(2), fail: Vec::new() });
        let refused = |gate: &mut Gate| gate.refuse("/x", Instant::now()).map(|reply| reply.status.as_u16());
        assert_eq!([refused(&mut gate), refused(&mut gate), refused(&mut gate)], [None, None, Some(429)]);
        tokio::time::advance(SECOND).await;
        assert_eq!(refused(&mut gate), None);
    }

    #[tokio::test]
    async fn failures_count_down_and_keep_to_their_path() {
        let fail = vec![Failure { path: Some("/a".to_owned()), times: Some(2), status: 503 }];
        let mut gate = Gate::new(RestRules { rate_limit: None, fail });
        let mut status = |path: &str| gate.refuse(path, Instant::now()).map(|reply| reply.status.as_u16());
        assert_eq!(status("/b"), None);
        assert_eq!([status("/a"), status("/a"), status("/a")], [Some(503), Some(503), None]);
    }
}
