//! An app that notes what it gets and when, answers as it is told to, and can go away and come back. It runs beside the forwarder,
//! on its runtime and by its time, which may be paused.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use piopiy_receiver::Destination;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// This status.
    Status(u16),
    /// 503, and when to come again, in seconds.
    Later(u64),
    /// 200 after so long.
    After(Duration),
    /// No answer.
    Never,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered(u16),
    /// The connection was closed, whoever did it.
    Closed,
    /// The forwarder was killed.
    Killed,
}

/// A request, as the app saw it. Times are since the log began.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) seq: u64,
    /// What it says itself: the how manieth attempt it is, from 1.
    pub(crate) attempt: u32,
    pub(crate) body: Bytes,
    pub(crate) came: Duration,
    /// None while it is in flight.
    pub(crate) end: Option<(Duration, End)>,
}

impl Request {
    /// When it was acknowledged.
    pub(crate) fn acknowledged(&self) -> Option<Duration> {
        match self.end {
            Some((at, End::Answered(200..300))) => Some(at),
            _ => None,
        }
    }
}

/// What an app got, over several lives of its runtime where need be.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    requests: Vec<Request>,
    /// When this life of the runtime began, by its clock and since the log did.
    began: Option<(Instant, Duration)>,
    killed_at: Option<Duration>,
}

impl Entries {
    fn now(&self) -> Duration {
        let (epoch, before) = self.began.expect("it was told when it began");
        // Whoever dies is asked outside of the runtime, whose clock cannot be read there.
        self.killed_at.unwrap_or_else(|| before + epoch.elapsed())
    }
}

impl Log {
    /// The clock of the current runtime goes on where another's was left.
    pub(crate) fn goes_on(&self, since_the_first: Duration) {
        let mut entries = self.0.lock().unwrap();
        entries.began = Some((Instant::now(), since_the_first));
        entries.killed_at = None;
    }

    /// What is in flight ends by a kill.
    pub(crate) fn killed_at(&self, at: Duration) {
        self.0.lock().unwrap().killed_at = Some(at);
    }

    pub(crate) fn now(&self) -> Duration {
        self.0.lock().unwrap().now()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.0.lock().unwrap().requests.clone()
    }

    pub(crate) fn seqs(&self) -> Vec<u64> {
        self.0.lock().unwrap().requests.iter().map(|request| request.seq).collect()
    }

    fn begin(&self, seq: u64, attempt: u32, body: Bytes) -> (usize, Request) {
        let mut entries = self.0.lock().unwrap();
        let request = Request { seq, attempt, body, came: entries.now(), end: None };
        entries.requests.push(request.clone());
        (entries.requests.len() - 1, request)
    }

    fn end(&self, index: usize, end: End) {
        let mut entries = self.0.lock().unwrap();
        let end = if entries.killed_at.is_some() { End::Killed } else { end };
        let now = entries.now();
        entries.requests[index].end.get_or_insert((now, end));
    }
}

/// Notes that a request ended, whatever ends it.
struct Ending(Arc<Log>, usize);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end(self.1, End::Closed);
    }
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

/// The app. Its address is its own while it is away, too.
pub(crate) struct Stage {
    address: SocketAddr,
    _held: TcpSocket,
    log: Arc<Log>,
    answer: Arc<Answer>,
    serving: Option<JoinHandle<()>>,
}

impl Stage {
    /// An app that is away.
    pub(crate) fn away(log: &Arc<Log>, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let held = socket_at("127.0.0.1:0".parse().unwrap());
        let address = held.local_addr().unwrap();
        Self { address, _held: held, log: Arc::clone(log), answer: Arc::new(answer), serving: None }
    }

    /// An app that is there.
    pub(crate) fn open(log: &Arc<Log>, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let mut stage = Self::away(log, answer);
        stage.comes();
        stage
    }

    pub(crate) fn comes(&mut self) {
        if self.serving.is_none() {
            let listener = socket_at(self.address).listen(128).unwrap();
            self.serving =
                Some(tokio::spawn(serve(listener, Arc::clone(&self.log), Arc::clone(&self.answer))));
        }
    }

    /// Refuses connections, and closes those that it has.
    pub(crate) async fn goes(&mut self) {
        let Some(serving) = self.serving.take() else { return };
        serving.abort();
        drop(serving.await);
        // Until its connections are closed, and the other side has seen that.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    pub(crate) fn destination(&self, name: &str) -> Destination {
        let mut destination = Destination::new(name, &format!("http://{}/", self.address)).unwrap();
        destination.from_start = true;
        destination
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// A socket that is bound and does not listen: who connects is refused, and nobody else gets the port.
fn socket_at(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

/// Serves until it is aborted; its connections are closed with it.
async fn serve(listener: TcpListener, log: Arc<Log>, answer: Arc<Answer>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
        let service = service_fn(move |request| handle(request, Arc::clone(&log), Arc::clone(&answer)));
        let connection =
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn handle(
    request: hyper::Request<Incoming>,
    log: Arc<Log>,
    answer: Arc<Answer>,
) -> Result<hyper::Response<Full<Bytes>>, hyper::Error> {
    let number = |name: &str| request.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
    let (seq, attempt) = (number("piopiy-seq"), number("piopiy-attempt"));
    let body = request.into_body().collect().await?.to_bytes();
    let (index, request) = log.begin(seq, u32::try_from(attempt).unwrap(), body);
    let ending = Ending(Arc::clone(&log), index);
    let mut response = hyper::Response::new(Full::default());
    let status = match answer(&request) {
        Reply::Status(status) => status,
        Reply::Later(seconds) => {
            response.headers_mut().insert("retry-after", seconds.into());
            503
        }
        Reply::After(time) => {
            tokio::time::sleep(time).await;
            200
        }
        Reply::Never => std::future::pending().await,
    };
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
    log.end(index, End::Answered(status));
    drop(ending);
    Ok(response)
}
