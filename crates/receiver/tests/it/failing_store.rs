//! A store that fails, or takes long: 503 with `Retry-After`, and well again afterwards.

mod every_step;
mod trouble;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use piopiy_receiver::{
    Append, Entry, GroupCommit, GroupCommitOptions, MemoryStore, Server, ServerOptions, Store, StoreError,
};

use crate::support::{PATIENCE, cdr, client};

/// Fails while it is told to.
struct Failing {
    inner: MemoryStore,
    fails: Arc<AtomicBool>,
}

impl Store for Failing {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Other("the disk is full".into()));
        }
        self.inner.append(batch)
    }
}

/// Waits for a go before each batch, and tells how long the batches are.
struct Stalling {
    inner: MemoryStore,
    go: Mutex<Receiver<()>>,
    lengths: Mutex<Sender<usize>>,
}

impl Store for Stalling {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        self.lengths.lock().unwrap().send(batch.len()).ok();
        self.go.lock().unwrap().recv_timeout(PATIENCE).ok();
        self.inner.append(batch)
    }
}

async fn post(client: &reqwest::Client, server_url: &str, body: String) -> (u16, bool) {
    let response = client.post(server_url).body(body).send().await.unwrap();
    (response.status().as_u16(), response.headers().contains_key("retry-after"))
}

#[tokio::test]
async fn failing() {
    let fails = Arc::new(AtomicBool::new(false));
    let store = Failing { inner: MemoryStore::new(), fails: Arc::clone(&fails) };
    let options = ServerOptions {
        commits: GroupCommitOptions {
            probe_interval: Duration::from_millis(5),
            ..GroupCommitOptions::default()
        },
        ..ServerOptions::default()
    };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    let client = client();
    let ready_url = format!("http://{}/readyz", server.local_addr());
    let ready = async || client.get(&ready_url).send().await.unwrap().status().as_u16();

    assert_eq!(post(&client, &server.url(), cdr("before")).await, (200, false));
    assert_eq!(ready().await, 200);
    fails.store(true, Ordering::SeqCst);
    assert_eq!(post(&client, &server.url(), cdr("while")).await, (503, true));
    assert_eq!(
        post(&client, &server.url(), "nonsense".to_owned()).await,
        (503, true),
        "not quarantined, not lost"
    );
    assert_eq!(ready().await, 503);
    fails.store(false, Ordering::SeqCst);
    // Nothing is posted: the probe finds out.
    let well = async {
        while ready().await != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, well).await.expect("the store is found to work again");
    assert_eq!(post(&client, &server.url(), cdr("while")).await, (200, false));
}

#[tokio::test]
async fn stalling() {
    let (go, wait) = channel();
    let (tell, lengths) = channel();
    let store = Stalling { inner: MemoryStore::new(), go: Mutex::new(wait), lengths: Mutex::new(tell) };
    let options = ServerOptions {
        commits: GroupCommitOptions { max_waiting: 4, ..GroupCommitOptions::default() },
        ..ServerOptions::default()
    };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    let (client, url) = (client(), server.url());
    let post = |call: usize| {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move { post(&client, &url, cdr(&call.to_string())).await })
    };
    let first = post(0);
    let next_length = async |lengths: Receiver<usize>| {
        crate::support::blocking(move || (lengths.recv_timeout(PATIENCE).unwrap(), lengths)).await
    };
    let (alone, lengths) = next_length(lengths).await;
    assert_eq!(alone, 1, "nothing lingers for company");
    // One is in the store's hands, four may wait, so at least one of five more is refused at once.
    let mut others: Vec<_> = (1..=5).map(post).collect();
    let refused = async {
        loop {
            if let Some(at) = others.iter().position(tokio::task::JoinHandle::is_finished) {
                return others.swap_remove(at).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, refused).await.unwrap(), (503, true));
    for _ in 0..8 {
        go.send(()).unwrap();
    }
    assert_eq!(first.await.unwrap(), (200, false));
    for other in others {
        assert_eq!(other.await.unwrap(), (200, false));
    }
    assert_eq!(next_length(lengths).await.0, 4, "what waited is one batch");
}

