//! Traces for OpenTelemetry: a span for each webhook, sent to a collector as OTLP over HTTP, in JSON.
//!
//! Of the protocol this is a few members of one message; the libraries for it would be a third of the whole program.

mod export;
mod parent;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{HeaderMap, StatusCode};
use reqwest::Url;
use tokio::sync::mpsc;

pub(crate) use self::export::Export;
use self::parent::Parent;
use crate::clock::now_micros;
use crate::forward::shown;

/// Where traces go, and how many.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Traces {
    /// The collector's address, `http` only; `/v1/traces` unless it has a path.
    pub collector: Url,
    /// The part of webhooks that is traced, from 0 to 1; default 1. A request that comes with a `traceparent` is traced if
    /// that says so, and as a part of that trace.
    pub ratio: f64,
}

/// Why traces cannot be sent there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is no collector's address: expected such as http://127.0.0.1:4318")]
#[non_exhaustive]
pub struct InvalidCollector {
    /// What was given, up to where there may be a secret in it.
    pub url: String,
}

/// Of the URL only where it leads to: user and password may be in it.
impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let collector = self.collector.origin().ascii_serialization();
        f.debug_struct("Traces").field("collector", &collector).field("ratio", &self.ratio).finish()
    }
}

impl Traces {
    /// Traces of all webhooks.
    ///
    /// # Errors
    /// Where that is no URL of `http`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_receiver::Traces;
    ///
    /// assert_eq!(Traces::to("http://127.0.0.1:4318")?.collector.path(), "/v1/traces");
    /// assert!(Traces::to("127.0.0.1:4318").is_err());
    /// # Ok::<(), piopiy_receiver::InvalidCollector>(())
    /// ```
    pub fn to(collector: &str) -> Result<Self, InvalidCollector> {
        let invalid = || InvalidCollector { url: shown(collector) };
        let mut url = Url::parse(collector).map_err(|_| invalid())?;
        if url.scheme() != "http" {
            return Err(invalid());
        }
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Ok(Self { collector: url, ratio: 1.0 })
    }
}

/// Spans that wait to be sent; what comes beyond is dropped, for no webhook waits for a collector.
const ROOM: usize = 4096;

/// Characters of a value that are told; nothing that PIOPIY sends is as long.
const LONGEST_VALUE: usize = 128;

/// Begins spans.
#[derive(Debug, Clone)]
pub(crate) struct Tracer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ratio: f64,
    ids: Ids,
    finished: mpsc::Sender<Span>,
    dropped: Arc<AtomicU64>,
}

/// Makes ids that nobody can foresee, each once.
#[derive(Debug, Default)]
struct Ids {
    secrets: [RandomState; 2],
    count: AtomicU64,
}

impl Ids {
    fn next(&self) -> [u64; 2] {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        // No id is 0.
        self.secrets.each_ref().map(|secret| secret.hash_one(count).max(1))
    }
}

/// What is told of one request.
#[derive(Debug)]
pub(crate) struct Span {
    tracer: Tracer,
    trace: u128,
    id: u64,
    parent: Option<u64>,
    /// In nanoseconds since the epoch.
    began: i64,
    clock: Instant,
    ended: i64,
    attributes: Vec<(&'static str, String)>,
    steps: Vec<Step>,
    status: StatusCode,
}

/// A part of it.
#[derive(Debug)]
struct Step {
    name: &'static str,
    id: u64,
    began: i64,
    ended: i64,
}

impl Tracer {
    /// A tracer, and what sends what it has traced.
    pub(crate) fn new(traces: Traces) -> reqwest::Result<(Self, Export)> {
        let (finished, spans) = mpsc::channel(ROOM);
        let dropped = Arc::new(AtomicU64::new(0));
        let export = Export::new(traces.collector, spans, Arc::clone(&dropped))?;
        let ids = Ids::default();
        Ok((Self(Arc::new(Shared { ratio: traces.ratio, ids, finished, dropped })), export))
    }

    /// Begins the span of a request, if that is to be traced.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Option<Span> {
        let parent = Parent::of(headers);
        let [own, id] = self.0.ids.next();
        #[expect(clippy::cast_precision_loss, reason = "a share, not an id")]
        let is_chosen = || (own as f64) < self.0.ratio * u64::MAX as f64;
        if !parent.as_ref().map_or_else(is_chosen, |parent| parent.is_sampled) {
            return None;
        }
        let [other, _] = self.0.ids.next();
        Some(Span {
            tracer: self.clone(),
            trace: parent.as_ref().map_or(u128::from(own) << 64 | u128::from(other), |parent| parent.trace),
            id,
            parent: parent.map(|parent| parent.span),
            began: now_micros().saturating_mul(1000),
            clock: Instant::now(),
            ended: 0,
            attributes: Vec::new(),
            steps: Vec::new(),
            status: StatusCode::OK,
        })
    }
}

impl Span {
    fn now(&self) -> i64 {
        let elapsed = i64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.began.saturating_add(elapsed)
    }

    /// Notes that a part is over, which began where the one before ended.
    pub(crate) fn step(&mut self, name: &'static str) {
        let began = self.steps.last().map_or(self.began, |step| step.ended);
        let [_, id] = self.tracer.0.ids.next();
        self.steps.push(Step { name, id, began, ended: self.now() });
    }

    /// Notes a value, of which a long one is cut: what a sender puts there may be as long as a body, and many spans wait.
    pub(crate) fn note(&mut self, key: &'static str, value: &str) {
        self.attributes.push((key, value.chars().take(LONGEST_VALUE).collect()));
    }

    /// Hands it over to be sent.
    pub(crate) fn end(mut self, status: StatusCode) {
        self.ended = self.now();
        self.status = status;
        let tracer = self.tracer.clone();
        if tracer.0.finished.try_send(self).is_err() {
            tracer.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Traces;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        let shown = format!("{:?}", Traces::to("http://user:s3cret@h:4318/?key=s3cret").unwrap());
        assert!(shown.contains("http://h:4318") && !shown.contains("s3cret"), "{shown}");
        for wrong in
            ["https://user:s3cret@h", "user:s3cret@h", "http://user:s3cret@h:x", "ftp://h?key=s3cret"]
        {
            let error = Traces::to(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
