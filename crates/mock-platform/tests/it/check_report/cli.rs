//! Where `piopiy-mock check` and `report` write what they have to tell.

use std::path::Path;

use assert_cmd::Command;
use piopiy_gallery as gallery;
use rustix::process::Signal;

/// Runs the program away from the test's runtime, which serves the receiver.
async fn run(args: &[&str], env: &[(&str, &Path)]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("piopiy-mock").unwrap();
    command.args(args).env_remove("GITHUB_ACTIONS").env_remove("NO_COLOR").envs(env.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn several_reports_are_written_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (good, bad) = (gallery::start("none").await, gallery::start("conflict-for-repeats").await);
    for (receiver, name) in [(&good, "good"), (&bad, "bad")] {
        let json = format!("json={}", path(&format!("deep/{name}.json")));
        let html = format!("html={}", path(&format!("{name}.html")));
        let args =
            ["check", &receiver.url, "--only", "DUP-001,TRN-001", "--report", &json, "--report", &html];
        let (exit, stdout, _) =
            run(&[&args[..], &["--report", "tap=-", "--no-failures"]].concat(), &[]).await;
        assert_eq!(exit, i32::from(name == "bad"));
        assert!(stdout.starts_with("TAP version 14\n"), "{stdout}");
    }
    let (good, bad) = (path("deep/good.json"), path("deep/bad.json"));
    let (exit, text, _) = run(&["report", &bad], &[]).await;
    assert_eq!(exit, 0);
    assert!(text.contains("DUP-001") && text.contains("answered 409"), "{text}");
    let again = path("again.html");
    assert_eq!(run(&["report", &bad, "--report", &format!("html={again}")], &[]).await.0, 0);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(read(&again), read(&path("bad.html")));
    let (exit, text, _) = run(&["report", &good, &bad], &[]).await;
    assert_eq!(exit, 0);
    assert!(text.contains("1 changed, 1 the same"), "{text}");
    let (exit, _, stderr) = run(&["report", &good, &bad, "--report", "junit=-"], &[]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("`junit` holds one run"), "{stderr}");
    let (exit, _, stderr) = run(&["report", &again], &[]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("again.html:1: this is no JSON"), "{stderr}");
}

/// Whoever reads lines has them while the run goes on, and the last of them at Ctrl-C.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_told_as_they_come() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let receiver = wiremock::MockServer::start().await;
    let given = |answer| wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer);
    given(wiremock::ResponseTemplate::new(200)).up_to_n_times(10).mount(&receiver).await;
    let late = wiremock::ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(60));
    given(late).mount(&receiver).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/lines.jsonl");
    let url = receiver.uri();
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("piopiy-mock"))
            .args([
                "check",
                &url,
                "--only",
                "TRN-001",
                "--no-failures",
                "--ack-limit",
                "60s",
                "--report",
                "jsonl=-",
            ])
            .args(["--report", &format!("jsonl={}", file.display())])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        stdout.read_line(&mut text).unwrap();
        assert!(text.contains("\"kind\":\"run\"") && child.try_wait().unwrap().is_none(), "{text}");
        crate::cli::signal(&child, Signal::INT);
        stdout.read_to_string(&mut text).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(std::fs::read_to_string(file).unwrap(), text);
        (code, text)
    });
    let (code, text) = ended.await.unwrap();
    assert_eq!(code, Some(130));
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["kind"], &last["interrupted"]), (&"summary".into(), &true.into()), "{text}");
    assert_eq!(last["not_run"], serde_json::json!(["TRN-001"]));
}

/// A reader that goes away says nothing of the receiver.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_reads_changes_no_exit_code() {
    let receiver = gallery::start("conflict-for-repeats").await;
    for kind in ["json", "jsonl"] {
        let (url, report) = (receiver.url.clone(), format!("{kind}=-"));
        let ended = tokio::task::spawn_blocking(move || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("piopiy-mock"));
            command.args(["check", &url, "--only", "DUP-001", "--no-failures", "--report", &report]);
            command.stdout(writer).output().unwrap()
        });
        assert_eq!(ended.await.unwrap().status.code(), Some(1), "{kind}");
    }
}

