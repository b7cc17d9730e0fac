//! The engine under paused time, with a transport that answers from a script: no socket, no wall time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use piopiy_events::{Evidence, Profile};
use reqwest::Url;

use super::*;
use crate::deliver::attempt::Answer;
use crate::deliver::ledger::{AttemptEntry, AttemptOutcome, Cause, DeliveryOutcome};
use crate::deliver::{Faults, Pace, Target};
use crate::plan::{PlannedCall, PlannedWebhook};

/// Answers attempt `n` (from 0) of a body with the `n`th status of its script, the last one for ever; 0 is a time-out.
#[derive(Clone)]
struct Script {
    statuses: Arc<[u16]>,
    takes: Duration,
    seen: Arc<Mutex<HashMap<Bytes, usize>>>,
    in_flight: Arc<AtomicUsize>,
    most_in_flight: Arc<AtomicUsize>,
}

impl Script {
    fn new(statuses: &[u16], takes: Duration) -> Self {
        Self {
            statuses: statuses.into(),
            takes,
            seen: Arc::default(),
            in_flight: Arc::default(),
            most_in_flight: Arc::default(),
        }
    }
}

impl Transport for Script {
    async fn post(&self, _url: Url, body: Bytes) -> Answer {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        let attempt = {
            let mut seen = self.seen.lock().unwrap();
            let count = seen.entry(body).or_default();
            *count += 1;
            *count - 1
        };
        tokio::time::sleep(self.takes).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        let status = self.statuses[attempt.min(self.statuses.len() - 1)];
        Answer {
            outcome: match status {
                0 => AttemptOutcome::Timeout,
                200..300 => AttemptOutcome::Acknowledged,
                _ => AttemptOutcome::Refused,
            },
            status: (status > 0).then_some(status),
            error: None,
            ambiguous: status == 0,
            latency: self.takes,
            answer_bytes: 0,
            cut_off: false,
        }
    }
}

