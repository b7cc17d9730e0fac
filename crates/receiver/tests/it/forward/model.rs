//! Store and forwarder together, whatever is done to them, against a list of records and what the apps have seen.
//!
//! Each life of the receiver has a runtime of its own, whose time is paused: it goes on when there is nothing else to do. A kill
//! drops all of it where it is.

mod expected;
mod steps;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use piopiy_events::Kind;
use piopiy_receiver::{
    Append, DestinationStatus, ForwardError, ForwardState, Forwarder, MemoryStore, OpenStore, Store as _,
    StoreLocation,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::{Builder, Runtime};

use self::expected::{Expected, LAG, MOST_ATTEMPTS, Records, Seen, TIMEOUT, conversation};
use self::steps::{Again, NAMES, Step, step};
use crate::cli::receiver;
use crate::support::stage::{Log, Reply, Request, Stage};
use crate::support::{PATIENCE, once_free, open, postgres};

/// How one app answers.
#[derive(Debug, Clone, Copy)]
struct Manners {
    all: Reply,
    of_call: Option<(u8, Reply)>,
}

const WELL: Manners = Manners { all: Reply::Status(200), of_call: None };

/// A destination, over all lives.
struct Place {
    name: &'static str,
    log: Arc<Log>,
    manners: Arc<Mutex<Manners>>,
    is_away: bool,
    expected: Expected,
}

impl Place {
    fn new(name: &'static str, kinds: Vec<Kind>) -> Self {
        Self {
            name,
            log: Arc::default(),
            manners: Arc::new(Mutex::new(WELL)),
            is_away: false,
            expected: Expected::new(kinds),
        }
    }

    fn stage(&self) -> Stage {
        let manners = Arc::clone(&self.manners);
        let mut stage = Stage::away(&self.log, move |request: &Request| {
            let Manners { all, of_call } = *manners.lock().unwrap();
            let is_of = |call| String::from_utf8_lossy(&request.body).contains(&format!("-of-{call}\""));
            of_call.filter(|&(call, _)| is_of(call)).map_or(all, |(_, reply)| reply)
        });
        if !self.is_away {
            stage.comes();
        }
        stage
    }
}

/// What a kill ends.
struct Life {
    runtime: Runtime,
    forwarder: Forwarder,
    stages: Vec<Stage>,
    /// Another connection to the state, as commands have.
    state: ForwardState,
}

struct World<'a> {
    folder: &'a Path,
    location: &'a StoreLocation,
    store: OpenStore,
    life: Option<Life>,
    records: Records,
    places: Vec<Place>,
    kills: Vec<Duration>,
}

impl<'a> World<'a> {
    fn new(folder: &'a Path, location: &'a StoreLocation) -> Self {
        let places = vec![Place::new(NAMES[0], Vec::new()), Place::new(NAMES[1], vec![Kind::Cdr])];
        let (records, kills) = (Records::default(), Vec::new());
        let mut world = Self { folder, location, store: open(location), life: None, records, places, kills };
        world.begin(Duration::ZERO);
        world
    }

    fn state(&self) -> ForwardState {
        ForwardState::open(self.folder.join("store.sqlite.forward")).unwrap()
    }

