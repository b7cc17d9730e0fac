//! `piopiy-mock check`, `checks` and `explain`: what they print, and how they end.

use assert_cmd::Command;

use piopiy_gallery as gallery;

/// Runs the program away from the test's runtime, which serves the receiver.
async fn run(args: &[&str]) -> (i32, String, String) {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    let run = move || Command::cargo_bin("piopiy-mock").unwrap().args(args).output().unwrap();
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
}

/// The suite starts the receiver, and leaves none behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_does_not_listen_is_told() {
    let url = crate::receivers::closed().await;
    let (exit, _, stderr) = run(&["check", &url, "--only", "TRN-001", "--", "no-such-receiver"]).await;
    assert_eq!(exit, 3);
    assert!(stderr.contains("`no-such-receiver` cannot be started"), "{stderr}");
}