fn webhook(call: u64, seq: u32, at_ms: u64, kind: Kind) -> PlannedWebhook {
    let body = format!(r#"{{"cmiuuid":"{call}-{seq}","leg":"a","status":"s","time":1}}"#);
    PlannedWebhook::new(call, seq, at_ms, "x".into(), Some(kind), Evidence::Documented, body.into())
}

fn call(index: u64, webhooks: Vec<PlannedWebhook>) -> PlannedCall {
    PlannedCall::new(index, Profile::Global, "a story".into(), webhooks)
}

fn cdr_call() -> Vec<PlannedCall> {
    vec![call(0, vec![webhook(0, 0, 0, Kind::Cdr)])]
}

async fn run(script: &Script, calls: Vec<PlannedCall>, options: &DeliveryOptions) -> Ledger {
    run_until(script, calls, options, std::future::pending()).await.0
}

async fn run_until(
    script: &Script,
    calls: Vec<PlannedCall>,
    options: &DeliveryOptions,
    stop: impl Future<Output = ()>,
) -> (Ledger, Ending) {
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let targets = Arc::new(Targets::both(Target::parse("http://127.0.0.1/", &[]).unwrap()));
    let calls = calls.into_iter().map(|call| (PlacedCall::from(call), Arc::clone(&targets)));
    let clock = Clock::start(options.pace);
    let engine = Engine::new(script.clone(), stream::iter(calls), options.clone(), ledger.clone(), clock);
    let ending = engine.run(stop).await;
    (ledger, ending)
}

fn attempts(ledger: &Ledger) -> Vec<AttemptEntry> {
    let entries = ledger.records().into_iter().filter_map(|record| match &record.entry {
        Entry::Attempt(attempt) => Some(attempt.clone()),
        _ => None,
    });
    entries.collect()
}

fn outcomes(ledger: &Ledger) -> Vec<DeliveryOutcome> {
    let entries = ledger.records().into_iter().filter_map(|record| match &record.entry {
        Entry::Outcome(outcome) => Some(outcome.outcome),
        _ => None,
    });
    entries.collect()
}

/// When the attempts started: milliseconds of wall time from the start of the first.
fn wall_offsets(ledger: &Ledger) -> Vec<u64> {
    let mut starts: Vec<u64> = attempts(ledger).iter().map(|attempt| attempt.start_ns).collect();
    starts.sort_unstable();
    starts.iter().map(|start| (start - starts[0]) / 1_000_000).collect()
}

async fn check_schedule(policy: Redelivery, statuses: &[u16], scale: f64, expected_ms: &[u64]) {
    let options =
        DeliveryOptions { cdr_policy: policy, pace: Pace::scaled(scale), ..DeliveryOptions::default() };
    let script = Script::new(statuses, Duration::from_millis(3));
    let ledger = run(&script, cdr_call(), &options).await;
    let offsets = wall_offsets(&ledger);
    assert_eq!(offsets.len(), expected_ms.len(), "{policy} {statuses:?}: {offsets:?}");
    for (offset, expected) in offsets.iter().zip(expected_ms) {
        // A timer of the runtime is a millisecond late at most.
        assert!((*expected..=expected + 2).contains(offset), "{policy} {statuses:?}: {offsets:?}");
    }
    let planned: Vec<u64> = attempts(&ledger).iter().map(|attempt| attempt.offset_ms).collect();
    assert_eq!(planned, crate::deliver::CDR_SCHEDULE_MS[..expected_ms.len()]);
}

#[tokio::test(start_paused = true)]
async fn a_cdr_is_sent_on_schedule_until_it_is_acknowledged() {
    let minutes = |minutes: &[u64]| minutes.iter().map(|minute| minute * 60_000).collect::<Vec<_>>();
    check_schedule(Redelivery::UntilAck, &[200], 1.0, &minutes(&[0])).await;
    check_schedule(Redelivery::UntilAck, &[503, 200], 1.0, &minutes(&[0, 5])).await;
    check_schedule(Redelivery::UntilAck, &[503], 1.0, &minutes(&[0, 5, 15, 30])).await;
    check_schedule(Redelivery::UntilAck, &[503], 600.0, &[0, 500, 1_500, 3_000]).await;
}

#[tokio::test(start_paused = true)]
async fn a_cdr_is_sent_four_times_under_the_other_reading() {
    check_schedule(Redelivery::Always, &[200], 1.0, &[0, 300_000, 900_000, 1_800_000]).await;
    check_schedule(Redelivery::Always, &[503, 200], 600.0, &[0, 500, 1_500, 3_000]).await;
    check_schedule(Redelivery::Never, &[503], 600.0, &[0]).await;
}

#[tokio::test(start_paused = true)]
async fn offsets_run_from_the_start_of_the_first_attempt_and_an_answer_that_is_late_delays_until_ack_only() {
    let mut options = DeliveryOptions { pace: Pace::scaled(600.0), ..DeliveryOptions::default() };
    // Longer than the gap to the second attempt, shorter than that to the third.
    let slow = Script::new(&[0], Duration::from_millis(700));
    let ledger = run(&slow, cdr_call(), &options).await;
    let offsets = wall_offsets(&ledger);
    assert!((700..=702).contains(&offsets[1]), "{offsets:?}");
    assert!((1_500..=1_502).contains(&offsets[2]), "{offsets:?}");
    assert_eq!(outcomes(&ledger), [DeliveryOutcome::Unacknowledged]);

    options.cdr_policy = Redelivery::Always;
    let ledger = run(&slow, cdr_call(), &options).await;
    let offsets = wall_offsets(&ledger);
    assert!((500..=502).contains(&offsets[1]), "{offsets:?}");
}

#[tokio::test(start_paused = true)]
async fn a_jump_takes_no_time_but_that_of_the_answers() {
    let options = DeliveryOptions { pace: Pace::jump(), ..DeliveryOptions::default() };
    let started = Instant::now();
    let ledger = run(&Script::new(&[503], Duration::from_millis(2)), cdr_call(), &options).await;
    assert!(started.elapsed() <= Duration::from_millis(20), "{:?}", started.elapsed());
    let starts: Vec<u64> = attempts(&ledger).iter().map(|attempt| attempt.start_ms).collect();
    assert_eq!(starts, [0, 300_000, 900_000, 1_800_000]);
}

#[tokio::test(start_paused = true)]
async fn live_events_are_sent_once() {
    let calls = vec![call(0, vec![webhook(0, 0, 0, Kind::LiveEvent)])];
    let ledger = run(&Script::new(&[500], Duration::ZERO), calls, &DeliveryOptions::default()).await;
    assert_eq!(attempts(&ledger).len(), 1);
    assert_eq!(outcomes(&ledger), [DeliveryOutcome::Unacknowledged]);
}

#[tokio::test(start_paused = true)]
async fn in_order_a_webhook_waits_for_the_first_attempt_before_it_and_no_longer() {
    let webhooks = vec![webhook(0, 0, 0, Kind::Cdr), webhook(0, 1, 10, Kind::LiveEvent)];
    let script = Script::new(&[503, 200], Duration::from_millis(100));
    let mut options = DeliveryOptions::default();
    let ledger = run(&script, vec![call(0, webhooks.clone())], &options).await;
    let starts: Vec<(u32, u64)> =
        attempts(&ledger).iter().map(|attempt| (attempt.webhook, attempt.start_ms)).collect();
    assert!(matches!(starts[..], [(0, 0), (1, 100..=102), (0, 300_000..=300_002)]), "{starts:?}");

    options.order = Order::Free;
    let script = Script::new(&[200], Duration::from_millis(100));
    let ledger = run(&script, vec![call(0, webhooks)], &options).await;
    let starts: Vec<(u32, u64)> =
        attempts(&ledger).iter().map(|attempt| (attempt.webhook, attempt.start_ms)).collect();
    assert!(matches!(starts[..], [(0, 0), (1, 10..=12)]), "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn no_more_attempts_are_in_flight_than_allowed() {
    let calls = (0..200).map(|index| call(index, vec![webhook(index, 0, 0, Kind::LiveEvent)])).collect();
    let script = Script::new(&[200], Duration::from_millis(5));
    let options = DeliveryOptions { concurrency: 100, connections: 7, ..DeliveryOptions::default() };
    let ledger = run(&script, calls, &options).await;
    assert_eq!(attempts(&ledger).len(), 200);
    assert_eq!(script.most_in_flight.load(Ordering::SeqCst), 7);
}

#[tokio::test(start_paused = true)]
async fn an_endless_plan_is_taken_as_it_becomes_due_and_can_be_stopped() {
    let taken = Arc::new(AtomicUsize::new(0));
    let targets = Arc::new(Targets::both(Target::parse("http://127.0.0.1/", &[]).unwrap()));
    let count = Arc::clone(&taken);
    let calls = (0..).map(move |index| {
        count.fetch_add(1, Ordering::SeqCst);
        let planned = call(index, vec![webhook(index, 0, index * 1_000, Kind::Cdr)]);
        (PlacedCall::from(planned), Arc::clone(&targets))
    });
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let script = Script::new(&[503], Duration::from_millis(10));
    let engine = Engine::new(
        script,
        stream::iter(calls),
        DeliveryOptions::default(),
        ledger.clone(),
        Clock::start(Pace::default()),
    );
    let ending = engine.run(tokio::time::sleep(Duration::from_millis(10_500))).await;
    assert_eq!(ending, Ending::Interrupted);
    assert_eq!(taken.load(Ordering::SeqCst), 12, "eleven that were due and one to see that it was not");
    assert_eq!(outcomes(&ledger), [DeliveryOutcome::Interrupted; 11]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_what_is_in_flight_finish() {
    let calls = vec![call(0, vec![webhook(0, 0, 0, Kind::LiveEvent), webhook(0, 1, 50, Kind::Cdr)])];
    let script = Script::new(&[200], Duration::from_millis(100));
    let stop = tokio::time::sleep(Duration::from_millis(20));
    let (ledger, ending) = run_until(&script, calls, &DeliveryOptions::default(), stop).await;
    assert_eq!(ending, Ending::Interrupted);
    assert_eq!(outcomes(&ledger), [DeliveryOutcome::Acknowledged], "the CDR was not even planned");
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_done_and_named() {
    let webhooks = (0..4).map(|seq| webhook(0, seq, u64::from(seq) * 1_000, Kind::LiveEvent)).collect();
    let faults = vec![
        vec![Fault::Loss],
        vec![Fault::Reorder { behind: 2 }],
        vec![Fault::Delay { by_ms: 500 }],
        vec![Fault::Duplicate { after_ms: 200 }],
    ];
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let targets = Arc::new(Targets::both(Target::parse("http://127.0.0.1/", &[]).unwrap()));
    let placed = (PlacedCall::with_faults(call(0, webhooks), faults), targets);
    let script = Script::new(&[200], Duration::from_millis(1));
    let engine = Engine::new(
        script,
        stream::iter([placed]),
        DeliveryOptions::default(),
        ledger.clone(),
        Clock::start(Pace::default()),
    );
    assert_eq!(engine.run(std::future::pending()).await, Ending::Complete);

    let starts: Vec<(u32, Cause, u64)> = attempts(&ledger)
        .iter()
        .map(|attempt| (attempt.webhook, attempt.cause, attempt.start_ms / 10))
        .collect();
    assert_eq!(
        starts,
        [(2, Cause::First, 250), (1, Cause::First, 250), (3, Cause::First, 300), (3, Cause::Duplicate, 320)]
    );
    let named: Vec<&str> = ledger
        .records()
        .iter()
        .filter_map(|record| match &record.entry {
            Entry::Fault(fault) => Some(fault.fault.name()),
            _ => None,
        })
        .collect();
    assert_eq!(named, ["loss", "delay", "reorder", "duplicate"]);
    assert!(outcomes(&ledger).contains(&DeliveryOutcome::InjectedLoss));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_deliveries() {
    let calls = || -> Vec<PlannedCall> {
        let webhooks =
            |index| (0..5).map(|seq| webhook(index, seq, u64::from(seq) * 1_000, Kind::Cdr)).collect();
        (0..40).map(|index| call(index, webhooks(index))).collect()
    };
    let mut options = DeliveryOptions::default();
    let mut told = Vec::new();
    for seed in [1, 1, 2] {
        options.faults = Faults::chaos(seed);
        let ledger = run(&Script::new(&[503, 200], Duration::from_millis(1)), calls(), &options).await;
        let starts: Vec<_> = attempts(&ledger)
            .iter()
            .map(|attempt| (attempt.call, attempt.webhook, attempt.cause, attempt.offset_ms))
            .collect();
        told.push(starts);
    }
    assert_eq!(told[0], told[1]);
    assert_ne!(told[0], told[2]);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_copy_settles_its_webhook() {
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let targets = Arc::new(Targets::both(Target::parse("http://127.0.0.1/", &[]).unwrap()));
    let planned = call(0, vec![webhook(0, 0, 0, Kind::Cdr)]);
    let placed = PlacedCall::with_faults(planned, vec![vec![Fault::Duplicate { after_ms: 1_000 }]]);
    let script = Script::new(&[503, 200], Duration::from_millis(1));
    let engine = Engine::new(
        script,
        stream::iter([(placed, targets)]),
        DeliveryOptions::default(),
        ledger.clone(),
        Clock::start(Pace::default()),
    );
    assert_eq!(engine.run(std::future::pending()).await, Ending::Complete);
    let causes: Vec<Cause> = attempts(&ledger).iter().map(|attempt| attempt.cause).collect();
    assert_eq!(causes, [Cause::First, Cause::Duplicate]);
    assert_eq!(outcomes(&ledger), [DeliveryOutcome::Acknowledged]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_told_of_late_holds_up_no_call_behind_it() {
    let mut rings = call(0, vec![webhook(0, 0, 30_000, Kind::LiveEvent)]);
    rings.starts_at_ms = 0;
    let starts_later = call(1, vec![webhook(1, 0, 1_000, Kind::LiveEvent)]);
    for pace in [Pace::default(), Pace::jump()] {
        let script = Script::new(&[200], Duration::from_millis(1));
        let options = DeliveryOptions { pace, ..DeliveryOptions::default() };
        let ledger = run(&script, vec![rings.clone(), starts_later.clone()], &options).await;
        let starts: Vec<(u64, u64)> =
            attempts(&ledger).iter().map(|attempt| (attempt.call, attempt.start_ms)).collect();
        assert!(matches!(starts[..], [(1, 1_000..=1_002), (0, 30_000..=30_002)]), "{starts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_attempt_of_a_plan_is_late_where_answers_come_at_once() {
    let plan = crate::plan::PlanOptions { calls: Some(60), ..Default::default() };
    let simulator = crate::plan::Simulator::new(&crate::plan::Scenario::default(), plan);
    let options = DeliveryOptions { pace: Pace::jump(), ..DeliveryOptions::default() };
    let script = Script::new(&[200], Duration::from_millis(1));
    let ledger = run(&script, simulator.calls().collect(), &options).await;
    let late = attempts(&ledger).iter().map(|attempt| attempt.start_ms - attempt.due_ms).max();
    assert!(late.is_some_and(|late| late < 20), "{late:?} ms late");
}

#[tokio::test(start_paused = true)]
async fn calls_without_webhooks_do_not_keep_a_run_from_being_stopped() {
    for (gap_ms, pace) in [(1_000, Pace::jump()), (0, Pace::default())] {
        let taken = Arc::new(AtomicUsize::new(0));
        let targets = Arc::new(Targets::both(Target::parse("http://127.0.0.1/", &[]).unwrap()));
        let count = Arc::clone(&taken);
        let calls = (0..).map(move |index| {
            count.fetch_add(1, Ordering::SeqCst);
            let mut planned = call(index, vec![]);
            planned.starts_at_ms = index * gap_ms;
            (PlacedCall::from(planned), Arc::clone(&targets))
        });
        let ledger = Ledger::builder().in_memory().open().unwrap();
        let options = DeliveryOptions { pace, ..DeliveryOptions::default() };
        let script = Script::new(&[200], Duration::ZERO);
        let stop = std::future::poll_fn(|_| match taken.load(Ordering::SeqCst) {
            0..3_000 => std::task::Poll::Pending,
            _ => std::task::Poll::Ready(()),
        });
        let clock = Clock::start(options.pace);
        let ending = Engine::new(script, stream::iter(calls), options, ledger, clock).run(stop).await;
        assert_eq!(ending, Ending::Interrupted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_last_attempt_of_the_schedule_interrupts_nothing() {
    for (schedule_ms, expected) in
        [(vec![0], DeliveryOutcome::Unacknowledged), (vec![0, 1_000], DeliveryOutcome::Interrupted)]
    {
        for cdr_policy in [Redelivery::UntilAck, Redelivery::Always] {
            let schedule_ms = schedule_ms.clone();
            let options = DeliveryOptions { schedule_ms, cdr_policy, ..DeliveryOptions::default() };
            let script = Script::new(&[503], Duration::from_millis(100));
            let stop = tokio::time::sleep(Duration::from_millis(20));
            let (ledger, ending) = run_until(&script, cdr_call(), &options, stop).await;
            assert_eq!((ending, &outcomes(&ledger)[..]), (Ending::Interrupted, &[expected][..]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_said_to_be_sent_behind_another_starts_behind_it() {
    let webhooks = |index| {
        (0..6).map(|seq| webhook(index, seq, u64::from(seq / 2) * 500, Kind::LiveEvent)).collect::<Vec<_>>()
    };
    for order in [Order::PerCall, Order::Free] {
        let mut told = 0;
        for seed in 0..20 {
            let faults =
                Faults { reorder: 0.5, delay: 0.3, loss: 0.2, duplicate: 0.2, ..Faults::chaos(seed) };
            let options = DeliveryOptions { order, faults, ..DeliveryOptions::default() };
            let script = Script::new(&[200], Duration::from_millis(7));
            let ledger =
                run(&script, (0..10).map(|index| call(index, webhooks(index))).collect(), &options).await;
            let starts: HashMap<(u64, u32), u64> = attempts(&ledger)
                .iter()
                .filter(|attempt| attempt.cause == Cause::First)
                .map(|attempt| ((attempt.call, attempt.webhook), attempt.start_ns))
                .collect();
            for record in ledger.records() {
                let Entry::Fault(entry) = &record.entry else { continue };
                let Fault::Reorder { behind } = entry.fault else { continue };
                let (moved, other) =
                    (starts.get(&(entry.call, entry.webhook)), starts.get(&(entry.call, behind)));
                assert!(
                    moved.is_some() && other.is_some() && moved > other,
                    "{order}, seed {seed}: {entry:?}"
                );
                told += 1;
            }
        }
        assert!(told > 100, "{told} were moved");
    }
}