    fn begin(&mut self, now: Duration) {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let entered = runtime.enter();
        let stages: Vec<Stage> = self.places.iter().map(Place::stage).collect();
        let destinations = self.places.iter().zip(&stages).map(|(place, stage)| {
            let mut destination = stage.destination(place.name);
            destination.filter = place.expected.filter.clone();
            destination.timeout = TIMEOUT;
            destination.concurrency = 3;
            destination.max_attempts = MOST_ATTEMPTS;
            destination.first_backoff = Duration::from_millis(600);
            destination.most_backoff = Duration::from_secs(2);
            destination
        });
        let destinations: Vec<_> = destinations.collect();
        let records = self.store.records.as_ref().unwrap();
        // A process that another test is just starting has the lock of the last life until it becomes its program.
        let until = std::time::Instant::now() + PATIENCE;
        let forwarder = loop {
            match Forwarder::start(records, self.state(), destinations.clone()) {
                Err(ForwardError::InUse { .. }) if std::time::Instant::now() < until => {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                started => break started.unwrap(),
            }
        };
        for place in &self.places {
            place.log.goes_on(now);
        }
        drop(entered);
        self.life = Some(Life { runtime, forwarder, stages, state: self.state() });
    }

    fn life(&mut self) -> &mut Life {
        self.life.as_mut().expect("it runs")
    }

    /// The time of all, of which only a runtime can tell.
    fn now(&self) -> Duration {
        let _entered = self.life.as_ref().expect("it runs").runtime.enter();
        self.places[0].log.now()
    }

    fn pass(&mut self, time: Duration) {
        self.life().runtime.block_on(async { tokio::time::sleep(time).await });
    }

    fn status(&self) -> Vec<DestinationStatus> {
        self.life.as_ref().expect("it runs").state.status().unwrap()
    }

    /// Whatever it is at, it is dropped; the store with it, where it is on a disk.
    fn kill(&mut self) {
        let now = self.now();
        for place in &self.places {
            place.log.killed_at(now);
        }
        drop(self.life.take());
        self.kills.push(now);
        self.begin_with_its_store(now);
    }

    fn restart(&mut self) {
        let told = self.now();
        let Life { runtime, forwarder, stages, state } = self.life.take().expect("it runs");
        runtime.block_on(forwarder.shutdown());
        let now = {
            let _entered = runtime.enter();
            self.places[0].log.now()
        };
        drop((state, stages, runtime));
        // While it ends it sees no orders: those that it had not seen are as if they were given now.
        for orders in self.places.iter_mut().flat_map(|place| place.expected.orders.values_mut()) {
            if orders.iter().any(|&at| at + LAG >= told) {
                orders.push(now);
            }
        }
        self.begin_with_its_store(now);
    }

    fn begin_with_its_store(&mut self, now: Duration) {
        if *self.location != StoreLocation::Memory {
            // What holds a lock is let go of first.
            let none = OpenStore::new(MemoryStore::new(), None);
            drop(std::mem::replace(&mut self.store, none));
            self.store = once_free(|| self.location.open(true));
        }
        self.begin(now);
    }

    fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Append(batch) => {
                let (entries, expected) = self.records.append(batch);
                let found: Vec<Append> = self.store.store.append(&entries).unwrap();
                prop_assert_eq!(found, expected);
            }
            &Step::Answers(to, all, of_call) => {
                *self.places[to].manners.lock().unwrap() = Manners { all, of_call }
            }
            &Step::Goes(to) => {
                self.places[to].is_away = true;
                let Life { runtime, stages, .. } = self.life();
                runtime.block_on(stages[to].goes());
            }
            &Step::Comes(to) => {
                self.places[to].is_away = false;
                let Life { runtime, stages, .. } = self.life();
                let _entered = runtime.enter();
                stages[to].comes();
            }
            &Step::Pause(to, is_paused) => self.life().state.set_paused(NAMES[to], is_paused).unwrap(),
            &Step::Replay(to, again) => self.replay(to, again)?,
            &Step::Pass(millis) => self.pass(Duration::from_millis(millis)),
            Step::Kill => self.kill(),
            Step::Restart => self.restart(),
        }
        self.check()
    }

    fn replay(&mut self, to: usize, again: Again) -> Result<(), TestCaseError> {
        let second = match again {
            Again::Since(index) if !self.records.0.is_empty() => index.get(&self.records.0).second,
            // Long after all of them.
            _ => 4_000_000_000,
        };
        let dead: Vec<u64> = {
            let letters = self.life().state.dead_letters(NAMES[to]).unwrap();
            letters.iter().map(|letter| letter.seq).collect()
        };
        let of_call = match again {
            Again::Call(call) => self.records.of_call(&conversation(call)),
            _ => BTreeSet::new(),
        };
        let fits = |seq: u64| {
            let kept = &self.records.0[usize::try_from(seq).unwrap() - 1];
            match again {
                _ if kept.webhook.is_none() => false,
                Again::Call(_) => of_call.contains(&seq),
                Again::Status(status) => kept.has("status", status),
                Again::Since(_) => kept.second >= second,
                Again::Dead => dead.contains(&seq),
            }
        };
        let wanted: Vec<u64> = (1..=self.records.0.len() as u64).filter(|&seq| fits(seq)).collect();
        let read_through = |world: &Self| world.status()[to].read_through;
        // A save may be under way on another thread.
        let least = read_through(self);
        let condition = match again {
            Again::Call(call) => vec!["--call".to_owned(), conversation(call)],
            Again::Status(status) => vec!["--status".to_owned(), status.to_owned()],
            Again::Since(_) => vec!["--since".to_owned(), second.to_string()],
            Again::Dead => vec!["--dead".to_owned()],
        };
        let count = if let StoreLocation::Sqlite(path) = self.location {
            let mut command = receiver(self.folder, &["forward", "replay", NAMES[to], "--store"]);
            let output = command.arg(format!("sqlite:{}", path.display())).args(condition).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            let told = told.strip_prefix(&format!("to be delivered to {} again: ", NAMES[to])).map(str::trim);
            told.and_then(|told| told.parse().ok()).expect("it says how many")
        } else {
            self.life().state.replay(NAMES[to], wanted.iter().copied()).unwrap()
        };
        let most = read_through(self);
        let up_to = |last: u64| wanted.iter().filter(|&&seq| seq <= last).count() as u64;
        prop_assert!(
            (up_to(least)..=up_to(most)).contains(&count),
            "{count} of {wanted:?} up to {least} or {most}"
        );
        let now = self.now();
        for seq in wanted.into_iter().filter(|&seq| seq <= most) {
            self.places[to].expected.orders.entry(seq).or_default().push(now);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.records.check(&self.store.records.as_ref().unwrap().after(0, usize::MAX).unwrap())?;
        for (to, status) in self.status().iter().enumerate() {
            let place = &self.places[to];
            let requests = place.log.requests();
            let seen = self.seen(&requests);
            let checked = place.expected.check(&seen)?;
            place.expected.check_state(&seen, status)?;
            self.places[to].expected.checked = checked;
        }
        Ok(())
    }

    fn seen<'b>(&'b self, requests: &'b [Request]) -> Seen<'b> {
        Seen { records: &self.records, requests, kills: &self.kills, now: self.now() }
    }

    /// Lets time pass until nothing is to be done any more.
    fn rest(&mut self) -> Result<(), TestCaseError> {
        let last = self.records.0.len() as u64;
        for _ in 0..100 {
            self.pass(2 * LAG);
            if self.status().iter().all(|status| (status.read_through, status.unsettled) == (last, 0)) {
                return self.check();
            }
        }
        Err(TestCaseError::fail(format!("it does not come to an end: {:?}", self.status())))
    }

    /// The apps are well again, and get all that there is.
    fn end(&mut self) -> Result<(), TestCaseError> {
        for to in 0..NAMES.len() {
            for step in [Step::Comes(to), Step::Answers(to, WELL.all, None), Step::Pause(to, false)] {
                self.take(&step)?;
            }
        }
        self.rest()?;
        for (to, place) in self.places.iter().enumerate() {
            let letters = self.life.as_ref().expect("it runs").state.dead_letters(NAMES[to]).unwrap();
            let requests = place.log.requests();
            place.expected.check_end(&self.seen(&requests), &letters)?;
        }
        for to in 0..NAMES.len() {
            self.take(&Step::Replay(to, Again::Dead))?;
        }
        self.rest()?;
        prop_assert!(self.status().iter().all(|status| status.dead == 0), "{:?}", self.status());
        let count =
            |world: &Self| world.places.iter().map(|place| place.log.seqs().len()).collect::<Vec<_>>();
        let before = count(self);
        for step in [Step::Restart, Step::Pass(1000), Step::Kill, Step::Pass(1000)] {
            self.take(&step)?;
        }
        prop_assert_eq!(count(self), before, "nothing is left to be done");
        Ok(())
    }
}

fn agrees(location: &StoreLocation, folder: &Path, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new(folder, location);
    steps.iter().try_for_each(|step| world.take(step))?;
    world.end()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_a_sqlite_store_has_is_forwarded_whatever_happens(steps in vec(step(), 1..24)) {
        let folder = tempfile::tempdir()?;
        agrees(&StoreLocation::Sqlite(folder.path().join("store.sqlite")), folder.path(), &steps)?;
    }

    #[test]
    fn what_a_memory_store_has_is_forwarded_whatever_happens(steps in vec(step(), 1..40)) {
        let folder = tempfile::tempdir()?;
        agrees(&StoreLocation::Memory, folder.path(), &steps)?;
    }
}

proptest! {
    // Each case makes a database.
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn what_a_postgres_store_has_is_forwarded_whatever_happens(steps in vec(step(), 1..24)) {
        if let Some(location) = postgres::fresh() {
            let folder = tempfile::tempdir()?;
            agrees(&location, folder.path(), &steps)?;
        }
    }
}
