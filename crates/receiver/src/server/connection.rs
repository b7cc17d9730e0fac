//! Accepting connections, and serving each on a task of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::deadline::{Activity, DeadlineLimits, Doing, Watched};
use super::head::fault_of;
use super::long_answer::LongAnswer;
use super::proxies;
use super::routes::{self, App};
use super::slots::Slots;
use super::stream::Stream;
use crate::IpRange;
use crate::auth::NotAuthenticated;
use crate::metrics::{Counted, Metrics, Refusal};

/// What all connections share.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    router: Router,
    http: http1::Builder,
    limits: DeadlineLimits,
    /// The longest that somebody may take once it is to stop of whom no request is known.
    graces: Duration,
    stop: CancellationToken,
    cut: CancellationToken,
    hand_over: CancellationToken,
    metrics: Metrics,
    trusted_proxies: Arc<[IpRange]>,
    tls: Option<TlsAcceptor>,
}

/// What ends connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Ends {
    /// Nobody is accepted any more, and each ends once its request is answered.
    pub(super) stop: CancellationToken,
    /// All end.
    pub(super) cut: CancellationToken,
    /// Before the stop: those who wait to be accepted are another's, who listens on the same socket.
    pub(super) hand_over: CancellationToken,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// How long accepting rests when the system has no more files to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often it is told that nothing can be accepted.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// So long who has sent nothing, as far as is known, is listened to once it is to stop: what was sent before is there, and is
/// seen as soon as somebody looks.
const LAST_LOOK: Duration = Duration::from_millis(100);

/// So long a handshake may go on once it is to stop.
const LAST_HANDSHAKE: Duration = Duration::from_secs(1);

/// Failures to accept, which come by the dozen per second where they come.
#[derive(Debug, Default)]
struct Complaints {
    times: u64,
    told: Option<Instant>,
}

