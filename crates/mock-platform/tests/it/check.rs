//! Checks, against the correct receiver and against one for each flaw.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use piopiy_gallery as gallery;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, run_checks};
use piopiy_mock_platform::judge::check::{Check, Hook, KnownFailures, Malformed, Tag, Verdict, all, find};
use piopiy_mock_platform::judge::report::{CheckReport, Human, Reporter, reporter};
use piopiy_receiver::{Authentication, Basic, MemoryStore, Server, ServerOptions, StoreLocation};
use serde_json::Value;

/// What is over within seconds.
fn quick() -> Vec<&'static Check> {
    let waits = |check: &&Check| check.tags.iter().any(|tag| matches!(tag, Tag::Slow | Tag::Soak));
    all().into_iter().filter(|check| !waits(check)).collect()
}

pub(crate) fn options(observe_url: Option<&str>) -> CheckOptions {
    let mut options = CheckOptions::default();
    options.settle = Duration::from_millis(100);
    options.observation = observe_url.map(|url| Observation::Url(Target::parse(url, &[]).unwrap()));
    options
}

/// With all that a receiver of the gallery has for the suite.
pub(crate) fn options_for(receiver: &gallery::Flawed) -> CheckOptions {
    let mut options = options(Some(&receiver.observe_url));
    options.second = receiver.second_url.as_ref().map(|url| Target::parse(url, &[]).unwrap());
    options.command.clone_from(&receiver.command);
    for hook in Hook::ALL {
        options.hooks.extend(receiver.hooks.get(hook.option()).map(|command| (hook, command.clone())));
    }
    options
}

