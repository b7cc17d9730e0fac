//! A store that fails or hangs at every step that there is, from the n-th time that it is opened, written to or read until it is
//! mended, with a server and a forwarder on top. What was acknowledged is there once, and is forwarded once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use piopiy_receiver::{
    ForwardState, GroupCommitOptions, OpenStore, Records, Server, ServerOptions, StoreLocation,
};
use tokio::net::TcpListener;

use super::trouble::{Fault, Faulty, Lasting, Medium, Operation, Trouble};
use crate::support::held::HeldTime;
use crate::support::stage::{Log, Reply, Stage};
use crate::support::{PATIENCE, blocking, cdr, client, stream_connected};

const DEADLINE: Duration = Duration::from_millis(20);

fn options() -> ServerOptions {
    let long = Duration::from_secs(24 * 3600);
    ServerOptions {
        header_deadline: long,
        idle_deadline: long,
        drain_deadline: long,
        commits: GroupCommitOptions {
            deadline: DEADLINE,
            probe_interval: Duration::from_millis(5),
            ..GroupCommitOptions::default()
        },
        ..ServerOptions::default()
    }
}

/// One run of a short story.
struct Story<'a> {
    time: &'a HeldTime,
    folder: &'a Path,
    medium: Medium,
    trouble: Arc<Trouble>,
    /// Whether the receiver is stopped while the store fails, and started once it is mended.
    is_stopped: bool,
    log: Arc<Log>,
    app: Stage,
    client: reqwest::Client,
    server: Option<Server>,
}

impl Story<'_> {
    fn state(&self) -> ForwardState {
        ForwardState::open(self.folder.join("state")).unwrap()
    }

    /// Starts a server; a store that does not open is mended.
    async fn begin(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.server.is_none() {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let (medium, trouble, state) = (self.medium.clone(), Arc::clone(&self.trouble), self.state());
            let mut destination = self.app.destination("app");
            destination.first_backoff = Duration::from_millis(40);
            let mut starting = std::pin::pin!(blocking(move || {
                let opened = trouble.during(Operation::Open, || Ok(medium.open()));
                let OpenStore { store, records, .. } = opened.map_err(io::Error::other)?;
                let store = Faulty { trouble: Arc::clone(&trouble), inner: store };
                let records: Arc<dyn Records> = Arc::new(Faulty { trouble, inner: records.unwrap() });
                let open = OpenStore::new(store, Some(records));
                Server::builder(open).options(options()).forward(state, vec![destination]).serve(listener)
            }));
            let started = tokio::select! {
                started = &mut starting => started,
                () = self.trouble.hangs() => {
                    self.trouble.mend();
                    starting.await
                }
            };
            match started {
                Ok(server) => self.server = Some(server),
                // A process that another test is just starting has the lock until it becomes its program.
                Err(error) if error.to_string().starts_with("another receiver") && Instant::now() < until => {
                }
                Err(error) => {
                    assert!(self.trouble.is_there(), "{error}");
                    self.trouble.mend();
                }
            }
        }
    }

    async fn end(&mut self) {
        self.server.take().expect("it runs").shutdown().await;
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.server.as_ref().expect("it runs").local_addr());
        let response = self.client.get(url).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// No time passes meanwhile: it is the store's thread that is waited for.
    async fn until_ready_is(&self, status: u16) {
        let until = Instant::now() + PATIENCE;
        while self.get("/readyz").await.0 != status {
            assert!(Instant::now() < until, "/readyz never turns {status}");
            tokio::task::yield_now().await;
        }
    }

    /// Posts a body until it is acknowledged.
    async fn post(&mut self, body: &str) {
        loop {
            let url = self.server.as_ref().expect("it runs").url();
            let mut answer = std::pin::pin!(self.client.post(url).body(body.to_owned()).send());
            let may_hang = self.trouble.operation == Operation::Append && !self.trouble.has_come();
            let response = tokio::select! {
                response = &mut answer => response,
                () = self.trouble.hangs(), if may_hang => {
                    // Nobody waits for longer than that.
                    self.time.pass(DEADLINE + Duration::from_millis(1)).await;
                    answer.await
                }
            };
            let response = response.unwrap();
            if matches!(response.status().as_u16(), 200 | 202) {
                return;
            }
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key("retry-after"));
            self.is_told_and_mended().await;
        }
    }

    /// Webhooks are refused: whoever looks sees why, and once it is mended all is well.
    async fn is_told_and_mended(&mut self) {
        let is_expected = self.trouble.operation == Operation::Append && self.trouble.is_there();
        assert!(is_expected, "refused, and nothing was wrong");
        self.until_ready_is(503).await;
        let reason = if self.trouble.fault == Fault::Hangs { "store_too_slow" } else { "store_failed" };
        let metrics = self.get("/metrics").await.1;
        let refused = format!("piopiy_receiver_refused_total{{reason=\"{reason}\"}} 1\n");
        assert!(metrics.contains(&refused), "{metrics}");
        if self.is_stopped {
            self.end().await;
            self.trouble.mend();
            self.begin().await;
        } else {
            self.trouble.mend();
            self.until_ready_is(200).await;
        }
    }

    /// Whatever does not work while nothing comes in has some time to show that, and is mended.
    async fn look(&mut self) {
        if self.trouble.is_there() {
            self.until_ready_is(200).await;
            self.time.pass(Duration::from_secs(3)).await;
            self.trouble.mend();
        }
    }

    /// Waits until all is forwarded that is stored.
    async fn settle(&mut self, webhooks: usize) {
        let state = self.state();
        let until = Instant::now() + PATIENCE;
        let acknowledged = |log: &Log| log.requests().iter().filter(|it| it.acknowledged().is_some()).count();
        while acknowledged(&self.log) < webhooks || state.status().unwrap()[0].unsettled > 0 {
            assert!(Instant::now() < until, "not forwarded: {:?} {:?}", state.status(), self.log.requests());
            self.time.pass(Duration::from_millis(20)).await;
            self.look().await;
        }
        // What is done is saved.
        self.time.pass(Duration::from_millis(300)).await;
        self.look().await;
    }
}

