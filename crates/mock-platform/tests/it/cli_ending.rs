//! How a run ends that does not just come to its end: signals, nobody who reads, a full disk.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use piopiy_mock_platform::deliver::ledger::{Entry, read};
use rustix::process::Signal;
use wiremock::ResponseTemplate;

use crate::cli::{command, mock, stderr, stdout};
use crate::receivers::answering;

/// Who does not wait for a receiver to end has it killed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_signal_ends_a_receiver_that_was_started() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let receiver =
        format!("trap '' TERM INT; echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600", file.display());
    let args = ["check", "http://127.0.0.1:9/", "--", "sh", "-c", &receiver];
    let mut child = command(&args).stderr(Stdio::null()).spawn().unwrap();
    while !file.exists() {
        tokio::task::yield_now().await;
    }
    let pid = std::fs::read_to_string(&file).unwrap();
    // Two of a kind might come as one.
    for signal in [Signal::INT, Signal::TERM] {
        crate::cli::signal(&child, signal);
    }
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    let stat = format!("/proc/{}/stat", pid.trim());
    // Whoever inherits it may not have waited for it yet: a zombie runs no more.
    let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    while runs() {
        tokio::task::yield_now().await;
    }
}

/// A shell command that notes its process in a file, and then does nothing more for a long time.
#[cfg(unix)]
fn lasting(file: &std::path::Path) -> String {
    format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600", file.display())
}

#[cfg(unix)]
async fn signalled(child: &std::process::Child, signal: Signal, when: &std::path::Path) {
    while !when.exists() {
        tokio::task::yield_now().await;
    }
    crate::cli::signal(child, signal);
}

/// Whoever waits for a receiver that does not come may have enough, too: it is ended, and the report says what was not run.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn ctrl_c_while_a_receiver_starts_ends_a_check_in_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let directory = tempfile::tempdir().unwrap();
        let (file, report) = (directory.path().join("pid"), directory.path().join("report.json"));
        let (told, receiver) = (format!("json={}", report.display()), lasting(&file));
        let args = ["check", "http://127.0.0.1:9/", "--only", "TRN-001", "--no-failures", "--report", &told];
        let mut child =
            command(&args).args(["--", "sh", "-c", &receiver]).stderr(Stdio::null()).spawn().unwrap();
        signalled(&child, signal, &file).await;
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(if signal == Signal::INT { 130 } else { 143 }));
        let pid = std::fs::read_to_string(&file).unwrap();
        assert!(!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists(), "it was waited for");
        let report: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
        assert_eq!((&report["interrupted"], &report["not_run"][0]), (&true.into(), &"TRN-001".into()));
    }
}

/// What a hook has begun to change is changed back, however the check comes to its end.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_during_a_hook_runs_what_undoes_it() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    for (signals, code) in
        [(&[Signal::INT][..], 130), (&[Signal::TERM], 143), (&[Signal::INT, Signal::TERM], 143)]
    {
        let directory = tempfile::tempdir().unwrap();
        let [on, off, log] = ["on", "off", "log"].map(|name| directory.path().join(name));
        let down = format!("echo down $PIOPIY_HOOK >> {}; {}", log.display(), lasting(&on));
        let mut up = format!("echo up $PIOPIY_HOOK >> {}", log.display());
        if signals.len() > 1 {
            // Undoing it hangs, the first time.
            up = format!("{up}; test -e {} || {{ {}; }}", off.display(), lasting(&off));
        }
        let args =
            ["check", &receiver.uri(), "--only", "RTY-003", "--no-failures", "--observe-file", "/dev/null"];
        let mut child = command(&args)
            .args(["--hook-down", &down, "--hook-up", &up])
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        for (signal, when) in signals.iter().zip([&on, &off]) {
            signalled(&child, *signal, when).await;
        }
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let expected = format!("down on\n{}", "up off\n".repeat(signals.len()));
        // The last one is not waited for.
        while std::fs::read_to_string(&log).unwrap().len() < expected.len() {
            tokio::task::yield_now().await;
        }
        assert_eq!(std::fs::read_to_string(&log).unwrap(), expected);
    }
}