#[tokio::test]
async fn too_many_bytes_waiting() {
    let (go, wait) = channel();
    let (tell, _lengths) = channel();
    let store = Stalling { inner: MemoryStore::new(), go: Mutex::new(wait), lengths: Mutex::new(tell) };
    let options = ServerOptions {
        commits: GroupCommitOptions { max_waiting_bytes: 1000, ..GroupCommitOptions::default() },
        ..ServerOptions::default()
    };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    let big = format!("{}{}", cdr("big"), " ".repeat(1000));
    assert_eq!(post(&client(), &server.url(), big).await, (503, true));
    go.send(()).unwrap();
    assert_eq!(post(&client(), &server.url(), cdr("small")).await, (200, false));
}

#[tokio::test]
async fn too_slow() {
    let (go, wait) = channel();
    let (tell, _lengths) = channel();
    let store = Stalling { inner: MemoryStore::new(), go: Mutex::new(wait), lengths: Mutex::new(tell) };
    let options = ServerOptions {
        commits: GroupCommitOptions { deadline: Duration::from_millis(20), ..GroupCommitOptions::default() },
        ..ServerOptions::default()
    };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    assert_eq!(post(&client(), &server.url(), cdr("late")).await, (503, true));
    for _ in 0..4 {
        go.send(()).unwrap();
    }
    let kept = async { while post(&client(), &server.url(), cdr("late")).await != (200, false) {} };
    tokio::time::timeout(PATIENCE, kept).await.expect("the retry is acknowledged");
}

/// Takes repeats only, as SQLite on a full disk does.
struct Full {
    inner: MemoryStore,
    full: Arc<AtomicBool>,
}

impl Store for Full {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        let repeats_only = !batch.is_empty() && batch.iter().all(|entry| entry.body() == &cdr("repeat"));
        if self.full.load(Ordering::SeqCst) && !repeats_only {
            return Err(StoreError::Other("the disk is full".into()));
        }
        self.inner.append(batch)
    }
}

async fn ready(server: &Server) -> u16 {
    let url = format!("http://{}/readyz", server.local_addr());
    client().get(url).send().await.unwrap().status().as_u16()
}

