//! Where `piopiy-mock check` and `report` write what they have to tell.

use std::path::Path;

use assert_cmd::Command;
use piopiy_gallery as gallery;

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
