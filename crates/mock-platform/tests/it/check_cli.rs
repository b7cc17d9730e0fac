//! `piopiy-mock check`, `checks` and `explain`: what they print, and how they end.

use std::time::Duration;

use assert_cmd::Command;
use rustix::process::Signal;

use piopiy_gallery as gallery;

/// Runs the program away from the test's runtime, which serves the receiver.
async fn run(args: &[&str]) -> (i32, String, String) {
    let mut args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    if args[0] == "check" {
        args.insert(1, "--no-failures".to_owned());
    }
    let run = move || {
        let mut command = Command::cargo_bin("piopiy-mock").unwrap();
        command.args(args).env_remove("GITHUB_ACTIONS").output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_those_documented() {
    let fine = gallery::start("none").await;
    let flawed = gallery::start("stores-repeats").await;
    let dup = ["--only", "DUP-001", "--settle", "100ms"];
    let check = async |url: &str, more: &[&str]| {
        let args: Vec<&str> = ["check", url].into_iter().chain(more.iter().copied()).collect();
        run(&args).await.0
    };
    let observed = |observe: &'static str| [&dup[..], &["--observe-url", observe]].concat();
    let (fine_observe, flawed_observe) = (fine.observe_url.clone().leak(), flawed.observe_url.clone().leak());
    assert_eq!(check(&fine.url, &observed(fine_observe)).await, 0);
    assert_eq!(check(&flawed.url, &observed(flawed_observe)).await, 1);
    for leave in [&["--exit-zero"][..], &["--fail-on", "never"]] {
        assert_eq!(check(&flawed.url, &[&observed(flawed_observe), leave].concat()).await, 0);
    }
    assert_eq!(check(&fine.url, &["--only", "XXX-*"]).await, 4);
    assert_eq!(check(&fine.url, &["--report", "nothing=x"]).await, 2);
    assert_eq!(check("http://app.example/", &[]).await, 2);
    assert_eq!(check(&crate::receivers::closed().await, &dup).await, 3);
    assert_eq!(check(&fine.url, &["--observe-url", &format!("{}/nothing", fine.url)]).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_stderr_and_machines_stdout() {
    let receiver = gallery::start("conflict-for-repeats").await;
    let (exit, stdout, stderr) =
        run(&["check", &receiver.url, "--only", "DUP-001,TRN-001", "--seed", "7", "--report", "json=-"])
            .await;
    assert_eq!(exit, 1);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["summary"]["failed"], 1);
    let lines: Vec<&str> = stderr.lines().collect();
    for line in [lines[0], lines[lines.len() - 1]] {
        assert!(line.contains("seed 0x7") && line.contains("rerun: piopiy-mock check"), "{line}");
    }
    assert!(stderr.contains("answered 409"), "{stderr}");
    assert!(stderr.contains("1 passed, 1 failed"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_are_listed_and_explained() {
    let (exit, stdout, _) = run(&["checks", "--json"]).await;
    assert_eq!(exit, 0);
    assert!(serde_json::from_str::<serde_json::Value>(&stdout).unwrap().is_array());
    let (exit, stdout, _) = run(&["explain", "trn-008"]).await;
    assert_eq!(exit, 0);
    assert!(stdout.contains("Transfer-Encoding: chunked"), "{stdout}");
    let (exit, _, stderr) = run(&["explain", "DUP-0001"]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("did you mean DUP-001?"), "{stderr}");
    let (exit, _, stderr) = run(&["explain", "FOO"]).await;
    assert_eq!(exit, 2);
    assert!(!stderr.contains("did you mean"), "{stderr}");
}

/// The suite starts the receiver, and leaves none behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_does_not_listen_is_told() {
    let url = crate::receivers::closed().await;
    let (exit, _, stderr) = run(&["check", &url, "--only", "TRN-001", "--", "no-such-receiver"]).await;
    assert_eq!(exit, 3);
    assert!(stderr.contains("`no-such-receiver` cannot be started"), "{stderr}");
}

/// Another program that has its port is not taken for it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_ends_before_the_first_check_is_told() {
    let (closed, other) = (crate::receivers::closed().await, gallery::start("none").await);
    for (url, why) in
        [(&closed, "see above what it said"), (&other.url, "something else listens where it should")]
    {
        let (exit, _, stderr) = run(&["check", url, "--only", "TRN-001", "--", "sh", "-c", "exit 7"]).await;
        assert_eq!(exit, 3);
        assert!(stderr.contains("ended (exit status: 7) before the first check"), "{stderr}");
        assert!(stderr.contains(why), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_selects_nothing_that_takes_many_minutes() {
    let listed = async |only: &'static str| {
        let (_, stdout, _) = run(&["check", "http://127.0.0.1:9/", "--list", "--only", only]).await;
        stdout
    };
    assert!(listed("DUP-013").await.contains("DUP-013"));
    let pattern = listed("DUP-*").await;
    assert!(pattern.contains("DUP-001") && !pattern.contains("DUP-013"), "{pattern}");
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_do_not_agree_are_inconclusive_and_said_so() {
    let fine = gallery::start("none").await;
    let args = ["check", &fine.url, "--only", "TRN-001,TRN-002", "--repeat", "3", "--report", "json=-"];
    let (exit, stdout, _) = run(&args).await;
    assert_eq!(exit, 0);
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["summary"]["passed"], 2);

    // It acknowledges once, and refuses from then on: the first run passes, unlike the second.
    let turning = wiremock::MockServer::start().await;
    let answer = |status| {
        wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(status))
    };
    // Ten for the baseline, the webhook of the check, and the plain one behind it.
    answer(200).up_to_n_times(12).mount(&turning).await;
    answer(400).mount(&turning).await;
    let args = ["check", &turning.uri(), "--only", "TRN-001", "--repeat", "2", "--report", "json=-"];
    let (exit, stdout, stderr) = run(&args).await;
    assert_eq!(exit, 4, "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["checks"][0]["verdict"], "inconclusive");
    let detail = report["checks"][0]["detail"].as_str().unwrap();
    assert!(detail.starts_with("flaky, in 2 runs: pass 1, fail 1; "), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_with_as_many_failures_as_are_put_up_with() {
    let refusing = wiremock::MockServer::start().await;
    let refuse = wiremock::ResponseTemplate::new(500);
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(refuse).mount(&refusing).await;
    let url = refusing.uri();
    let failed = async |more: &[&str]| {
        let args = [&["check", &url, "--group", "TRN,JSN", "--report", "json=-"][..], more].concat();
        let (exit, stdout, stderr) = run(&args).await;
        assert_eq!(exit, 1, "{stderr}");
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        (report["interrupted"].as_bool().unwrap(), report["checks"].as_array().unwrap().len())
    };
    let (is_stopped, all) = failed(&[]).await;
    assert!(!is_stopped);
    let (is_stopped, some) = failed(&["--fail-fast"]).await;
    assert!(is_stopped && some < all, "{some} of {all}");
    let (is_stopped, more) = failed(&["--max-fail", "18"]).await;
    assert!(is_stopped && some < more && more < all, "{some}, {more} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_comes_from_a_file() {
    let receiver = wiremock::MockServer::start().await;
    let with_token = wiremock::Mock::given(wiremock::matchers::header("Authorization", "Bearer s3cret"));
    with_token.respond_with(wiremock::ResponseTemplate::new(200)).mount(&receiver).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let args = ["check", &receiver.uri(), "--only", "TRN-001", "--report", "json=-"];
    let with = [&args[..], &["--token-file", file.to_str().unwrap()]].concat();
    let (exit, stdout, stderr) = run(&with).await;
    assert_eq!(exit, 0, "{stderr}");
    assert!(!stdout.contains("s3cret") && !stderr.contains("s3cret"), "{stdout}{stderr}");
    assert_eq!(run(&args).await.0, 1);
    std::fs::write(&file, "\n").unwrap();
    let (exit, _, stderr) = run(&with).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("token:1: there is no token"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_its_limit_is_an_error() {
    let tiring = tiring(Duration::from_secs(60)).await;
    let args = ["check", &tiring.uri(), "--only", "TRN-001", "--check-limit", "300ms", "--ack-limit", "30s"];
    let (exit, _, stderr) = run(&args).await;
    assert_eq!(exit, 3);
    assert!(stderr.contains("not over within 300ms: see --check-limit"), "{stderr}");
}

/// A receiver that acknowledges what the baseline is measured with, and takes its time from then on.
async fn tiring(delay: Duration) -> wiremock::MockServer {
    let receiver = wiremock::MockServer::start().await;
    let answer = |answer| wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer);
    answer(wiremock::ResponseTemplate::new(200)).up_to_n_times(10).mount(&receiver).await;
    answer(wiremock::ResponseTemplate::new(200).set_delay(delay)).mount(&receiver).await;
    receiver
}

/// Time passes at the receiver only where somebody has half an hour for it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_the_platforms_time_waits_for_it_on_request_only() {
    let fine = gallery::start("none").await;
    let args =
        ["check", &fine.url, "--observe-url", &fine.observe_url, "--only", "DUP-004", "--report", "json=-"];
    let (exit, stdout, _) = run(&args).await;
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &report["checks"][0]["verdict"]), (0, &serde_json::json!("not_observed")));
    assert_eq!(report["checks"][0]["unlock"], serde_json::json!(["--real-time or --hook-clock"]));

    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("piopiy-mock"))
        .args(args)
        .args(["--real-time", "--no-failures"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The ten of the baseline, and the first of the check; the next is due five minutes later.
    let effects = async || {
        let url = format!("{}?since=0", fine.observe_url);
        reqwest::get(url).await.unwrap().text().await.unwrap().lines().count()
    };
    while effects().await < 11 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(child.try_wait().unwrap().is_none());
    crate::cli::signal(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["not_run"], serde_json::json!(["DUP-004"]));
}

/// A receiver that takes no quarantine, and answers an empty body with 200, is warned of unless that is a ping.
#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_none_unless_it_is_declared() {
    let receiver = wiremock::MockServer::start().await;
    let given = |method| wiremock::Mock::given(wiremock::matchers::method(method));
    let capabilities = r#"{"observe":1,"fields":true,"state":true,"quarantine":true}"#;
    let answer = |body: &str| wiremock::ResponseTemplate::new(200).set_body_string(body);
    given("GET")
        .and(wiremock::matchers::query_param("capabilities", ""))
        .respond_with(answer(capabilities))
        .expect(1..)
        .mount(&receiver)
        .await;
    given("GET").respond_with(answer("")).mount(&receiver).await;
    given("POST").respond_with(wiremock::ResponseTemplate::new(200)).mount(&receiver).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("capabilities");
    std::fs::write(&file, "# what it has\nping\n").unwrap();
    let (url, declared) = (receiver.uri(), file.display().to_string());
    let args =
        ["check", &url, "--only", "JSN-005", "--observe-url", &url, "--settle", "50ms", "--report", "json=-"];
    for (more, expected) in [(&[][..], "warn"), (&["--capabilities", &declared], "pass")] {
        let (_, stdout, _) = run(&[&args[..], more].concat()).await;
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!(report["checks"][0]["verdict"], expected, "{}", report["checks"][0]["detail"]);
    }
}

/// A pattern that is misspelt is told, and where nothing is left there is a report of that, too.
#[tokio::test(flavor = "multi_thread")]
async fn patterns_that_fit_nothing_are_told() {
    let fine = gallery::start("none").await;
    let args = ["check", &fine.url, "--only", "TRN-001,TRM-*", "--skip", "DUB-001"];
    let (exit, _, stderr) = run(&args).await;
    assert_eq!(exit, 0, "{stderr}");
    for pattern in ["TRM-*", "DUB-001"] {
        assert!(stderr.contains(&format!("warning: no check has an id like {pattern};")), "{stderr}");
    }
    let (exit, stdout, _) = run(&["check", &fine.url, "--only", "XXX-*", "--report", "tap=-"]).await;
    assert_eq!(exit, 4);
    assert!(stdout.contains("1..0 # SKIP nothing ran"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_keeps_a_run_from_being_right() {
    let fine = gallery::start("none").await;
    let (exit, stdout, _) = run(&["doctor", &fine.url, "--observe-url", &fine.observe_url, "--json"]).await;
    assert_eq!(exit, 0, "{stdout}");
    let findings: Vec<serde_json::Value> = serde_json::from_str(&stdout).unwrap();
    let names: Vec<&str> = findings.iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    let expected = [
        "version",
        "config",
        "open files",
        "ports",
        "clock",
        "timers",
        "receiver",
        "http",
        "observe",
        "observe",
    ];
    assert_eq!(names, expected);
    let (exit, stdout, _) = run(&["doctor", &crate::receivers::closed().await]).await;
    assert_eq!(exit, 3);
    assert!(
        stdout.contains("fail  receiver    nobody listens at") && stdout.contains("-> start it"),
        "{stdout}"
    );
    let (exit, stdout, _) = run(&["doctor", "--observe-url", &format!("{}/nothing", fine.url)]).await;
    assert_eq!(exit, 3, "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn learning_ends_with_1_where_something_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let learn = async |text: &str| {
        let file = folder.path().join("capture.jsonl");
        std::fs::write(&file, text).unwrap();
        run(&["learn", file.to_str().unwrap()]).await
    };
    let body = r#"{"cmiuuid":"x","conversation_uuid":"y","leg":"a","status":"missed","direction":"inbound","duration":0}"#;
    let (exit, stdout, _) = learn(body).await;
    assert_eq!((exit, stdout.as_str()), (0, "1 webhooks, 0 things that the model has never produced\n"));
    let (exit, stdout, _) = learn(&body.replace('{', "{\"queue_447700900123\":1,")).await;
    assert_eq!(exit, 1);
    assert!(stdout.contains("`queue_############`: number (1 times, first at "), "{stdout}");
    let (exit, _, stderr) = learn("nonsense").await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("capture.jsonl:1: "), "{stderr}");
    assert_eq!(run(&["learn", "no-such-file"]).await.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn options_come_from_a_file_that_init_writes_and_never_writes_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("piopiy-mock.toml");
    let path = file.to_str().unwrap();
    assert_eq!(run(&["init", path]).await.0, 0);
    let (exit, _, stderr) = run(&["init", path]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("is there already"), "{stderr}");
    assert_eq!(run(&["init", path, "--force"]).await.0, 0);
    std::fs::write(&file, "[check]\nrepeat = 2\n").unwrap();
    let (exit, stdout, _) = run(&["config", "show", "check", "--origin", "--config", path]).await;
    assert_eq!(exit, 0);
    assert!(stdout.contains(&format!("repeat = 2  # {path}:2\n")), "{stdout}");
    assert!(stdout.contains("settle = \"500ms\"  # default\n"), "{stdout}");
    let mut show = Command::cargo_bin("piopiy-mock").unwrap();
    show.args(["config", "show", "check", "--config", path]).env("PIOPIY_MOCK_SEED", "abc");
    let output = tokio::task::spawn_blocking(move || show.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("PIOPIY_MOCK_SEED: `seed` of `check`"));
    let fine = gallery::start("none").await;
    let (exit, _, stderr) = run(&["check", &fine.url, "--only", "TRN-001", "--config", path]).await;
    assert_eq!(exit, 0, "{stderr}");
}