impl Complaints {
    /// Counts one more; how many there were since it was told last, where it is to be told now.
    fn next(&mut self, now: Instant) -> Option<u64> {
        self.times += 1;
        if self.told.is_some_and(|told| now - told < COMPLAIN_EVERY) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

impl Connections {
    /// Those that webhooks come by.
    pub(super) fn new(app: &Arc<App>, tls: Option<TlsAcceptor>, ends: Ends) -> Self {
        Self::to(routes::router(app), app, app.metrics.clone(), tls, ends)
    }

    /// Those to another router, under the same limits.
    pub(super) fn to(
        router: Router,
        app: &App,
        metrics: Metrics,
        tls: Option<TlsAcceptor>,
        ends: Ends,
    ) -> Self {
        let Ends { stop, cut, hand_over } = ends;
        let options = &app.options;
        let mut http = http1::Builder::new();
        // No `pipeline_flush`: it withholds the 400 for a broken head while there are bytes after it.
        http.half_close(true)
            // Deadlines are kept by `Activity`.
            .header_read_timeout(None)
            .max_header_size(options.max_head_bytes)
            .max_buf_size(options.max_head_bytes.max(8192));
        Self(Arc::new(Shared {
            router,
            http,
            limits: DeadlineLimits { header: options.header_deadline, idle: options.idle_deadline },
            // A part of it, or they alone would use it up.
            graces: options.drain_deadline / 4,
            stop,
            cut,
            hand_over,
            metrics,
            trusted_proxies: options.trusted_proxies.clone().into(),
            tls,
        }))
    }

    /// Accepts until told to stop, no more at a time than there are slots; then those who wait for that already.
    pub(super) async fn accept(self, listener: TcpListener, slots: Arc<Slots>, tasks: TaskTracker) {
        let stop = self.0.stop.clone();
        let mut complaints = Complaints::default();
        loop {
            let accepted = async {
                let slot = slots.next().await;
                (listener.accept().await, slot)
            };
            let Some((accepted, slot)) = stop.run_until_cancelled(accepted).await else {
                break;
            };
            match accepted {
                Ok((socket, peer)) => {
                    tasks.spawn(self.clone().serve(socket, peer, slot, Arc::clone(&slots)));
                }
                Err(error) => {
                    if let Some(times) = complaints.next(Instant::now()) {
                        tracing::warn!(%error, times, "cannot accept a connection; check the limit on open files (ulimit -n)");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        if !self.0.hand_over.is_cancelled() {
            self.accept_queued(listener, &slots, &tasks);
        }
    }

    /// Serves who has connected before the stop, as far as there are slots: the system resets the others, and the webhooks that
    /// they have sent with them.
    fn accept_queued(&self, listener: TcpListener, slots: &Arc<Slots>, tasks: &TaskTracker) {
        let Ok(listener) = listener.into_std() else { return };
        while let Some(slot) = slots.try_next() {
            let (socket, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                // The next may be well.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => return,
            };
            if socket.set_nonblocking(true).is_ok()
                && let Ok(socket) = TcpStream::from_std(socket)
            {
                tasks.spawn(self.clone().serve(socket, peer, Some(slot), Arc::clone(slots)));
            }
        }
    }

    async fn serve(
        self,
        socket: TcpStream,
        peer: SocketAddr,
        slot: Option<OwnedSemaphorePermit>,
        slots: Arc<Slots>,
    ) {
        let shared = self.0;
        let _open = Counted::in_gauge(&shared.metrics.connections);
        // An answer is one small packet: Nagle's algorithm would hold it back.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let activity = Arc::new(Activity::new(shared.limits));
        // Handshake and first head have one deadline, which `activity` counts from here.
        let Some(stream) = shared.stream(socket).await else {
            return;
        };
        let service = ConnectionService {
            router: shared.router.clone(),
            peer,
            activity: Arc::clone(&activity),
            metrics: shared.metrics.clone(),
            trusted_proxies: Arc::clone(&shared.trusted_proxies),
            slots,
        };
        let watched = Watched::new(stream, Arc::clone(&activity));
        let mut connection = pin!(shared.http.serve_connection(TokioIo::new(watched), service));
        let mut alarm = pin!(tokio::time::sleep(shared.limits.header));
        let mut stopped = pin!(shared.stop.cancelled());
        let mut cut = pin!(shared.cut.cancelled());
        let mut stopping = false;
        let mut last_look = None;
        loop {
            let event = poll_fn(|context| {
                if let Poll::Ready(outcome) = connection.as_mut().poll(context) {
                    return Poll::Ready(Event::Ended(outcome));
                }
                if !stopping && stopped.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Event::Stop);
                }
                if stopping && cut.as_mut().poll(context).is_ready() {
                    return Poll::Ready(Event::Cut);
                }
                // It moves back as a rule, which can wait until the alarm goes off.
                if let Some(deadline) = activity.deadline().filter(|deadline| *deadline < alarm.deadline()) {
                    alarm.as_mut().reset(deadline);
                }
                alarm.as_mut().poll(context).map(|()| Event::Alarm)
            });
            match event.await {
                Event::Ended(outcome) => {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "connection ended");
                    }
                    break;
                }
                Event::Stop if activity.doing() == Doing::Fresh => {
                    stopping = true;
                    let until = Instant::now() + LAST_LOOK.min(shared.graces);
                    last_look = Some(until);
                    alarm.as_mut().reset(until);
                }
                Event::Cut => break,
                Event::Stop => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                Event::Alarm => {
                    let now = Instant::now();
                    if last_look.take_if(|until| *until <= now).is_some() {
                        if activity.doing() == Doing::Fresh {
                            break;
                        }
                        connection.as_mut().graceful_shutdown();
                    }
                    let next = match activity.deadline() {
                        Some(deadline) if deadline <= now => {
                            tracing::debug!(doing = ?activity.doing(), "connection closed at its deadline");
                            break;
                        }
                        Some(deadline) => deadline,
                        None => now + shared.limits.idle,
                    };
                    alarm.as_mut().reset(last_look.map_or(next, |until| until.min(next)));
                }
            }
        }
        drop(slot);
    }
}

impl Shared {
    /// The connection, behind TLS where that is spoken; `None` where it came to none.
    async fn stream(&self, socket: TcpStream) -> Option<Stream> {
        let Some(acceptor) = &self.tls else {
            return Some(Stream::Plain(socket));
        };
        let handshake = tokio::time::timeout(self.limits.header, acceptor.accept(socket));
        let late = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_HANDSHAKE.min(self.graces)).await;
        };
        let outcome = tokio::select! {
            outcome = handshake => outcome,
            () = late => return None,
            () = self.cut.cancelled() => return None,
        };
        match outcome {
            Ok(Ok(stream)) => Some(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                self.metrics.refuse(Refusal::handshake);
                tracing::debug!(%error, "no TLS handshake");
                None
            }
            Err(_) => {
                self.metrics.refuse(Refusal::handshake);
                tracing::debug!("no TLS handshake within the deadline for a head");
                None
            }
        }
    }
}

