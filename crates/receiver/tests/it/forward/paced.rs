//! When a forwarder asks again, what counts as an attempt, and what it does when it is told to end. Time is paused, and goes on
//! when there is nothing else to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use piopiy_receiver::{
    Destination, ForwardState, Forwarder, MemoryStore, OpenStore, Records, Server, ServerOptions,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::again::start_again;
use super::{call, state_in, store};
use crate::support::stage::{End, Log, Reply, Request, Stage};
use crate::support::{Wire, blocking, cdr, client, raw_post};

/// What the time may jump by while bytes are on their way.
const NOISE: Duration = Duration::from_millis(400);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn about(time: Duration) -> std::ops::RangeInclusive<Duration> {
    time.saturating_sub(NOISE)..=time + NOISE
}

/// An app, what it got, and a folder for the state.
struct Place {
    folder: TempDir,
    log: Arc<Log>,
    app: Stage,
}

impl Place {
    fn with(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let log = Arc::<Log>::default();
        log.goes_on(Duration::ZERO);
        let app = Stage::open(&log, answer);
        Self { folder: tempfile::tempdir().unwrap(), log, app }
    }

    fn destination(&self) -> Destination {
        self.app.destination("app")
    }

    async fn start(&self, records: &Arc<dyn Records>, destination: &Destination) -> Forwarder {
        start_again(records, &self.folder, destination).await
    }

    fn state(&self) -> ForwardState {
        state_in(&self.folder)
    }

    /// What is yet to deliver, and what was given up.
    fn left(&self) -> (u64, u64) {
        let status = self.state().status().unwrap();
        (status[0].unsettled, status[0].dead)
    }