async fn until_ready_is(server: &Server, status: u16) {
    let turned = async {
        while ready(server).await != status {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, turned).await.unwrap_or_else(|_| panic!("/readyz never turns {status}"));
}

#[tokio::test]
async fn repeats_do_not_show_that_the_store_works() {
    let full = Arc::new(AtomicBool::new(false));
    let store = Full { inner: MemoryStore::new(), full: Arc::clone(&full) };
    // So long that the probe is not what answers here.
    let commits = GroupCommitOptions { probe_interval: PATIENCE * 10, ..GroupCommitOptions::default() };
    let options = ServerOptions { commits, ..ServerOptions::default() };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    let client = client();
    assert_eq!(post(&client, &server.url(), cdr("repeat")).await, (200, false));
    full.store(true, Ordering::SeqCst);
    assert_eq!(post(&client, &server.url(), cdr("fresh")).await, (503, true));
    assert_eq!(post(&client, &server.url(), cdr("repeat")).await, (200, false), "it is stored");
    assert_eq!(ready(&server).await, 503);
    full.store(false, Ordering::SeqCst);
    assert_eq!(post(&client, &server.url(), cdr("fresh")).await, (200, false));
    assert_eq!(ready(&server).await, 200);
}

#[tokio::test]
async fn repeats_without_a_pause_do_not_put_off_the_probe() {
    let full = Arc::new(AtomicBool::new(false));
    let store = Full { inner: MemoryStore::new(), full: Arc::clone(&full) };
    let commits =
        GroupCommitOptions { probe_interval: Duration::from_millis(20), ..GroupCommitOptions::default() };
    let options = ServerOptions { commits, ..ServerOptions::default() };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    let client = client();
    assert_eq!(post(&client, &server.url(), cdr("repeat")).await, (200, false));
    full.store(true, Ordering::SeqCst);
    assert_eq!(post(&client, &server.url(), cdr("fresh")).await, (503, true));
    full.store(false, Ordering::SeqCst);
    let well = async {
        while ready(&server).await != 200 {
            assert_eq!(post(&client, &server.url(), cdr("repeat")).await, (200, false));
        }
    };
    tokio::time::timeout(PATIENCE, well).await.expect("the store is found to work again");
}

#[tokio::test]
async fn a_store_that_fails_while_nothing_comes_in_is_not_ready() {
    let fails = Arc::new(AtomicBool::new(false));
    let store = Failing { inner: MemoryStore::new(), fails: Arc::clone(&fails) };
    let commits = GroupCommitOptions { probe_interval: Duration::ZERO, ..GroupCommitOptions::default() };
    let options = ServerOptions { commits, ..ServerOptions::default() };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    assert_eq!(ready(&server).await, 200);
    fails.store(true, Ordering::SeqCst);
    // No webhook has to be refused for it.
    until_ready_is(&server, 503).await;
    fails.store(false, Ordering::SeqCst);
    until_ready_is(&server, 200).await;
}

#[tokio::test]
async fn a_store_that_hangs_is_not_ready() {
    let (go, wait) = channel();
    let (tell, _lengths) = channel();
    let store = Stalling { inner: MemoryStore::new(), go: Mutex::new(wait), lengths: Mutex::new(tell) };
    // Nobody looks at a store that has nothing to do.
    let (deadline, probe_interval) = (Duration::from_millis(20), PATIENCE * 10);
    let commits = GroupCommitOptions { deadline, probe_interval, ..GroupCommitOptions::default() };
    let options = ServerOptions { commits, ..ServerOptions::default() };
    let server = Server::builder(store).options(options).bind("127.0.0.1:0").await.unwrap();
    assert_eq!(ready(&server).await, 200);
    assert_eq!(post(&client(), &server.url(), cdr("hangs")).await, (503, true));
    until_ready_is(&server, 503).await;
    go.send(()).unwrap();
    until_ready_is(&server, 200).await;
    assert_eq!(post(&client(), &server.url(), cdr("hangs again")).await, (503, true));
    tokio::time::timeout(PATIENCE, server.shutdown()).await.expect("a store that hangs is left behind");
    drop(go);
}

#[tokio::test]
async fn whoever_asks_while_somebody_looks_waits_for_that_look() {
    let (go, wait) = channel();
    let (tell, looks) = channel();
    let store = Stalling { inner: MemoryStore::new(), go: Mutex::new(wait), lengths: Mutex::new(tell) };
    let options = GroupCommitOptions { probe_interval: Duration::ZERO, ..GroupCommitOptions::default() };
    let commits = GroupCommit::start(store, options);
    let asked = commits.clone();
    let first = tokio::spawn(async move { asked.is_ready().await });
    let begun = crate::support::blocking(move || looks.recv_timeout(PATIENCE)).await;
    assert_eq!(begun, Ok(0), "a look writes nothing");
    assert_eq!(commits.is_ready().now_or_never(), None, "it is not known yet");
    go.send(()).unwrap();
    assert!(first.await.unwrap());
}

/// A store with a bug.
struct Panicking;

impl Store for Panicking {
    fn append(&mut self, _: &[Entry]) -> Result<Vec<Append>, StoreError> {
        panic!("a bug of the store, as this test wants it")
    }
}

#[tokio::test]
async fn a_store_that_panicked_is_not_ready() {
    let commits = GroupCommitOptions {
        max_batch: usize::MAX,
        max_waiting: usize::MAX,
        // Nobody looks at a store that has nothing to do.
        probe_interval: PATIENCE * 10,
        ..GroupCommitOptions::default()
    };
    let options = ServerOptions { commits, ..ServerOptions::default() };
    let server = Server::builder(Panicking).options(options).bind("127.0.0.1:0").await.unwrap();
    assert_eq!(ready(&server).await, 200, "limits without end take no memory");
    assert_eq!(post(&client(), &server.url(), cdr("panics")).await, (503, true));
    until_ready_is(&server, 503).await;
    assert_eq!(post(&client(), &server.url(), cdr("again")).await, (503, true));
    server.shutdown().await;
}
