//! What a failed check leaves behind, and that it makes it fail again.

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use piopiy_gallery::{self as gallery, Flawed};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, replay_case, run_checks};
use piopiy_mock_platform::judge::check::{CaseFile, Malformed, SigningKey, Verdict, find};
use piopiy_mock_platform::judge::report::{CheckResult, Human, Reporter};
use wiremock::ResponseTemplate;

use crate::check::{options_for, run, short};
use crate::cli::{check_refused, mock, stderr};
use crate::receivers::answering;

/// What a check of a flawed receiver left.
struct Failed {
    folder: tempfile::TempDir,
    result: CheckResult,
}

impl Failed {
    async fn of(receiver: &Flawed, id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = short(options_for(receiver));
        options.failures = Some(folder.path().to_owned());
        let mut report = run(&receiver.url, &[find(id).unwrap()], &options).await;
        assert_eq!(report.unwritten, Vec::<String>::new());
        Self { folder, result: report.checks.remove(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(&*self.result.id).join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn file(&self) -> CaseFile {
        CaseFile::parse("case.json", &self.text("case.json")).unwrap()
    }

    async fn replay(&self, receiver: &Flawed) -> CheckResult {
        let file = self.file();
        let mut options = short(options_for(receiver));
        options.nonce = CheckOptions::of(&file).nonce;
        let target = Target::parse(&receiver.url, &[]).unwrap();
        let mut report = replay_case(&target, &file, &options, &(), std::future::pending()).await.unwrap();
        report.checks.remove(0)
    }
}

/// One of each group, and some of those that are judged in another way.
const FLAWS: [(&str, &str); 17] = [
    ("redirects", "TRN-001"),
    ("wants-content-length", "TRN-008"),
    ("swaps-answers", "TRN-020"),
    ("decodes-lossily", "JSN-012"),
    ("stores-doubles", "JSN-017"),
    ("denies-unknown-members", "SCH-001"),
    ("breaks-on-streams", "PIO-011"),
    ("believes-the-last-event", "ORD-002"),
    ("asks-then-inserts", "DUP-002"),
    ("dedupes-by-cmiuuid", "DUP-006"),
    ("instances-dedupe-alone", "DUP-009"),
    ("stumbles-over-poison", "RTY-008"),
    ("answers-too-late", "LAT-002"),
    ("doubles", "CON-007"),
    ("shows-its-trace", "SEC-011"),
    ("echoes-trace", "SEC-019"),
    ("dies-of-garbage", "AVL-001"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_fails_again_and_passes_elsewhere() {
    let again = futures_util::stream::iter(FLAWS).map(|(flaw, id)| tokio::spawn(again(flaw, id)));
    let mut again = again.buffer_unordered(3);
    while let Some(done) = again.next().await {
        done.unwrap();
    }
}

async fn again(flaw: &'static str, id: &'static str) {
    let receiver = gallery::start(flaw).await;
    let failed = Failed::of(&receiver, id).await;
    let verdict = failed.result.outcome.verdict;
    assert_eq!(verdict, Verdict::Fail, "{flaw} {id}: {}", failed.result.outcome.detail);
    // One that died is not there any more.
    let second = gallery::start(flaw).await;
    for (what, receiver) in [("the same", &receiver), ("another", &second)] {
        if flaw == "dies-of-garbage" && what == "the same" {
            continue;
        }
        let result = failed.replay(receiver).await;
        assert_eq!(result.outcome.verdict, verdict, "{flaw} {id}, {what}: {}", result.outcome.detail);
    }
    let result = failed.replay(&gallery::start("none").await).await;
    let is_fine = matches!(result.outcome.verdict, Verdict::Pass | Verdict::NotObserved);
    assert!(is_fine, "{flaw} {id}, the correct one: {}", result.outcome.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_left_slow_is_not_compared_with_itself() {
    let receiver = gallery::start("redirects").await;
    let failed = Failed::of(&receiver, "TRN-001").await;
    let mut document: serde_json::Value = serde_json::from_str(&failed.text("case.json")).unwrap();
    assert!(document["baseline"].is_object(), "how long it took before is told");
    // Nobody is as quick as that any more.
    document["baseline"] = serde_json::json!({ "secs": 0, "nanos": 3_000 });
    let file = CaseFile::parse("case.json", &document.to_string()).unwrap();
    let other = gallery::start("redirects").await;
    for (receiver, is_same) in [(&receiver, true), (&other, false)] {
        let options = short(options_for(receiver));
        let target = Target::parse(&receiver.url, &[]).unwrap();
        let report = replay_case(&target, &file, &options, &(), std::future::pending()).await.unwrap();
        assert_eq!(report.baseline_us == 3, is_same, "{} µs", report.baseline_us);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_has_all_that_is_promised_and_only_cases_that_fail() {
    let receiver = gallery::start("breaks-on-options").await;
    let failed = Failed::of(&receiver, "TRN-005").await;
    assert_eq!(failed.result.reproducer.folder, None, "what only warns leaves nothing");

    let receiver = gallery::start("refuses-without-allow").await;
    let failed = Failed::of(&receiver, "TRN-004").await;
    let folder = failed.path("").display().to_string();
    assert_eq!(failed.result.reproducer.folder.as_deref(), Some(folder.trim_end_matches('/')));
    for name in ["README.md", "case.json", "raw.sh", "curl.sh", "httpie.sh", "test.rs", "request-1.bin"] {
        assert!(failed.path(name).exists(), "{name}");
    }
    let request = failed.text("request-1.bin");
    assert!(request.ends_with("\r\n\r\n") && request.contains("/webhook/cdr HTTP/1.1\r\n"), "{request}");
    let curl = failed.result.reproducer.curl.clone().unwrap();
    assert!(curl.starts_with("curl -sS -i ") && curl.contains(&receiver.url), "{curl}");

    // Another run takes the place of what was there.
    std::fs::write(failed.path("old"), "").unwrap();
    let mut options = short(options_for(&receiver));
    options.failures = Some(failed.folder.path().to_owned());
    let report = run(&receiver.url, &[find("TRN-004").unwrap()], &options).await;
    assert!(!failed.path("old").exists() && failed.path("case.json").exists());
    assert!(Human.render(&report).contains("reproducer: "), "{}", Human.render(&report));
    assert_eq!(std::fs::read_dir(failed.folder.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_is_told() {
    let receiver = gallery::start("redirects").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut options = short(options_for(&receiver));
    options.failures = Some(file);
    let report = run(&receiver.url, &[find("TRN-001").unwrap()], &options).await;
    assert!(report.unwritten[0].contains("cannot be written"), "{:?}", report.unwritten);
    assert_eq!(report.checks[0].reproducer.folder, None);
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_written_and_none_is_needed_twice() {
    const TOKEN: &str = "Basic bWU6c2VjcmV0LXdvcmQ=";
    let receiver = gallery::start("asks-for-no-secret").await;
    let with_password = receiver.observe_url.replace("http://", "http://me:pass-word@");
    let folder = tempfile::tempdir().unwrap();
    let mut options = short(options_for(&receiver));
    options.headers = vec![("Authorization".to_owned(), TOKEN.to_owned())];
    options.observation = Some(Observation::Url(Target::parse(&with_password, &[]).unwrap()));
    options.failures = Some(folder.path().to_owned());
    let url = format!("{}?token=query-word", receiver.url);
    let target = Target::parse(&url, &[]).unwrap();
    let checks = [find("SEC-015").unwrap()];
    let report = run_checks(&target, &checks, &options, &(), std::future::pending()).await.unwrap();
    assert_eq!(report.checks[0].outcome.verdict, Verdict::Fail, "{}", Human.render(&report));

    let left = folder.path().join("SEC-015");
    let reversed: String = TOKEN.chars().rev().collect();
    for (path, bytes) in files(&left) {
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["bWU6c2VjcmV0LXdvcmQ", "pass-word", "query-word", &reversed[..12], "Basic bWU6"] {
            assert!(!text.contains(secret), "{} has {secret}: {text}", path.display());
        }
    }
    let text = std::fs::read_to_string(left.join("case.json")).unwrap();
    let file = CaseFile::parse("case.json", &text).unwrap();
    let mut options = CheckOptions::of(&file);
    let without = replay_case(&target, &file, &options, &(), std::future::pending()).await.unwrap_err();
    assert!(without.to_string().contains("--token"), "{without}");
    options.headers = vec![("Authorization".to_owned(), "Bearer another".to_owned())];
    let again = replay_case(&target, &file, &options, &(), std::future::pending()).await.unwrap();
    assert_eq!(again.checks[0].outcome.verdict, Verdict::Fail, "{}", Human.render(&again));
}

/// A signature is for one body at one time: with the key each is made anew, also where a request is halted on its way.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_signed_again() {
    let receiver = gallery::start("takes-old-signatures").await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = short(options_for(&receiver));
    options.headers.clear();
    options.signing_key = Some(SigningKey::parse(gallery::SIGNING_KEY).unwrap());
    options.failures = Some(folder.path().to_owned());
    // What is no JSON is refused: then that is wrong.
    options.malformed = Malformed::Quarantine;
    let target = Target::parse(&receiver.url, &[]).unwrap();
    let checks = ["SEC-018", "JSN-007"].map(|id| find(id).unwrap());
    let report = run_checks(&target, &checks, &options, &(), std::future::pending()).await.unwrap();
    for check in &report.checks {
        assert_eq!(check.outcome.verdict, Verdict::Fail, "{}", Human.render(&report));
        let left = folder.path().join(&*check.id);
        for (path, bytes) in files(&left) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(&gallery::SIGNING_KEY[6..20]), "{} has the key", path.display());
        }
        let text = std::fs::read_to_string(left.join("case.json")).unwrap();
        assert!(text.contains("webhook-timestamp: {{piopiy:signed.0.time}}"), "{text}");
        let file = CaseFile::parse("case.json", &text).unwrap();
        let mut again = CheckOptions::of(&file);
        let without = replay_case(&target, &file, &again, &(), std::future::pending()).await.unwrap_err();
        assert!(without.to_string().contains("signature=KEY"), "{without}");
        again.signing_key.clone_from(&options.signing_key);
        again.observation.clone_from(&options.observation);
        for exact_ids in [false, true] {
            again.exact_ids = exact_ids;
            again.malformed = options.malformed;
            let report = replay_case(&target, &file, &again, &(), std::future::pending()).await.unwrap();
            let verdict = report.checks[0].outcome.verdict;
            assert_eq!(verdict, Verdict::Fail, "{exact_ids}: {}", Human.render(&report));
        }
    }
}

#[tokio::test]
async fn ids_are_fresh_unless_they_are_to_stay() {
    // Refuses all: each case fails, and nothing but the requests of the case follows the canaries.
    let receiver = answering(ResponseTemplate::new(409)).await;
    let folder = tempfile::tempdir().unwrap();
    let mut options = CheckOptions::default();
    options.failures = Some(folder.path().to_owned());
    let url = format!("{}/webhook/cdr", receiver.uri());
    let target = Target::parse(&url, &[]).unwrap();
    let checks = [find("TRN-010").unwrap()];
    run_checks(&target, &checks, &options, &(), std::future::pending()).await.unwrap();
    let sent = async || {
        let requests = receiver.received_requests().await.unwrap();
        let chunked = requests.iter().filter(|request| request.headers.contains_key("transfer-encoding"));
        let bodies: Vec<String> =
            chunked.map(|request| String::from_utf8(request.body.clone()).unwrap()).collect();
        receiver.reset().await;
        wiremock::Mock::given(wiremock::matchers::any())
            .respond_with(ResponseTemplate::new(409))
            .mount(&receiver)
            .await;
        bodies
    };
    let first = sent().await;
    assert!(!first.is_empty());
    let text = std::fs::read_to_string(folder.path().join("TRN-010/case.json")).unwrap();
    let file = CaseFile::parse("case.json", &text).unwrap();
    let mut options = CheckOptions::of(&file);
    for is_exact in [true, false] {
        options.exact_ids = is_exact;
        replay_case(&target, &file, &options, &(), std::future::pending()).await.unwrap();
        let again = sent().await;
        assert_eq!(again.len(), first.len());
        for (again, first) in again.iter().zip(&first) {
            assert_eq!(again.len(), first.len());
            assert_eq!(again == first, is_exact, "{again}\n{first}");
        }
    }
}

/// The receiver dedupes what has no id: it took the empty body once.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_id_may_be_a_repeat() {
    let flawed = gallery::start("takes-emptiness").await;
    let other = gallery::start("takes-emptiness").await;
    let folder = tempfile::tempdir().unwrap();
    let runs = move || {
        let failures = folder.path().display().to_string();
        let quick = ["--settle", "100ms", "--malformed", "quarantine"];
        let check = ["check", &flawed.url, "--observe-url", &flawed.observe_url, "--only", "JSN-005"];
        let output = mock(&[&check[..], &["--failures", &failures], &quick].concat());
        assert!(stderr(&output).contains("JSN-005  failed"), "{}", stderr(&output));
        let left = folder.path().join("JSN-005").display().to_string();
        let again = mock(&["replay", &left, "--settle", "100ms"]);
        assert!(
            stderr(&again).contains("JSN-005 was fail, and is warn now\nWhat it sends has no id"),
            "{}",
            stderr(&again)
        );
        let elsewhere =
            ["replay", &left, &other.url, "--observe-url", &other.observe_url, "--settle", "100ms"];
        let elsewhere = stderr(&mock(&elsewhere));
        assert!(elsewhere.contains("is fail now") && !elsewhere.contains("has no id"), "{elsewhere}");
    };
    tokio::task::spawn_blocking(runs).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_replays_a_folder() {
    let flawed = gallery::start("stores-repeats").await;
    let fine = gallery::start("none").await;
    let folder = tempfile::tempdir().unwrap();
    let (failures, url) = (folder.path().display().to_string(), flawed.url.clone());
    let (observe, others) = (flawed.observe_url.clone(), fine.observe_url.clone());
    let left = folder.path().join("DUP-001").display().to_string();
    let runs = move || {
        let quick = ["--settle", "100ms"];
        let check = ["check", &url, "--observe-url", &observe, "--only", "DUP-001", "--failures", &failures];
        let output = mock(&[&check[..], &quick].concat());
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains(&format!("reproducer: {left}")), "{}", stderr(&output));
        // The receiver, and where its effects are seen, are those of the failed run unless others are given.
        let file = format!("{left}/case.json");
        for args in [&["replay", &left][..], &["replay", &file], &["replay", &left, "--exit-zero"]] {
            let output = mock(&[args, &quick].concat());
            let code = i32::from(args.len() == 2);
            assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
            assert!(stderr(&output).contains("DUP-001 was fail, and is fail now"), "{}", stderr(&output));
        }
        let output = mock(&[&["replay", &left, &fine.url, "--observe-url", &others][..], &quick].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let output = mock(&["replay", &left, "--help"]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("--exact-ids"));

        std::fs::write(&file, r#"{"schema":"piopiy-mock.case/v9"}"#).unwrap();
        check_refused(&["replay", &left], 2, "is of schema \"piopiy-mock.case/v9\"");
        let empty = tempfile::tempdir().unwrap().keep().display().to_string();
        check_refused(&["replay", &empty], 2, "cannot be read");
        let none = mock(&["check", &fine.url, "--only", "TRN-001", "--no-failures"]);
        assert_eq!(none.status.code(), Some(0), "{}", stderr(&none));
    };
    tokio::task::spawn_blocking(runs).await.unwrap();
}