    async fn has(&self, requests: usize) {
        while self.log.requests().len() < requests {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_come_in_the_course_that_is_told_and_the_last_makes_a_dead_letter() {
    const OTHERS: u64 = 40;
    let place = Place::with(|request| Reply::Status(if (2..=3).contains(&request.seq) { 200 } else { 500 }));
    let mut bodies = call("x");
    bodies.extend((0..OTHERS).map(|n| cdr(&format!("other-{n}"))));
    let (_store, records) = store(&bodies);
    let mut destination = place.destination();
    destination.max_attempts = 6;
    destination.most_backoff = secs(8);
    destination.concurrency = 64;
    let forwarder = place.start(&records, &destination).await;
    sleep(secs(1 + 2 + 4 + 8 + 8) + 5 * NOISE).await;
    forwarder.shutdown().await;

    let mut by_seq: BTreeMap<u64, Vec<Request>> = BTreeMap::new();
    for request in place.log.requests() {
        by_seq.entry(request.seq).or_default().push(request);
    }
    let mut gaps = BTreeSet::new();
    for requests in by_seq.values().filter(|requests| requests[0].seq != 2 && requests[0].seq != 3) {
        let numbers: Vec<u32> = requests.iter().map(|request| request.attempt).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        for (pair, whole) in requests.windows(2).zip([1, 2, 4, 8, 8]) {
            let gap = pair[1].came - pair[0].came;
            assert!((secs(whole) / 2..=secs(whole) + NOISE).contains(&gap), "{gap:?} of {whole} s: {pair:?}");
            gaps.insert((whole, gap.as_millis()));
        }
    }
    for whole in [2, 4] {
        let of_it = gaps.iter().filter(|(of, _)| *of == whole);
        assert!(of_it.count() > 10, "half of each is left to chance: {gaps:?}");
    }
    let gave_up = by_seq[&1][5].came;
    assert!(gave_up <= by_seq[&2][0].came && by_seq[&2][0].came <= by_seq[&3][0].came, "{by_seq:?}");
    assert!(by_seq[&2][0].came < gave_up + NOISE, "the call goes on at once");
    assert_eq!((by_seq[&2].len(), by_seq[&3].len()), (1, 1));
    assert_eq!(place.left(), (0, OTHERS + 1));
    for letter in place.state().dead_letters("app").unwrap() {
        assert_eq!((letter.attempts, letter.error.as_str()), (6, "status 500"));
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_counts_as_an_attempt() {
    let place = Place::with(|request| if request.seq == 1 { Reply::Never } else { Reply::Status(200) });
    let (_store, records) = store(&call("x"));
    let mut destination = place.destination();
    destination.timeout = secs(2);
    destination.max_attempts = 3;
    let forwarder = place.start(&records, &destination).await;
    place.has(5).await;
    forwarder.shutdown().await;
    let requests = place.log.requests();
    let seen: Vec<_> = requests.iter().map(|request| (request.seq, request.attempt)).collect();
    assert_eq!(seen, [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]);
    for request in &requests[..3] {
        let (ended, end) = request.end.unwrap();
        assert!(end == End::Closed && about(secs(2)).contains(&(ended - request.came)), "{request:?}");
    }
    for (pair, whole) in requests[..3].windows(2).zip([1, 2]) {
        let gap = pair[1].came - pair[0].came;
        let expected = (secs(2) + secs(whole) / 2).saturating_sub(NOISE)..=secs(2) + secs(whole) + NOISE;
        assert!(expected.contains(&gap), "{gap:?}");
    }
    let letters = place.state().dead_letters("app").unwrap();
    assert_eq!((letters[0].seq, letters[0].attempts), (1, 3));
    assert_eq!(letters[0].error, "no answer within 2s");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_says_when_is_asked_then_and_with_one_webhook() {
    let place = Place::with(|request| {
        // It is back, and takes its time to see that it is.
        if request.came < secs(15) { Reply::Later(20) } else { Reply::After(secs(2)) }
    });
    let bodies: Vec<String> = (0..6).map(|n| cdr(&format!("call-{n}"))).collect();
    let (_store, records) = store(&bodies);
    let forwarder = place.start(&records, &place.destination()).await;
    place.has(6 + 6).await;
    sleep(secs(3)).await;
    forwarder.shutdown().await;
    let requests = place.log.requests();
    assert_eq!(requests.len(), 12, "each was refused once: {requests:?}");
    let first = &requests[6];
    assert!((secs(20)..=secs(20) + NOISE).contains(&(first.came - requests[0].came)), "{requests:?}");
    for request in &requests[7..] {
        assert!(request.came >= first.acknowledged().unwrap(), "the others wait for the one: {requests:?}");
        assert_eq!(request.attempt, 2, "it counted");
    }
    assert_eq!(place.left(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_away_gets_all_soon_after_it_is_back_and_no_attempt_counted() {
    let mut place = Place::with(|_| Reply::Status(200));
    place.app.goes().await;
    let (_store, records) = store(&[call("x"), call("y")].concat());
    let mut destination = place.destination();
    destination.max_attempts = 1;
    let forwarder = place.start(&records, &destination).await;
    sleep(secs(60)).await;
    assert_eq!(place.left(), (6, 0));
    place.app.comes();
    let back = place.log.now();
    place.has(6).await;
    sleep(NOISE).await;
    forwarder.shutdown().await;
    let requests = place.log.requests();
    assert!(
        requests.iter().all(|request| request.attempt == 1 && request.acknowledged().is_some()),
        "{requests:?}"
    );
    // It is asked at least every 15 s.
    assert!(requests[5].came - back <= secs(15) + 6 * NOISE, "{requests:?} since {back:?}");
    assert_eq!((requests.len(), place.left()), (6, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_waits_for_what_is_in_flight_and_begins_nothing() {
    let place = Place::with(|_| Reply::After(secs(3)));
    let (_store, records) = store(&[cdr("x"), cdr("y"), cdr("z")]);
    let mut destination = place.destination();
    destination.concurrency = 1;
    let forwarder = place.start(&records, &destination).await;
    place.has(1).await;
    let began = Instant::now();
    forwarder.shutdown().await;
    assert!(about(secs(3)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(place.log.seqs(), [1], "nothing is begun any more");
    assert_eq!(place.left(), (2, 0), "what was answered meanwhile is saved");

    let forwarder = place.start(&records, &destination).await;
    place.has(3).await;
    forwarder.shutdown().await;
    assert_eq!((place.log.seqs(), place.left()), (vec![1, 2, 3], (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn one_that_may_wait_no_longer_leaves_what_is_in_flight_to_the_next() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let place =
        Place::with(move |_| if well.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Never });
    let (_store, records) = store(&call("x"));
    let forwarder = place.start(&records, &place.destination()).await;
    place.has(1).await;
    let began = Instant::now();
    forwarder.shutdown_within(secs(4)).await;
    assert!(about(secs(4)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(place.left(), (3, 0));

    is_well.store(true, Ordering::SeqCst);
    let forwarder = place.start(&records, &place.destination()).await;
    place.has(4).await;
    forwarder.shutdown().await;
    let seen: Vec<_> = place.log.requests().iter().map(|request| (request.seq, request.attempt)).collect();
    assert_eq!(seen, [(1, 1), (1, 1), (2, 1), (3, 1)], "what was cut off counts as no attempt");
    assert_eq!(place.left(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_for_a_time_to_come_ends_at_once_and_the_next_goes_on_waiting() {
    let place = Place::with(|request| Reply::Status(if request.attempt == 1 { 500 } else { 200 }));
    let (_store, records) = store(&[cdr("x")]);
    let mut destination = place.destination();
    destination.first_backoff = secs(60);
    let forwarder = place.start(&records, &destination).await;
    place.has(1).await;
    sleep(NOISE).await;
    let began = Instant::now();
    forwarder.shutdown().await;
    assert!(began.elapsed() < NOISE, "{:?}", began.elapsed());
    let failed = place.log.requests()[0].came;
    let forwarder = place.start(&records, &destination).await;
    place.has(2).await;
    forwarder.shutdown().await;
    let again = &place.log.requests()[1];
    assert!((secs(30)..=secs(60) + 3 * NOISE).contains(&(again.came - failed)), "{again:?}");
    assert_eq!((again.attempt, place.left()), (2, (0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_has_nothing_wait_longer_than_it_was_to() {
    let place = Place::with(|request| Reply::Status(if request.attempt == 1 { 500 } else { 200 }));
    let (_store, records) = store(&[cdr("x")]);
    let mut destination = place.destination();
    destination.first_backoff = secs(4);
    let forwarder = place.start(&records, &destination).await;
    place.has(1).await;
    forwarder.shutdown().await;
    // As it is where the clock was a year ahead when the attempt failed.
    let file = rusqlite::Connection::open(place.state().path()).unwrap();
    assert_eq!(file.execute("UPDATE unsettled SET due = due + 31536000000000", []).unwrap(), 1);
    drop(file);
    let forwarder = place.start(&records, &destination).await;
    let began = Instant::now();
    place.has(2).await;
    forwarder.shutdown().await;
    assert!(began.elapsed() <= secs(4) + NOISE, "{:?}", began.elapsed());
    assert_eq!((place.log.requests()[1].attempt, place.left()), (2, (0, 0)));
}

/// A server that forwards to the place, and the records of its store.
async fn serve(place: &Place, drain_deadline: Duration) -> (Server, Arc<dyn Records>) {
    let mut store = MemoryStore::new();
    let records = store.records();
    let open = OpenStore::new(store, Some(Arc::clone(&records)));
    let options = ServerOptions { drain_deadline, ..ServerOptions::default() };
    let builder = Server::builder(open).options(options).forward(place.state(), vec![place.destination()]);
    (builder.bind("127.0.0.1:0").await.unwrap(), records)
}

/// A server ends while the app has a webhook; the records of its store. Its store's thread is waited for by a time of its own, so how
/// long all of that takes says nothing.
async fn end_a_server(place: &Place, drain_deadline: Duration) -> Arc<dyn Records> {
    let (server, records) = serve(place, drain_deadline).await;
    let posted = client().post(server.url()).body(cdr("x")).send().await.unwrap();
    assert_eq!(posted.status(), 200);
    place.has(1).await;
    tokio::time::pause();
    server.shutdown().await;
    records
}

#[tokio::test]
async fn a_server_that_ends_waits_for_the_answer_to_what_it_forwards() {
    let place = Place::with(|_| Reply::After(secs(6)));
    let records = end_a_server(&place, secs(8)).await;
    assert!(place.log.requests()[0].acknowledged().is_some(), "{:?}", place.log.requests());
    assert_eq!(place.left(), (0, 0));
    let forwarder = place.start(&records, &place.destination()).await;
    sleep(secs(2)).await;
    forwarder.shutdown().await;
    assert_eq!(place.log.seqs(), [1]);
}

#[tokio::test]
async fn a_server_that_ends_waits_no_longer_than_it_may_and_forwards_it_when_it_starts_again() {
    let is_well = Arc::new(AtomicBool::new(false));
    let well = Arc::clone(&is_well);
    let place =
        Place::with(move |_| if well.load(Ordering::SeqCst) { Reply::Status(200) } else { Reply::Never });
    // Shorter than an answer is waited for, which would be an attempt.
    let records = end_a_server(&place, secs(8)).await;
    assert_eq!(place.left(), (1, 0));
    is_well.store(true, Ordering::SeqCst);
    let forwarder = place.start(&records, &place.destination()).await;
    place.has(2).await;
    forwarder.shutdown().await;
    let requests = place.log.requests();
    assert!(requests.iter().all(|request| (request.seq, request.attempt) == (1, 1)), "{requests:?}");
    assert_eq!((requests.len(), place.left()), (2, (0, 0)));
}

#[tokio::test]
async fn what_is_acknowledged_while_a_server_ends_is_forwarded_when_it_starts_again() {
    let place = Place::with(|_| Reply::Status(200));
    let (server, records) = serve(&place, secs(60)).await;
    let address = server.local_addr();
    let (mut half, rest) = blocking(move || {
        let request = raw_post(&cdr("x"), "Expect: 100-continue\r\n");
        let (start, rest) = request.split_at(request.len() - 5);
        let mut half = Wire::to(address);
        half.send(start);
        // Sent once the body is being read: the request is in flight.
        half.read_until("100 Continue\r\n\r\n");
        (half, rest.to_owned())
    })
    .await;
    let ending = tokio::spawn(server.shutdown());
    // The forwarder has ended once it lets go of its state; the server waits for the request.
    let lock = std::fs::File::open(place.folder.path().join("calls.forward.lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
    lock.unlock().unwrap();
    let answer = blocking(move || {
        half.send(rest);
        half.rest()
    });
    assert!(answer.await.starts_with("HTTP/1.1 200 OK"));
    ending.await.unwrap();
    assert_eq!((records.last_seq().unwrap(), place.log.seqs()), (1, Vec::new()));
    let forwarder = place.start(&records, &place.destination()).await;
    place.has(1).await;
    forwarder.shutdown().await;
    assert_eq!((place.log.seqs(), place.left()), (vec![1], (0, 0)));
}
