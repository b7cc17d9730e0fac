//! Random schedules, against receivers that listen.

use std::path::Path;

use piopiy_gallery as gallery;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, ExploreOptions, replay_case};
use piopiy_mock_platform::judge::check::{CaseFile, Verdict};
use piopiy_mock_platform::judge::report::{CheckReport, Exploration, Find, Human, Reporter};
use piopiy_mock_platform::plan::Seed;
use piopiy_receiver::{Server, ServerOptions, StoreLocation};

use crate::check;

/// Explores so many schedules, and nothing else.
async fn explored(url: &str, observe_url: Option<&str>, schedules: u64, seed: u64) -> CheckReport {
    run(check::options(observe_url), url, schedules, seed).await
}

/// The same; what fails gets a folder in this one.
async fn explored_into(
    folder: &Path,
    url: &str,
    observe_url: Option<&str>,
    schedules: u64,
    seed: u64,
) -> CheckReport {
    let mut options = check::options(observe_url);
    options.failures = Some(folder.to_owned());
    run(options, url, schedules, seed).await
}

async fn run(mut options: CheckOptions, url: &str, schedules: u64, seed: u64) -> CheckReport {
    options.seed = Seed(seed);
    let mut explore = ExploreOptions::default();
    explore.most = Some(schedules);
    options.explore = Some(explore);
    check::run(url, &[], &options).await
}