/// Tells the story, and whether there was any trouble.
async fn tell(
    time: &HeldTime,
    medium: Medium,
    folder: &Path,
    trouble: &Arc<Trouble>,
    is_stopped: bool,
) -> bool {
    let log = Arc::<Log>::default();
    log.goes_on(Duration::ZERO);
    // Some fail at first, and are read again.
    let app = Stage::open(&log, |request| {
        Reply::Status(if request.seq % 3 == 2 && request.attempt == 1 { 500 } else { 200 })
    });
    let (trouble, client) = (Arc::clone(trouble), client());
    let mut story = Story { time, folder, medium, trouble, is_stopped, log, app, client, server: None };
    let webhooks =
        [cdr("one"), stream_connected("one", 7), cdr("two"), cdr("three"), stream_connected("two", 8)];
    story.begin().await;
    for body in [&webhooks[0], &webhooks[1], &webhooks[0], &"no JSON".to_owned(), &webhooks[2]] {
        story.post(body).await;
        story.look().await;
    }
    story.end().await;
    story.begin().await;
    for body in [&webhooks[2], &webhooks[3], &webhooks[4]] {
        story.post(body).await;
        story.look().await;
    }
    story.settle(webhooks.len()).await;
    story.until_ready_is(200).await;
    story.end().await;

    let records = story.medium.open().records.unwrap().after(0, usize::MAX).unwrap();
    let kept: Vec<&[u8]> = records.iter().filter(|it| it.reason.is_none()).map(|it| &it.body[..]).collect();
    assert_eq!(
        kept,
        webhooks.iter().map(String::as_bytes).collect::<Vec<_>>(),
        "each is there once, in order"
    );
    // One body is like another: whether one was kept that was refused, nobody knows when it comes again.
    let quarantined = records.len() - kept.len();
    let may_be_two = story.trouble.operation == Operation::Append && story.trouble.fault != Fault::Fails;
    assert!((1..=1 + usize::from(may_be_two)).contains(&quarantined), "{records:?}");
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    for seq in story.log.seqs() {
        *times.entry(seq).or_default() += 1;
    }
    let expected = records
        .iter()
        .filter(|it| it.reason.is_none())
        .map(|it| (it.seq, if it.seq % 3 == 2 { 2 } else { 1 }));
    assert_eq!(times, expected.collect::<BTreeMap<_, _>>(), "each is forwarded once");
    let status = &story.state().status().unwrap()[0];
    assert_eq!((status.read_through, status.unsettled, status.dead), (records.len() as u64, 0, 0));
    story.trouble.has_come()
}

/// Has the trouble begin at each step that there is, up to so many.
#[expect(clippy::print_stderr, reason = "a failure is of the step that was told last")]
async fn at_every_step(operation: Operation, fault: Fault, is_stopped: bool, is_on_disk: bool) {
    /// What is read depends on how fast threads are; so many steps are read in any case.
    const MOST: u32 = 24;
    let time = HeldTime::begin();
    for nth in 1..=MOST {
        eprintln!("{operation:?} {nth}: {fault:?}, on disk: {is_on_disk}, stopped meanwhile: {is_stopped}");
        let folder = tempfile::tempdir().unwrap();
        let medium = if is_on_disk {
            Medium::Disk(StoreLocation::Sqlite(folder.path().join("store.sqlite")))
        } else {
            Medium::Memory(Lasting(Arc::default()))
        };
        let trouble = Trouble::new(operation, nth, fault);
        if !tell(&time, medium, folder.path(), &trouble, is_stopped).await {
            let steps = nth - 1;
            let expected = match operation {
                Operation::Open => 2,
                Operation::Append | Operation::Read => 8,
            };
            assert!(steps >= expected, "{steps}");
            return;
        }
    }
    assert_eq!(operation, Operation::Read, "the other steps come to an end");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_open_loses_nothing() {
    for fault in [Fault::Fails, Fault::Hangs, Fault::DoesAndFails] {
        for is_on_disk in [false, true] {
            at_every_step(Operation::Open, fault, false, is_on_disk).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_refused_and_there_once_when_it_comes_again() {
    for fault in [Fault::Fails, Fault::DoesAndFails] {
        at_every_step(Operation::Append, fault, false, true).await;
        at_every_step(Operation::Append, fault, true, true).await;
        at_every_step(Operation::Append, fault, false, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_while_it_is_written_is_refused_and_there_once() {
    for is_on_disk in [false, true] {
        at_every_step(Operation::Append, Fault::Hangs, false, is_on_disk).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_acknowledged_all_the_same_and_forwarded_later() {
    for fault in [Fault::Fails, Fault::Hangs] {
        at_every_step(Operation::Read, fault, false, false).await;
    }
}