/// Somebody's database is still paused, and has to know.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_hook_could_not_undo_is_told() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let args =
        ["check", &receiver.uri(), "--only", "RTY-003", "--no-failures", "--observe-file", "/dev/null"];
    let with = |log: &str| {
        let mut command = command(&args);
        command.args(["--hook-down", "true", "--hook-up", "exit 7"]).env("PIOPIY_MOCK_LOG", log);
        stderr(&command.env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap())
    };
    let told = with("");
    let expected = "ERROR what a check has changed could not be undone: --hook-up `exit 7` failed (off): ";
    assert!(told.contains(expected), "{told}");
    let told = with("off");
    assert!(!told.contains("could not be undone"), "{told}");
}

#[test]
fn a_filter_of_warnings_that_is_none_is_told() {
    let output = command(&["events"]).env("PIOPIY_MOCK_LOG", "a=b=c").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("error: PIOPIY_MOCK_LOG=\"a=b=c\" "), "{}", stderr(&output));
}

/// A run without an end is stopped like with Ctrl-C: it finishes, tells, and writes its ledger.
#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_a_run_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
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
        crate::cli::signal(&child, signal);
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

/// A receiver that says yes, and shows one more effect, of somebody else, whenever it is asked.
async fn restless() -> wiremock::MockServer {
    let receiver = wiremock::MockServer::start().await;
    let one_more = |request: &wiremock::Request| {
        let since = request.url.query_pairs().find(|(key, _)| key == "since");
        let since: u64 = since.map_or(0, |(_, since)| since.parse().unwrap());
        let effect = format!("{{\"seq\":{},\"cmiuuid\":\"somebody-else\"}}\n", since + 1);
        ResponseTemplate::new(200).set_body_string(effect)
    };
    wiremock::Mock::given(wiremock::matchers::method("GET")).respond_with(one_more).mount(&receiver).await;
    wiremock::Mock::given(wiremock::matchers::method("POST"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&receiver)
        .await;
    receiver
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_settles_is_judged_in_the_end() {
    let receiver = restless().await;
    let (url, observe) = (receiver.uri(), format!("{}/__observe", receiver.uri()));
    let args = ["send", "cdr.inbound.missed", "--to", &url, "--observe-url", &observe, "--settle", "10ms"];
    let output = mock(&args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("has not settled"), "{}", stderr(&output));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_a_receiver_settles_ends_a_run_in_order() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let receiver = restless().await;
        let (url, observe) = (receiver.uri(), format!("{}/__observe", receiver.uri()));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let file = path.display().to_string();
        let args = ["send", "cdr.inbound.missed", "--to", &url, "--observe-url", &observe, "--ledger", &file];
        let child = command(&args).args(["--settle", "1h"]).stdout(Stdio::piped()).spawn().unwrap();
        let looks = async || {
            let requests = receiver.received_requests().await.unwrap();
            requests.iter().filter(|request| request.method.as_str() == "GET").count()
        };
        // One look before, one after the delivery, and the first of those that wait.
        while looks().await < 3 {
            tokio::task::yield_now().await;
        }
        crate::cli::signal(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(stdout(&output).contains("planned 1 = acknowledged 1"), "{}", stdout(&output));
        let records: Vec<_> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
        match &records.last().unwrap().entry {
            Entry::Summary(summary) => assert!(summary.interrupted),
            other => panic!("the ledger ends with a {}", other.kind()),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_before_the_first_delivery_ends_a_run_in_order() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, observe) = (receiver.uri(), format!("http://{}/", silent.local_addr().unwrap()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.jsonl");
    let file = path.display().to_string();
    let args = ["run", "--to", &url, "--observe-url", &observe, "--ledger", &file];
    let child = command(&args).stdout(Stdio::piped()).spawn().unwrap();
    let asked = silent.accept().unwrap();
    crate::cli::signal(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    drop(asked);
    assert_eq!(output.status.code(), Some(130));
    assert!(stdout(&output).contains("planned 0"), "{}", stdout(&output));
    let kinds: Vec<_> = read(&path).unwrap().map(|record| record.unwrap().entry.kind()).collect();
    assert_eq!(kinds, ["run", "summary"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_outside() {
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for args in [&["events"][..], &["schema"], &["plan"], &["completions", "bash"]] {
        let output = command(args).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", stderr(&output));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_run_that_nobody_reads_ends_as_it_would() {
    let receiver = answering(ResponseTemplate::new(503)).await;
    for format in ["text", "json"] {
        let args = ["send", "live.hangup", "--profile", "india", "--to", &receiver.uri(), "--format", format];
        let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{format}: {}", stderr(&output));
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