fn exploration(report: &CheckReport) -> &Exploration {
    report.exploration.as_ref().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_then_insert_is_found_and_shrunk_to_two_deliveries_of_one_webhook() {
    let receiver = gallery::start("asks-then-inserts").await;
    let folder = tempfile::tempdir().unwrap();
    let report = explored_into(folder.path(), &receiver.url, Some(&receiver.observe_url), 64, 1).await;
    let told = Human.render(&report);
    let find = exploration(&report).findings.iter().find(|find| find.kind == "duplicated").expect(&told);
    assert_eq!(find.verdict, Verdict::Fail, "{told}");
    assert!(find.schedule.starts_with("two deliveries of the same "), "{told}");
    assert!(find.schedule.ends_with("at the same time") || find.schedule.ends_with("ms apart"), "{told}");
    assert_eq!(find.detail, "2 effects, expected one", "{told}");
    assert!(find.fails > 0 && find.of >= 10, "{told}");
    assert_eq!(find.evidence.len(), 1);
    assert_eq!(find.evidence[0].outcomes, ["200", "200"]);
    assert!(find.reproducer.command.contains("--explore"), "{told}");
    assert!(told.contains("reproducer: "), "{told}");
    let left = left(find);
    assert!(left.detail().contains("2 effects, expected one"), "{}", left.detail());
    for (flaw, expected) in [("asks-then-inserts", Verdict::Fail), ("none", Verdict::Pass)] {
        assert_eq!(replayed(&left, flaw).await, expected, "{flaw}: {told}");
    }
}

/// What a find has left behind.
fn left(find: &Find) -> CaseFile {
    let folder = Path::new(find.reproducer.folder.as_ref().unwrap());
    assert!(folder.ends_with(&find.id), "{folder:?}");
    for name in ["README.md", "raw.sh", "curl.sh", "httpie.sh", "test.rs", "request-1.bin"] {
        assert!(folder.join(name).exists(), "{name}");
    }
    let file = CaseFile::parse("case.json", &std::fs::read_to_string(folder.join("case.json")).unwrap());
    let file = file.unwrap();
    assert_eq!((file.id(), file.verdict()), (&*find.id, find.verdict));
    file
}

/// The same against another receiver.
async fn replayed(file: &CaseFile, flaw: &str) -> Verdict {
    let receiver = gallery::start(flaw).await;
    let mut options = check::options(Some(&receiver.observe_url));
    options.nonce = CheckOptions::of(file).nonce;
    let target = Target::parse(&receiver.url, &[]).unwrap();
    let report = replay_case(&target, file, &options, &(), std::future::pending()).await.unwrap();
    report.checks[0].outcome.verdict
}

/// Each kind of fault is judged again as it was: what is stored wrong, and what state a call is left in.
#[tokio::test(flavor = "multi_thread")]
async fn finds_of_every_kind_fail_again_and_pass_elsewhere() {
    for flaw in ["believes-the-last-event", "stores-phone-numbers-as-numbers", "stores-repeats"] {
        let receiver = gallery::start(flaw).await;
        let folder = tempfile::tempdir().unwrap();
        let report = explored_into(folder.path(), &receiver.url, Some(&receiver.observe_url), 48, 1).await;
        let finds = &exploration(&report).findings;
        assert!(!finds.is_empty(), "{flaw}: {}", Human.render(&report));
        for find in finds {
            let left = left(find);
            assert_eq!(replayed(&left, flaw).await, Verdict::Fail, "{flaw}: {}", find.title);
            assert_eq!(replayed(&left, "none").await, Verdict::Pass, "{flaw}: {}", find.title);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_correct_receiver_raises_nothing_on_either_rung() {
    let options = ServerOptions { observe: true, ..ServerOptions::default() };
    let server = Server::builder(StoreLocation::Memory.open(true).unwrap()).options(options);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let observe_url = format!("http://{}/__observe", server.local_addr());
    let mut deliveries = Vec::new();
    for observe_url in [Some(observe_url.as_str()), None] {
        let report = explored(&server.url(), observe_url, 96, 2).await;
        let exploration = exploration(&report);
        assert!(exploration.findings.is_empty(), "{}", Human.render(&report));
        assert_eq!((exploration.schedules, &exploration.error), (96, &None));
        assert!(exploration.not_observed.is_empty(), "{:?}", exploration.not_observed);
        deliveries.push((exploration.webhooks, exploration.deliveries));
        // Ids are those of the seed and the nonce: the second time they were all seen before, if they were the same.
    }
    assert_eq!(deliveries[0], deliveries[1], "the same seed, other schedules");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_alone_show_what_they_show() {
    let receiver = gallery::start("conflict-for-repeats").await;
    let report = explored(&receiver.url, None, 32, 3).await;
    let find = &exploration(&report).findings[0];
    assert_eq!((find.kind.as_str(), find.fails), ("answered 409", find.of));
    assert!(find.schedule.ends_with(", one after the other"), "{}", find.title);
    // Who stores twice and says nothing cannot be told from outside.
    let receiver = gallery::start("stores-repeats").await;
    let report = explored(&receiver.url, None, 32, 3).await;
    assert!(exploration(&report).findings.is_empty(), "{}", Human.render(&report));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_told_where_the_run_is_stopped() {
    let receiver = gallery::start("stores-repeats").await;
    let mut options = check::options(Some(&receiver.observe_url));
    options.explore = Some(ExploreOptions::default());
    let folder = tempfile::tempdir().unwrap();
    options.failures = Some(folder.path().to_owned());
    let target = Target::parse(&receiver.url, &[]).unwrap();
    let (found, stop) = tokio::sync::watch::channel(false);
    let mut stop = stop;
    let stopped = async move { stop.wait_for(|found| *found).await.map(drop).unwrap() };
    let progress = UntilFound(found);
    let run =
        piopiy_mock_platform::deliver::check_run::run_checks(&target, &[], &options, &progress, stopped);
    let report = run.await.unwrap();
    assert!(report.interrupted);
    let find = &exploration(&report).findings[0];
    assert_eq!(find.kind, "duplicated");
    assert_eq!(replayed(&left(find), "stores-repeats").await, Verdict::Fail, "{}", find.title);
}

/// Says when there is something to tell.
struct UntilFound(tokio::sync::watch::Sender<bool>);

impl piopiy_mock_platform::deliver::check_run::Progress for UntilFound {
    fn begun(&self, _check: &str) {}

    fn over(&self, _over: usize, _of: usize, _check: &str) {}

    fn explored(&self, so_far: &str) {
        if so_far.contains("expected one") {
            self.0.send_replace(true);
        }
    }
}
