//! The command line, as people and scripts meet it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

use piopiy_mock_platform::deliver::ledger::{Entry, read};
use wiremock::ResponseTemplate;

use crate::receivers::{answering, answering_in_turn, closed, raw};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_piopiy-mock"));
    command.args(args).env_clear().env("LANG", "C.UTF-8").env("COLUMNS", "100");
    command
}

fn mock(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The command ends with `code` and says `part` on stderr.
fn check_refused(args: &[&str], code: i32, part: &str) {
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
    check_refused(&["run", "--to", "https://127.0.0.1/"], 2, "only http://");
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
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
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
async fn a_run_that_is_replayed_sends_the_same_with_fresh_ids() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.jsonl");
    let (url, file) = (receiver.uri(), path.display().to_string());
    let run = mock(&["run", "--to", &url, "--calls", "5", "--jump", "--chaos", "--ledger", &file]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let count = async || receiver.received_requests().await.unwrap().len();
    let once = count().await;
    for more in [&["--exact-ids"][..], &[], &["--nonce", "5"]] {
        let output = mock(&[&["replay", &file, "--to", &url], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    assert_eq!(count().await, 4 * once);
    let mut bodies: Vec<Vec<u8>> =
        receiver.received_requests().await.unwrap().into_iter().map(|request| request.body).collect();
    bodies[..2 * once].sort();
    let twice = bodies[..2 * once].chunks(2).all(|pair| pair[0] == pair[1]);
    assert!(twice, "with --exact-ids every body comes again");
    assert!(bodies[2 * once..].iter().all(|body| !bodies[..once].contains(body)));
}

/// A run without an end is stopped like with Ctrl-C: it finishes, tells, and writes its ledger.
#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_a_run_in_order() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let receiver = answering(ResponseTemplate::new(200)).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let file = path.display().to_string();
        let mut child = command(&["run", "--to", &receiver.uri(), "--time-scale", "600", "--ledger", &file])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        while receiver.received_requests().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let last = out.lines().last().unwrap().unwrap();
        assert_eq!(first.trim_end(), last);
        let records: Vec<_> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
        match &records.last().unwrap().entry {
            Entry::Summary(summary) => assert!(summary.interrupted),
            other => panic!("the ledger ends with a {}", other.kind()),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_reading_is_no_trouble() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let mut child = command(&["run", "--to", &receiver.uri(), "--calls", "20", "--jump"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!stderr(&output).contains("panic"), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!receiver.received_requests().await.unwrap().is_empty(), "the run goes on");
}
