//! The command line, as people and scripts meet it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use wiremock::ResponseTemplate;

use crate::receivers::{answering, answering_in_turn, closed, raw};

/// Sends a child a signal; by the system itself, for not every machine has `kill`.
pub(crate) fn signal(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_piopiy-mock"));
    command.args(args).env_clear().env("LANG", "C.UTF-8").env("COLUMNS", "100");
    command
}

pub(crate) fn mock(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The command ends with `code` and says `part` on stderr.
pub(crate) fn check_refused(args: &[&str], code: i32, part: &str) {
    let output = mock(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(part), "{args:?}: {}", stderr(&output));
    assert_eq!(stdout(&output), "", "{args:?}: nothing but data goes to stdout");
}

/// The text with what differs from run to run replaced.
fn redacted(text: &str, url: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.replace(url, "URL").lines() {
        // Only the numbers in front of ` ms` are times of the machine.
        let words: Vec<&str> = line.split(' ').collect();
        let is_time =
            |at: usize| words.get(at + 1).is_some_and(|unit| unit.trim_end_matches('\u{1b}') == "ms");
        let words: Vec<&str> = (0..words.len()).map(|at| if is_time(at) { "N" } else { words[at] }).collect();
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

#[test]
fn help_has_examples_and_the_exit_codes() {
    for (name, args) in [
        ("help", vec!["--help"]),
        ("help_run", vec!["run", "--help"]),
        ("help_call", vec!["call", "--help"]),
        ("help_send", vec!["send", "--help"]),
        ("help_replay", vec!["replay", "--help"]),
        ("help_load", vec!["load", "--help"]),
        ("help_load_compare", vec!["load", "compare", "--help"]),
        ("help_load_merge", vec!["load", "merge", "--help"]),
        ("help_serve", vec!["serve", "--help"]),
        ("help_ca", vec!["ca", "--help"]),
        ("help_stream_check", vec!["stream-check", "--help"]),
    ] {
        let output = mock(&args);
        assert!(output.status.success());
        insta::assert_snapshot!(name, stdout(&output));
    }
    assert_eq!(stdout(&mock(&["--version"])), format!("piopiy-mock {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    check_refused(&["run"], 2, "--to <URL>");
    check_refused(&["run", "--to", "http://127.0.0.1:1/", "--time-scale", "0"], 2, "positive number");
    check_refused(
        &["run", "--to", "http://127.0.0.1:1/", "--fault-loss", "2"],
        2,
        "`loss` must be between 0 and 1",
    );
    check_refused(&["run", "--to", "http://127.0.0.1:1/", "--schedule", "5m,0s"], 2, "must begin at 0");
    check_refused(
        &["run", "--to", "http://127.0.0.1:1/", "--timeout", "5"],
        2,
        "write it like 250ms, 5s, 10m or 1h",
    );
    check_refused(
        &["run", "--to", "http://127.0.0.1:1/", "--cdr-policy", "sometimes"],
        2,
        "until-ack, always, never",
    );
    check_refused(&["call", "inbound-anwsered", "--to", "http://127.0.0.1:1/"], 2, "inbound-answered");
    check_refused(
        &["send", "cdr.inbound.mised", "--to", "http://127.0.0.1:1/"],
        2,
        "did you mean cdr.inbound.missed?",
    );
    check_refused(
        &["send", "cdr.inbound.missed", "--set", "x", "--to", "http://127.0.0.1:1/"],
        2,
        "key=value",
    );
    for zero in [["--timeout", "0s"], ["--concurrency", "0"], ["--connections", "0"]] {
        check_refused(&[&["run", "--to", "http://127.0.0.1:1/"][..], &zero].concat(), 2, "must be above 0");
    }
    check_refused(
        &["send", "live.hangup", "--direction", "up", "--to", "http://127.0.0.1:1/"],
        2,
        "neither inbound nor outbound",
    );
    check_refused(&["replay", "/nonexistent.jsonl", "--to", "http://127.0.0.1:1/"], 2, "/nonexistent.jsonl");
}

#[test]
fn hosts_beyond_this_machine_have_to_be_allowed() {
    check_refused(&["run", "--to", "http://192.0.2.1/"], 2, "`--allow-host 192.0.2.1`");
    check_refused(
        &["send", "cdr.inbound.missed", "--to", "http://example.com:81/x"],
        2,
        "`--allow-host example.com:81`",
    );
    check_refused(&["run", "--to", "https://127.0.0.1/"], 2, "to http:// alone");
    let observed = ["run", "--to", "http://127.0.0.1:1/", "--observe-url", "http://192.0.2.1/"];
    check_refused(&observed, 2, "not on this machine");
}

#[tokio::test]
async fn a_target_that_is_not_there_ends_with_3() {
    let url = closed().await;
    check_refused(&["run", "--to", &url, "--calls", "1"], 3, "start the receiver first");
    check_refused(&["call", "--to", &url], 3, "start the receiver first");
}

#[tokio::test]
async fn a_run_tells_what_came_of_it_and_how_to_do_it_again() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let url = format!("{}/webhook/cdr", receiver.uri());
    let args = [
        "run",
        "--to",
        &url,
        "--calls",
        "3",
        "--jump",
        "--seed",
        "7",
        "--nonce",
        "9",
        "--epoch",
        "1767225600000",
    ];
    let output = mock(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    insta::assert_snapshot!(redacted(&text, &url));
    assert_eq!(text.lines().next(), text.lines().last());

    let bodies = async || -> Vec<Vec<u8>> {
        receiver.received_requests().await.unwrap().into_iter().map(|request| request.body).collect()
    };
    let once = bodies().await;
    let rerun = text.lines().next().unwrap().split("rerun: piopiy-mock ").nth(1).unwrap();
    assert_eq!(mock(&rerun.split(' ').collect::<Vec<_>>()).status.code(), Some(0));
    assert_eq!(bodies().await, [once.clone(), once].concat());
}

#[tokio::test]
async fn json_is_one_document_on_stdout_and_text_goes_to_stderr() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let output = mock(&["run", "--to", &receiver.uri(), "--calls", "2", "--jump", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "piopiy-mock.summary/v1");
    assert_eq!(document["exit"], 0);
    assert_eq!(document["summary"]["planned"], document["summary"]["acknowledged"]);
    assert_eq!(document["summary"]["observed"], serde_json::Value::Null);
    assert!(stderr(&output).contains("rerun: piopiy-mock run"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_ends_with_1() {
    let receiver = answering(ResponseTemplate::new(500)).await;
    let output = mock(&["send", "cdr.inbound.missed", "--to", &receiver.uri()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).contains("cdr.inbound.missed  500"));
    assert_eq!(receiver.received_requests().await.unwrap().len(), 1, "sent once");

    let reset = raw(b"").await;
    let output = mock(&["run", "--to", &reset, "--calls", "1", "--jump"]);
    assert_eq!(output.status.code(), Some(0), "no answer alone is no failure: {}", stderr(&output));
    assert!(stderr(&output).contains("ambiguous: the receiver may have acted"), "{}", stderr(&output));
}

#[tokio::test]
async fn an_observer_shows_what_was_lost() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let observe = format!("{}/__observe", receiver.uri());
    let args =
        ["send", "cdr.inbound.missed", "--to", &receiver.uri(), "--observe-url", &observe, "--settle", "1ms"];
    let output = mock(&args);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("planned 1 = acknowledged 1 ≠ effects 0, lost 1, duplicated 0"));

    let broken = closed().await;
    let args = ["send", "cdr.inbound.missed", "--to", &receiver.uri(), "--observe-url", &broken];
    check_refused(&args, 3, "could not be asked for effects");
}

#[tokio::test]
async fn send_sets_members_counts_and_sends_bodies_as_they_are() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let url = receiver.uri();
    let sent = ["send", "cdr.inbound.missed", "--to", &url, "--set", "from=447700900123", "--count", "3"];
    assert_eq!(mock(&sent).status.code(), Some(0));
    assert_eq!(mock(&["send", "--body", "{\"half\":", "--to", &url]).status.code(), Some(0));
    let mut child = command(&["send", "--body", "-", "--to", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"\xff\x00").unwrap();
    assert!(child.wait().unwrap().success());

    let requests = receiver.received_requests().await.unwrap();
    let bodies: Vec<&[u8]> = requests.iter().map(|request| request.body.as_slice()).collect();
    assert_eq!(bodies.len(), 5);
    let ids: std::collections::BTreeSet<String> = bodies[..3]
        .iter()
        .map(|body| {
            let body: serde_json::Value = serde_json::from_slice(body).unwrap();
            assert_eq!(body["from"], 447_700_900_123_u64);
            body["cmiuuid"].to_string()
        })
        .collect();
    assert_eq!(ids.len(), 3, "each has an id of its own");
    assert_eq!(bodies[3..], [b"{\"half\":".as_slice(), b"\xff\x00"]);
}

/// A call whose CDR is refused once, drawn in a terminal of `env`.
async fn drawn(args: &[&str], env: &[(&str, &str)]) -> String {
    let receiver = answering_in_turn(&[200, 200, 503, 200]).await;
    let url = receiver.uri();
    let fixed =
        ["call", "inbound-answered", "--to", &url, "--jump", "--seed", "7", "--nonce", "9", "--epoch", "0"];
    let output = command(&[&fixed, args].concat()).envs(env.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let ladder: Vec<&str> = text.lines().skip(1).take_while(|line| !line.starts_with("  planned")).collect();
    redacted(&ladder.join("\n"), &url)
}

#[tokio::test]
async fn a_call_is_drawn() {
    insta::assert_snapshot!("call_wide", drawn(&[], &[]).await);
    insta::assert_snapshot!("call_narrow", drawn(&[], &[("COLUMNS", "40")]).await);
    let ascii = drawn(&[], &[("LANG", "C")]).await;
    insta::assert_snapshot!("call_ascii", ascii);
    assert_eq!(drawn(&["--ascii"], &[]).await, ascii);
    assert_eq!(drawn(&[], &[("TERM", "dumb")]).await, ascii);
}

#[tokio::test]
async fn colour_is_for_terminals_and_for_who_asks() {
    let is_green = |text: &str| text.contains("\x1b[32m200");
    assert!(!is_green(&drawn(&[], &[]).await));
    assert!(is_green(&drawn(&["--color", "always"], &[]).await));
    assert!(is_green(&drawn(&[], &[("CLICOLOR_FORCE", "1")]).await));
    assert!(!is_green(&drawn(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).await));
}

#[tokio::test]
async fn a_scenario_of_which_nothing_is_told_is_refused() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let url = receiver.uri();
    let old = ["--to", &url, "--profile", "global-2022", "--documented-only"];
    for command in [&["run", "--jump", "--scenario", "outbound-answered"][..], &["call", "outbound-answered"]]
    {
        check_refused(&[command, &old].concat(), 2, "nothing to send in profile global-2022");
    }
    let some = mock(&[&["run", "--jump", "--calls", "30"][..], &old].concat());
    assert!(stderr(&some).contains("left out: outbound-answered"), "{}", stderr(&some));
    assert_eq!(some.status.code(), Some(0), "{}", stderr(&some));
}

#[tokio::test]
async fn secrets_of_urls_are_not_shown_or_written_down() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let url = receiver.uri().replace("http://", "http://me:hunter2@");
    let url = format!("{url}/webhook?token=hunter2&id=7");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.jsonl");
    let file = path.display().to_string();
    let output =
        mock(&["run", "--to", &url, "--calls", "1", "--jump", "--ledger", &file, "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for text in [stdout(&output), stderr(&output), std::fs::read_to_string(&path).unwrap()] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("/webhook?token=***&id=7"), "{text}");
    }
    let asked = &receiver.received_requests().await.unwrap()[0];
    assert_eq!(asked.url.query(), Some("token=hunter2&id=7"), "but they are sent");
}

#[tokio::test]
async fn send_finds_the_direction_and_sets_members_of_a_body() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let url = receiver.uri();
    for direction in ["inbound", "outbound"] {
        let args = ["send", "live.stream_connected", "--direction", direction, "--to", &url];
        assert_eq!(mock(&args).status.code(), Some(0));
    }
    let args = ["send", "--body", "{\"a\":1}", "--set", "b=2", "--to", &url];
    assert_eq!(mock(&args).status.code(), Some(0));
    let requests = receiver.received_requests().await.unwrap();
    let bodies: Vec<_> = requests.iter().map(|request| String::from_utf8_lossy(&request.body)).collect();
    assert!(bodies[0].contains("inbound") && bodies[1].contains("outbound"), "{bodies:?}");
    assert_eq!(bodies[2], "{\"a\":1,\"b\":2}");
}

#[tokio::test]
async fn a_terminal_without_utf8_is_told_in_ascii() {
    let receiver = answering(ResponseTemplate::new(503)).await;
    let args = ["run", "--to", &receiver.uri(), "--calls", "20", "--jump", "--fault-loss", "0.5"];
    let output = command(&args).env("LANG", "C").output().unwrap();
    assert!(stdout(&output).contains(" - injected losses "), "{}", stdout(&output));
    assert!(stdout(&output).contains(" != acknowledged 0"), "{}", stdout(&output));
    assert!(stdout(&output).is_ascii(), "{}", stdout(&output));
}