/// What cannot be written is told before many minutes of checks, where that can be known.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn reports_that_cannot_be_written_are_told_before_the_run() {
    let receiver = gallery::start("none").await;
    let folder = tempfile::tempdir().unwrap();
    let check = async |reports: &[&str]| {
        let reports = reports.iter().flat_map(|report| ["--report", *report]);
        let args: Vec<&str> =
            ["check", &receiver.url, "--only", "TRN-001"].into_iter().chain(reports).collect();
        let (exit, _, stderr) = run(&args, &[]).await;
        (exit, stderr)
    };
    let place = folder.path().display();
    for report in [format!("html={place}"), "html=/proc/none/report.html".to_owned()] {
        let (exit, stderr) = check(&[&report]).await;
        assert_eq!(exit, 3);
        assert!(stderr.contains("the report /") && stderr.contains("cannot be written"), "{stderr}");
        assert!(!stderr.contains("passed"), "it ran: {stderr}");
    }
    let same = format!("{place}/report");
    let (exit, stderr) = check(&[&format!("html={same}"), &format!("json={same}")]).await;
    assert_eq!(exit, 2);
    assert!(stderr.contains("two reports cannot both go to"), "{stderr}");
    // A full disk is seen when there is something to write.
    for kind in ["json", "jsonl"] {
        let (exit, stderr) = check(&[&format!("{kind}=/dev/full")]).await;
        assert_eq!(exit, 3);
        assert!(stderr.contains("the report /dev/full cannot be written"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_begin_is_reported_too() {
    let url = crate::receivers::closed().await;
    let (exit, stdout, _) = run(&["check", &url, "--only", "TRN-*", "--report", "junit=-"], &[]).await;
    assert_eq!(exit, 3);
    let document = roxmltree::Document::parse(&stdout).unwrap();
    let error = document.descendants().find(|node| node.has_tag_name("error")).unwrap();
    assert!(error.attribute("message").unwrap().contains("nothing can be reached"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_github_is_annotated_beside_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, output) = (folder.path().join("summary"), folder.path().join("output"));
    std::fs::write(&summary, "# before\n").unwrap();
    let receiver = gallery::start("conflict-for-repeats").await;
    let json = format!("json={}", folder.path().join("out.json").display());
    let args = [
        "check",
        &receiver.url,
        "--only",
        "DUP-001",
        "--no-failures",
        "--seed",
        "7",
        "--token",
        "s3cr3t-token",
    ];
    let env = [
        ("GITHUB_ACTIONS", Path::new("true")),
        ("GITHUB_STEP_SUMMARY", summary.as_path()),
        ("GITHUB_OUTPUT", output.as_path()),
    ];
    let (exit, stdout, stderr) =
        run(&[&args[..], &["--report", &json, "--report", "jsonl=-"]].concat(), &env).await;
    assert_eq!(exit, 1);
    assert!(stdout.lines().all(|line| line.starts_with('{')), "{stdout}");
    let commands: Vec<&str> = stderr.lines().filter(|line| line.starts_with("::")).collect();
    assert!(commands.contains(&"::add-mask::s3cr3t-token"), "{commands:?}");
    let stopped = commands.iter().find_map(|line| line.strip_prefix("::stop-commands::")).unwrap();
    let resumed = commands.iter().position(|line| *line == format!("::{stopped}::")).unwrap();
    let is_error = |line: &&str| line.starts_with("::error title=DUP-001 ");
    assert_eq!(commands.iter().position(is_error), Some(resumed + 1), "{commands:?}");
    let text = std::fs::read_to_string(summary).unwrap();
    assert!(text.starts_with("# before\n") && text.contains("### DUP-001"), "{text}");
    let text = std::fs::read_to_string(output).unwrap();
    let folder = folder.path().display();
    assert_eq!(text, format!("result=failed\nfailed=DUP-001\nseed=0x7\nreport-dir={folder}\n"));
    assert!(!format!("{stdout}{}", &stderr[stderr.find("piopiy-mock").unwrap()..]).contains("s3cr3t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_and_for_who_asks() {
    let receiver = gallery::start("none").await;
    let check = async |args: &[&str], env: &[(&str, &Path)]| {
        run(&[&["check", &receiver.url, "--only", "TRN-001"], args].concat(), env).await.2
    };
    let is_coloured = |text: &str| text.contains('\u{1b}');
    assert!(!is_coloured(&check(&[], &[]).await));
    assert!(is_coloured(&check(&["--color", "always"], &[]).await));
    let forced = ("FORCE_COLOR", Path::new("1"));
    assert!(is_coloured(&check(&[], &[forced]).await));
    assert!(!is_coloured(&check(&[], &[forced, ("NO_COLOR", Path::new("1"))]).await));
    assert!(!is_coloured(&check(&["--color", "never"], &[forced]).await));
    let (utf8, plain) = (("LC_ALL", Path::new("C.UTF-8")), ("LC_ALL", Path::new("C")));
    assert!(check(&[], &[utf8, ("TERM", Path::new("xterm"))]).await.contains('✓'));
    assert!(check(&[], &[plain]).await.is_ascii());
}
