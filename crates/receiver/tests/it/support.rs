//! What the tests share: a server on a free port, webhooks, a raw socket.

pub(crate) mod held;
pub(crate) mod postgres;
pub(crate) mod stage;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use piopiy_events::Webhook;
use piopiy_receiver::{
    Authentication, Entry, MemoryStore, OpenStore, Record, Records, Server, ServerOptions, StoreError,
    StoreLocation,
};
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for anything that works, on a machine that does other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a child a signal; by the system itself, for not every machine has `kill`.
pub(crate) fn signal(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A server on a memory store, and what it keeps.
pub(crate) struct Running {
    pub(crate) server: Server,
    pub(crate) records: Arc<dyn Records>,
    pub(crate) client: reqwest::Client,
}

impl Running {
    pub(crate) async fn start(options: ServerOptions) -> Self {
        Self::start_with(options, Authentication::new()).await
    }

    pub(crate) async fn start_with(options: ServerOptions, authentication: Authentication) -> Self {
        let mut store = MemoryStore::new();
        let records = store.records();
        Self::serve(OpenStore::new(store, Some(records)), options, authentication).await
    }

    pub(crate) async fn start_at(location: &StoreLocation, options: ServerOptions) -> Self {
        Self::serve(open(location), options, Authentication::new()).await
    }

    async fn serve(store: OpenStore, options: ServerOptions, authentication: Authentication) -> Self {
        let records = Arc::clone(store.records.as_ref().unwrap());
        let server = Server::builder(store)
            .options(options)
            .authentication(authentication)
            .bind("127.0.0.1:0")
            .await
            .unwrap();
        Self { server, records, client: client() }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.addr())
    }

    /// Posts a body to the webhook path; the status and the text of the answer.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let response = self.client.post(self.server.url()).body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn get(&self, path_and_query: &str) -> (u16, String) {
        let response = self.client.get(self.url(path_and_query)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) fn kept(&self) -> Vec<Record> {
        self.records.after(0, usize::MAX).unwrap()
    }
}

/// Opens a store.
pub(crate) fn open(location: &StoreLocation) -> OpenStore {
    once_free(|| location.open(true))
}

/// Opens a store that may have been closed just now. A process that another test is just starting has every open file
/// until it becomes its program, the lock of a store that was closed here included.
pub(crate) fn once_free<T>(mut open: impl FnMut() -> Result<T, StoreError>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        match open() {
            Err(StoreError::InUse { .. }) if Instant::now() < until => {
                std::thread::park_timeout(Duration::from_millis(5));
            }
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// The CDR of leg a of a missed call.
pub(crate) fn cdr(cmiuuid: &str) -> String {
    format!(
        r#"{{"to":440000000000,"appid":2222222,"time":1632317071000,"from":440000000001,"direction":"inbound","duration":0,"cmiuuid":"{cmiuuid}","conversation_uuid":"{cmiuuid}","leg":"a","status":"missed"}}"#
    )
}

/// A live event of leg b.
pub(crate) fn stream_connected(cmiuuid: &str, time: u64) -> String {
    format!(
        r#"{{"appid":2222224,"leg":"b","status":"stream_connected","time":{time},"cmiuuid":"{cmiuuid}"}}"#
    )
}

/// An entry with this body, which is a webhook.
pub(crate) fn entry(body: &str) -> Entry {
    let identity = Webhook::parse(body.as_bytes()).unwrap().identity().unwrap();
    Entry::webhook(&identity, body.to_owned().into(), 1_700_000_000_000_000)
}

/// A raw connection to a server.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn to(addr: SocketAddr) -> Self {
        let socket = TcpStream::connect(addr).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn end(&self) {
        self.0.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// All that the server sends until it closes the connection.
    pub(crate) fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            Ok(_) => {}
            // A server that closes with bytes unread resets the connection.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server keeps the connection open: {error}"),
        }
        String::from_utf8(bytes).unwrap()
    }

    /// What the server sends, until the text ends so.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with(end) {
            assert_ne!(self.0.read(&mut byte).unwrap(), 0, "closed after {text:?}");
            text.push(char::from(byte[0]));
        }
        text
    }
}

/// A request as bytes, with length and connection headers as asked for.
pub(crate) fn raw_post(body: &str, more_headers: &str) -> String {
    let length = body.len();
    format!("POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{more_headers}\r\n{body}")
}

/// Runs something that blocks while the server's tasks go on.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