pub(crate) async fn run(url: &str, checks: &[&'static Check], options: &CheckOptions) -> CheckReport {
    let target = Target::parse(url, &[]).unwrap();
    run_checks(&target, checks, options, &(), std::future::pending()).await.unwrap()
}

pub(crate) async fn correct(malformed: piopiy_receiver::Malformed) -> (Server, String) {
    let options = ServerOptions { observe: true, malformed, ..ServerOptions::default() };
    let server = Server::builder(StoreLocation::Memory.open(true).unwrap()).options(options);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let observe_url = format!("http://{}/__observe", server.local_addr());
    (server, observe_url)
}

/// Nothing but passes, and what cannot be seen.
fn assert_clean(report: &CheckReport, allowed: &[Verdict]) {
    for check in &report.checks {
        let verdict = check.outcome.verdict;
        let is_timed = find(&check.id)
            .unwrap()
            .tags
            .iter()
            .any(|tag| matches!(tag, Tag::Latency | Tag::Load | Tag::Slow));
        if is_timed && verdict == Verdict::Inconclusive {
            // This machine may have other things to do.
            continue;
        }
        assert!(verdict == Verdict::Pass || allowed.contains(&verdict), "{}", Human.render(report));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_correct_receiver_passes_on_every_rung() {
    let (server, observe_url) = correct(piopiy_receiver::Malformed::Quarantine).await;
    let unlocked = [Verdict::NotObserved, Verdict::NotApplicable];
    let report = run(&server.url(), &quick(), &options(Some(&observe_url))).await;
    assert_clean(&report, &unlocked);
    assert_eq!(report.summary.passed_by_answers_alone, 0);

    let mut blind = options(None);
    blind.nonce = piopiy_mock_platform::plan::Nonce(1);
    let report = run(&server.url(), &quick(), &blind).await;
    assert_clean(&report, &unlocked);
    assert!(report.summary.not_observed > 0 && report.summary.passed_by_answers_alone > 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_correct_receiver_passes_in_both_ways_with_malformed_bodies() {
    for (policy, malformed) in [
        (Malformed::Reject, piopiy_receiver::Malformed::Reject),
        (Malformed::Quarantine, piopiy_receiver::Malformed::Quarantine),
    ] {
        let (server, observe_url) = correct(malformed).await;
        let mut options = options(Some(&observe_url));
        options.malformed = policy;
        let unlocked = [Verdict::NotObserved, Verdict::NotApplicable];
        assert_clean(&run(&server.url(), &quick(), &options).await, &unlocked);
        options.nonce = piopiy_mock_platform::plan::Nonce(1);
        let checks = [find("JSN-006").unwrap(), find("JSN-012").unwrap()];
        options.malformed =
            if policy == Malformed::Reject { Malformed::Quarantine } else { Malformed::Reject };
        let report = run(&server.url(), &checks, &options).await;
        assert_eq!(report.summary.failed, 2, "{}", Human.render(&report));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gallery_without_a_flaw_passes() {
    let receiver = gallery::start("none").await;
    let report = run(&receiver.url, &quick(), &options(Some(&receiver.observe_url))).await;
    assert_clean(&report, &[Verdict::NotObserved, Verdict::NotApplicable, Verdict::Warn]);
}

/// With limits that a test can wait for, and with everything declared.
pub(crate) fn short(mut options: CheckOptions) -> CheckOptions {
    options.ack_limit = gallery::ACK_LIMIT;
    options.capabilities = ["secret", "appid", "health=/healthz"].map(str::to_owned).into();
    options.headers = vec![(gallery::AUTHORIZATION.0.to_owned(), gallery::AUTHORIZATION.1.to_owned())];
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn the_correct_receiver_passes_what_waits_and_what_is_declared() {
    let short_deadline = Duration::from_millis(400);
    let mut server_options = ServerOptions { observe: true, ..ServerOptions::default() };
    server_options.header_deadline = short_deadline;
    server_options.idle_deadline = short_deadline;
    server_options.read.body_deadline = short_deadline;
    let app_id = piopiy_events::Webhook::parse(
        &piopiy_mock_platform::plan::single(
            "cdr.inbound.missed",
            piopiy_events::Profile::Global,
            &piopiy_mock_platform::plan::SingleOptions::default(),
        )
        .unwrap()
        .body,
    )
    .unwrap();
    let app_id = app_id.text("appid").unwrap().into_owned();
    let authentication = Authentication::new().basic(Basic::new("piopiy", "secret")).app_ids([app_id]);
    let server = Server::builder(StoreLocation::Memory.open(true).unwrap()).options(server_options);
    let server = server.authentication(authentication).bind("127.0.0.1:0").await.unwrap();
    // It asks whoever looks for the secret too.
    let observe_url = format!("http://piopiy:secret@{}/__observe", server.local_addr());
    let mut options = short(options(Some(&observe_url)));
    // A receiver needs some three seconds to fill its buffers with answers that nobody takes, where the kernel asks for room now and then alone.
    options.slow_limit = Duration::from_millis(4_000);
    let ids = [
        "SEC-002", "SEC-005", "SEC-006", "SEC-007", "SEC-009", "SEC-015", "SEC-016", "AVL-002", "LAT-004",
        "CON-002",
    ];
    let checks = ids.map(|id| find(id).unwrap());
    assert_clean(&run(&server.url(), &checks, &options).await, &[]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_alone_do_not_show_is_not_observed() {
    let receiver = gallery::start("stores-doubles").await;
    let report = run(&receiver.url, &[find("JSN-017").unwrap()], &options(None)).await;
    assert_eq!(report.checks[0].outcome.verdict, Verdict::NotObserved);
    assert!(Human.render(&report).contains("1 check needs an observation: add `--observe-url URL`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_effects_shows_doubles() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("count.sh");
    for (flaw, expected) in [("none", Verdict::Pass), ("stores-repeats", Verdict::Fail)] {
        let receiver = gallery::start(flaw).await;
        // A receiver's owner would ask a database; here the file stands in, written beside the run.
        let file = directory.path().join(flaw);
        let copying = tokio::spawn(copy_effects(receiver.observe_url.clone(), file.clone()));
        std::fs::write(&script, format!("cat {} | wc -l\n", file.display())).unwrap();
        let mut options = options(None);
        options.settle = Duration::from_millis(300);
        options.observation = Some(Observation::Command(format!("sh {}", script.display())));
        let report = run(&receiver.url, &[find("DUP-001").unwrap()], &options).await;
        copying.abort();
        assert_eq!(report.checks[0].outcome.verdict, expected, "{}", Human.render(&report));
    }
}

/// A webhook of which a check says nothing has its effect too, and that is no failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_count_of_effects_holds_nothing_against_a_receiver_that_is_right() {
    let (server, observe_url) = correct(piopiy_receiver::Malformed::Quarantine).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("effects");
    std::fs::write(&file, "").unwrap();
    let copying = tokio::spawn(copy_effects(observe_url, file.clone()));
    let mut options = options(None);
    options.settle = Duration::from_millis(300);
    options.observation = Some(Observation::Command(format!("cat {} | wc -l", file.display())));
    let checks = ["LAT-001", "SEC-020"].map(|id| find(id).unwrap());
    let report = run(&server.url(), &checks, &options).await;
    copying.abort();
    for check in &report.checks {
        assert_ne!(check.outcome.verdict, Verdict::Fail, "{}", Human.render(&report));
    }
}

async fn copy_effects(url: String, file: std::path::PathBuf) {
    loop {
        let text = reqwest::get(&url).await.unwrap().text().await.unwrap();
        // In one step: a count must not find half of them.
        let next = file.with_extension("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(&next, &file).unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_and_nonce_send_the_same() {
    let mut sent = Vec::new();
    for nonce in [1, 1, 2] {
        let receiver = gallery::start("none").await;
        let mut options = options(None);
        options.nonce = piopiy_mock_platform::plan::Nonce(nonce);
        let mut checks = quick();
        // How far a search for the limit goes is the receiver's doing.
        checks.retain(|check| !check.tags.contains(&Tag::Load));
        let report = run(&receiver.url, &checks, &options).await;
        let port = Target::parse(&receiver.url, &[]).unwrap().authority();
        let stimuli = report.checks.iter().flat_map(|check| &check.evidence).map(|case| &case.stimulus);
        sent.push(stimuli.map(|stimulus| stimulus.replace(&port, "HOST")).collect::<Vec<_>>());
    }
    assert_eq!(sent[0], sent[1]);
    assert_ne!(sent[0], sent[2]);
}

/// One with a lock around all that it does is late for whatever comes while it is busy.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_late_beside_others_is_measured_alone() {
    let held_up = Arc::new(AtomicU32::new(0));
    let (busy, counted) = (Arc::new(AtomicU32::new(0)), Arc::clone(&held_up));
    let answer = async move || {
        let beside = busy.fetch_add(1, Ordering::SeqCst) > 0;
        // A longer time than a plain webhook may take.
        tokio::time::sleep(Duration::from_millis(if beside { 1_300 } else { 30 })).await;
        counted.fetch_add(u32::from(beside), Ordering::SeqCst);
        busy.fetch_sub(1, Ordering::SeqCst);
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(answer)).into_future());

    let checks =
        ["TRN-001", "TRN-006", "TRN-007", "SCH-001", "SCH-013", "PIO-012"].map(|id| find(id).unwrap());
    let report = run(&url, &checks, &options(None)).await;
    assert!(held_up.load(Ordering::SeqCst) > 0);
    assert_clean(&report, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_failures_are_excused_and_found_out() {
    let known =
        KnownFailures::parse("known.toml", "[[known]]\nid = 'DUP-001'\nreason = 'next month'\n").unwrap();
    for (flaw, expected) in [("stores-repeats", Verdict::KnownFailure), ("none", Verdict::Fail)] {
        let receiver = gallery::start(flaw).await;
        let mut options = options(Some(&receiver.observe_url));
        options.known = known.clone();
        let report = run(&receiver.url, &[find("DUP-001").unwrap()], &options).await;
        assert_eq!(report.checks[0].outcome.verdict, expected);
        assert_eq!(report.checks[0].is_stale_known_failure, flaw == "none");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_report_has_what_is_promised() {
    let receiver = gallery::start("conflict-for-repeats").await;
    let report = run(&receiver.url, &quick(), &options(Some(&receiver.observe_url))).await;
    let told: Value = serde_json::from_str(&reporter("json").unwrap().render(&report)).unwrap();
    for key in ["schema", "run_id", "seed", "target", "profile", "checks", "summary"] {
        assert!(!told[key].is_null(), "{key}");
    }
    let checks = told["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["id"] == "DUP-001").unwrap();
    assert_eq!(
        (&failed["verdict"], &failed["severity"], &failed["group"]),
        (&Value::from("fail"), &Value::from("must"), &Value::from("DUP"))
    );
    assert!(failed["detail"].as_str().unwrap().contains("409"));
    assert!(failed["reproducer"]["command"].as_str().unwrap().contains("--only DUP-001"));
    assert_eq!(failed["evidence"][0]["outcomes"], serde_json::json!(["200", "409"]));
}

#[tokio::test]
async fn nobody_there_is_told() {
    let url = crate::receivers::closed().await;
    let target = Target::parse(&url, &[]).unwrap();
    let error = run_checks(&target, &quick(), &options(None), &(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("start the receiver first"), "{error}");
    let server = Server::builder(MemoryStore::new()).bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&server.url(), &[]).unwrap();
    let blind = options(Some(&format!("http://{}/__observe", server.local_addr())));
    let error = run_checks(&target, &quick(), &blind, &(), std::future::pending()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be seen"), "{error}");
}
