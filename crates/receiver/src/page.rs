//! The page: what the store holds, for people to look at, and the little that they may do about it.
//!
//! It has a port of its own, so that what exposes the webhooks' does not expose it. It reads by a connection of its own,
//! a page of records at a time, one look at a time: nothing here is on the way of an acknowledgement. What it does goes
//! through the group commit, and the forwarder's file, as everything else does.

mod ask;
mod calls;
mod failure;
mod forwarding;
mod guard;
mod layout;
mod live;
mod quarantine;
mod record;
mod rungs;
mod webhooks;
mod window;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};
use piopiy_ladder::POLICY;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::failure::PageError;
use self::window::{Looked, Recent};
use crate::{Authentication, DestinationStatus, ForwardState, GroupCommit, ReadLimits, Records, Token};

/// Pages that are kept up to date at once.
const WATCHERS: usize = 64;
/// No page of another origin takes in what is here, not even as a picture.
const SAME_ORIGIN: (HeaderName, HeaderValue) =
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
const STYLE: &str = include_str!("page/style.css");

/// A page on which people look at calls, webhooks and what is in quarantine, and at how forwarding goes; see
/// [`ServerBuilder::page`](crate::ServerBuilder::page).
///
/// Whoever gets to see it sees phone numbers, and may have webhooks delivered again. So without a token it answers nobody
/// but browsers and programs on this machine, and refuses to listen beyond it. It speaks TLS where the server does.
///
/// # Examples
/// ```
/// use piopiy_receiver::{MemoryStore, Page, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let page = Page::on(piopiy_receiver::listen("127.0.0.1:0").await?).token("s3cret".parse()?);
/// let server = Server::builder(MemoryStore::new()).page(page).bind("127.0.0.1:0").await?;
/// println!("look at {}", server.page_url().unwrap_or_default());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Page {
    listener: TcpListener,
    token: Option<Token>,
    records: Option<Arc<dyn Records>>,
}

impl Page {
    /// Connections to it at once; a browser has six.
    pub const MOST_CONNECTIONS: usize = 128;

    /// A page for those who connect to a listener.
    pub fn on(listener: TcpListener) -> Self {
        Self { listener, token: None, records: None }
    }

    /// Asks for this token: as the password of any user, or as `Authorization: Bearer`.
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Reads by this, so that nobody else who reads the store has to wait for the page.
    pub fn records(mut self, records: Arc<dyn Records>) -> Self {
        self.records = Some(records);
        self
    }

    /// Whether it reads by what the server reads by.
    pub(crate) fn needs_records(&self) -> bool {
        self.records.is_none()
    }

    /// The page, if it may be shown where it listens.
    pub(crate) fn checked(self, records: Option<Arc<dyn Records>>) -> io::Result<Shown> {
        let address = self.listener.local_addr()?;
        if !address.ip().is_loopback() && self.token.is_none() {
            let text = format!(
                "the page at {address} can be reached from other machines: give it a token, or a loopback address"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let records = self.records.or(records).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a page needs a store whose records can be read")
        })?;
        Ok(Shown { address, listener: self.listener, token: self.token, records })
    }
}

/// A page that may be shown.
#[derive(Debug)]
pub(crate) struct Shown {
    address: SocketAddr,
    listener: TcpListener,
    token: Option<Token>,
    records: Arc<dyn Records>,
}

/// What a page needs of the server.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) commits: GroupCommit,
    pub(crate) read: ReadLimits,
    pub(crate) authentication: Authentication,
    pub(crate) is_forwarding: bool,
    /// Where the forwarder's state is, unless that is in memory.
    pub(crate) state_file: Option<Arc<Path>>,
    pub(crate) stop: CancellationToken,
    pub(crate) is_tls: bool,
}

/// What all of its pages are made of.
#[derive(Debug)]
struct Pages {
    recent: Recent,
    token: Option<Token>,
    parts: Parts,
    /// One looks at a time: however many pages are open, they take no more than one core.
    looking: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
    /// What there was when it was looked at last for those who wait for news.
    latest: Mutex<Option<(Instant, live::Version)>>,
}

impl Shown {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What answers, and where.
    pub(crate) fn router(self, parts: Parts) -> (Router, TcpListener) {
        if !self.address.ip().is_loopback() && !parts.is_tls {
            tracing::warn!(
                "the page can be reached from other machines, and its token and what it shows pass in the clear; see --tls-cert"
            );
        }
        let pages = Arc::new(Pages {
            recent: Recent::new(self.records),
            token: self.token,
            parts,
            looking: Arc::new(Semaphore::new(1)),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            latest: Mutex::default(),
        });
        let router = Router::new()
            .route("/", get(calls::list))
            .route("/call", get(calls::list))
            .route("/webhooks", get(webhooks::list))
            .route("/record", get(record::one))
            .route("/record/body", get(record::body))
            .route("/quarantine", get(quarantine::list).post(quarantine::read_again))
            .route("/forwarding", get(forwarding::list).post(forwarding::act))
            .route("/events", get(live::events))
            .fallback(|| async { PageError::NotThere("There is no such page.".to_owned()) })
            .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "not that way\n") })
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&pages), guard::guard))
            .route("/ladder.css", get(|| async { fixed("text/css; charset=utf-8", piopiy_ladder::STYLE) }))
            .route("/page.css", get(|| async { fixed("text/css; charset=utf-8", STYLE) }))
            .route(
                "/ladder.js",
                get(|| async { fixed("text/javascript; charset=utf-8", piopiy_ladder::SCRIPT) }),
            )
            .with_state(pages);
        (router, self.listener)
    }
}

impl Pages {
    /// Looks at the records up to one, or at the last ones, on a thread that may wait for the disk.
    async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        before: Option<u64>,
        look: impl FnOnce(&Self, &Looked<'_>) -> Result<T, PageError> + Send + 'static,
    ) -> Result<T, PageError> {
        self.see(move |pages| pages.recent.look(before, |window| look(pages, window))?).await
    }

    /// Sees something when it is its turn, on a thread that may wait for the disk.
    async fn see<T: Send + 'static>(
        self: &Arc<Self>,
        see: impl FnOnce(&Self) -> Result<T, PageError> + Send + 'static,
    ) -> Result<T, PageError> {
        let turn = Arc::clone(&self.looking).acquire_owned().await?;
        let pages = Arc::clone(self);
        let seen = tokio::task::spawn_blocking(move || {
            // Until it is done, though whoever asked may be gone.
            let _turn = turn;
            see(&pages)
        });
        seen.await?
    }

    /// The forwarder's state, to look at; `None` where nothing is forwarded, or the state is in memory.
    fn forward_state(&self) -> Result<Option<ForwardState>, PageError> {
        Ok(self.forward_file().map(ForwardState::open_to_read).transpose()?)
    }

    fn forward_file(&self) -> Option<&Path> {
        self.parts.state_file.as_deref().filter(|path| path.exists())
    }

    fn destinations(&self) -> Result<Vec<DestinationStatus>, PageError> {
        match self.forward_state()? {
            Some(state) => Ok(state.status()?),
            None => Ok(Vec::new()),
        }
    }
}

fn fixed(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// A page, with what it may load and do.
fn html(status: StatusCode, text: String) -> Response {
    let mut answer = (status, axum::response::Html(text)).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(SAME_ORIGIN.0, SAME_ORIGIN.1);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}