/// What a connection's task wakes up for.
enum Event {
    Ended(hyper::Result<()>),
    /// It is to end once its request is answered.
    Stop,
    /// It is to end.
    Cut,
    Alarm,
}

/// Hands the requests of one connection to the router.
struct ConnectionService {
    router: Router,
    peer: SocketAddr,
    activity: Arc<Activity>,
    metrics: Metrics,
    trusted_proxies: Arc<[IpRange]>,
    slots: Arc<Slots>,
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.activity.now(Doing::Request);
        let activity = Arc::clone(&self.activity);
        if let Some((refusal, text)) = fault_of(&request) {
            self.metrics.refuse(refusal);
            activity.now(Doing::Closing);
            let mut response = (StatusCode::BAD_REQUEST, text).into_response();
            close_after(&mut response);
            return Box::pin(std::future::ready(Ok(response)));
        }
        let has_body = !request.body().is_end_stream();
        let is_post = request.method() == Method::POST;
        let mut request = request.map(Body::new);
        let client = proxies::client(self.peer, request.headers(), &self.trusted_proxies);
        request.extensions_mut().insert(ConnectInfo(client));
        let response = self.router.clone().call(request);
        let metrics = self.metrics.clone();
        let slots = Arc::clone(&self.slots);
        Box::pin(async move {
            let mut response = response.await?;
            // Whoever comes waits for a slot, and it could keep its own for ever by asking now and then. Who brings webhooks may.
            let brings_webhooks = is_post && response.status() == StatusCode::OK;
            if slots.is_awaited() && !brings_webhooks {
                close_after(&mut response);
            }
            let is_refused = response.extensions().get::<NotAuthenticated>().is_some();
            if is_refused || response.status() == StatusCode::TOO_MANY_REQUESTS {
                tracing::debug!(client = %client.ip(), status = response.status().as_u16(), "refused");
            }
            if is_refused {
                metrics.refuse(Refusal::unauthorised);
            }
            // Only a webhook's body is read, and the next request cannot be found behind one that was not.
            let nobody_reads = matches!(
                response.status(),
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::TOO_MANY_REQUESTS
            );
            if has_body && (is_refused || nobody_reads || !is_post) {
                close_after(&mut response);
            }
            let closes = response.headers().get(header::CONNECTION).is_some_and(|value| value == "close");
            let then = if closes { Doing::Closing } else { Doing::Idle };
            if response.body().size_hint().exact().is_none() {
                return Ok(response.map(|body| Body::new(LongAnswer::new(body, activity, then))));
            }
            activity.now(then);
            Ok(response)
        })
    }
}

fn close_after(response: &mut Response) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_rare_and_lose_no_count() {
        let mut complaints = Complaints::default();
        let start = Instant::now();
        let told: Vec<_> = (0..500).map(|tick| complaints.next(start + ACCEPT_PAUSE * tick)).collect();
        let told: Vec<_> = told.into_iter().flatten().collect();
        assert_eq!(told, [1, 200, 200]);
    }
}
