//! Runs that are done again: `replay`, and the command line that a run tells.

use wiremock::ResponseTemplate;

use crate::cli::{check_refused, command, mock, stderr, stdout};
use crate::receivers::answering;

/// Both forms of `replay` are told: of a plan or a ledger, and of a failed check.
#[test]
fn completions_and_the_manual_know_both_forms_of_replay() {
    for args in [&["man", "replay"][..], &["completions", "bash"], &["completions", "zsh"]] {
        let output = mock(args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let text = stdout(&output).replace('\\', "");
        let of_replay = if args[0] == "man" {
            text
        } else {
            // The part of it: bash has a case for it, zsh a list of arguments.
            let start = if args[1] == "bash" { "mock__subcmd__replay)\n" } else { "(replay)\n" };
            let start = text.find(start).unwrap();
            let end = text[start..].find(";;\n").unwrap();
            text[start..start + end].to_owned()
        };
        for option in ["--cdr-policy", "--exact-ids", "--observe-url", "--hook-down", "--insecure"] {
            assert!(of_replay.contains(option), "{args:?} {option}: {of_replay}");
        }
    }
    assert!(stdout(&mock(&["man", "replay"])).contains("FAILED CHECKS"));
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

#[tokio::test]
async fn a_plan_is_delivered_as_the_options_say_and_a_ledger_as_it_was() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let named = |name: &str| directory.path().join(name).display().to_string();
    let (plan, ledger, url) = (named("plan.jsonl"), named("run.jsonl"), receiver.uri());
    assert!(mock(&["plan", "inbound-missed", "--calls", "3", "--output", &plan]).status.success());
    let options = ["--jump", "--cdr-policy", "always", "--fault-duplicate", "1", "--ledger", &ledger];
    let output = mock(&[&["replay", &plan, "--to", &url][..], &options].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let sent = receiver.received_requests().await.unwrap();
    let cdrs = sent.iter().filter(|request| String::from_utf8_lossy(&request.body).contains("\"duration\""));
    assert_eq!(cdrs.count(), 3 * 2 * 5, "both legs' CDRs of three calls, four times and a copy");

    let args = ["replay", &ledger, "--to", &url];
    check_refused(&[&args[..], &["--cdr-policy", "never"]].concat(), 2, "--cdr-policy is for plans");
    check_refused(&[&args[..], &["--chaos"]].concat(), 2, "--chaos is for plans");
    assert_eq!(mock(&[&args[..], &["--time-scale", "10000"]].concat()).status.code(), Some(0));
    assert_eq!(receiver.received_requests().await.unwrap().len(), 2 * sent.len());

    for other in [&b"\xff\xfe{\x00"[..], b"\x00\x01\n", b"{}\n", b"hello"] {
        let path = named("other");
        std::fs::write(&path, other).unwrap();
        check_refused(&["replay", &path, "--to", &url], 2, "is neither a ledger nor a plan");
    }
}

#[tokio::test]
async fn a_command_line_that_is_told_can_be_given() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let named = |name: &str| directory.path().join(name).display().to_string();
    let (plan, ledger, url) = (named("plan.jsonl"), named("run.jsonl"), receiver.uri());
    assert!(mock(&["plan", "--calls", "1", "--output", &plan]).status.success());
    let commands: [&[&str]; 7] = [
        &["run", "--to", &url, "--calls", "1", "--jump", "--seed=3", "--ledger", &ledger],
        &["call", "--to", &url, "--jump", "--epoch", "5"],
        &["send", "cdr.inbound.missed", "--to", &url, "--set", "from=1"],
        &["replay", &ledger, "--to", &url],
        &["replay", &ledger, "--to", &url, "--nonce", "5"],
        &["replay", &ledger, "--to", &url, "--exact-ids"],
        &["replay", &plan, "--to", &url, "--jump", "--chaos", "--exact-ids"],
    ];
    for args in commands {
        let output = mock(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", stderr(&output));
        let text = stdout(&output);
        let told = text.lines().next().unwrap().split("rerun: piopiy-mock ").nth(1).unwrap().to_owned();
        let again = mock(&told.split(' ').collect::<Vec<_>>());
        assert_eq!(again.status.code(), Some(0), "{told}: {}", stderr(&again));
        assert!(stdout(&again).lines().next().unwrap().ends_with(&told), "{told}: {}", stdout(&again));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_name_that_is_no_text_is_taken_all_the_same() {
    use std::os::unix::ffi::OsStrExt;

    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(std::ffi::OsStr::from_bytes(b"run\xff.jsonl"));
    let output = command(&["run", "--to", &receiver.uri(), "--calls", "1", "--jump", "--ledger"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(path.exists());
}
