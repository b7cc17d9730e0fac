//! The HTML report in a real browser: it shows what it has to, runs its script without an error, and asks nobody for
//! anything, whatever a receiver has answered.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::report::{CheckReport, Comparison, reporter};
use serde_json::{Value, json};

use crate::tally::Missing;
use crate::workspace;

/// The name in reports.
pub(super) const NAME: &str = "html report in a browser";

/// What the browser is called on different systems.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What it needs that this machine has not.
pub(super) fn missing() -> Option<Missing> {
    browser().is_none().then_some(Missing("chromium"))
}

fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|browser| workspace::works(browser, &["--version"]))
}

/// Opens a report of one run and one of two.
pub(super) fn check() -> anyhow::Result<String> {
    let browser = browser().context("there is no browser")?;
    // Nobody may come here.
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
    listener.set_nonblocking(true)?;
    let origin = format!("http://{}", listener.local_addr()?);
    let hostile = format!(
        "<img src='{origin}/img'><script src=\"{origin}/script\"></script><script>document.title='taken over'</script>"
    );
    let reports =
        [("before".to_owned(), report("pass", "fine")?), ("after".to_owned(), report("fail", &hostile)?)];
    let html = reporter("html").context("there is no reporter `html`")?;
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let open = |name: &str, text: &str, fragment: &str| -> anyhow::Result<String> {
        let file = folder.path().join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        dumped(browser, &file, fragment, folder.path()).with_context(|| name.to_owned())
    };
    let page = open("run.html", &html.render(&reports[1].1), "#TRN-001")?;
    // The filter is hidden until the script has run to its end of the set-up, and the link has opened its check.
    ensure!(page.contains("<nav class=\"filter\" aria-label"), "the script has not shown the filter");
    ensure!(page.contains("<button type=\"button\" data-copy=\"\">Copy"), "nothing can be copied");
    ensure!(page.contains("data-verdict=\"fail\" open=\"\""), "the failure is not open");
    ensure!(page.contains("class=\"ladder\"") && page.contains("409 1.2 ms"), "there is no ladder");
    ensure!(!page.contains("<title>taken over"), "what a receiver answered ran as a script");
    let compared = html.compare(&Comparison::of(&reports)).context("nothing was compared")?;
    let page = open("compared.html", &compared, "")?;
    ensure!(page.contains("Changed") && !page.contains("<title>taken over"), "{page}");
    ensure!(listener.accept().is_err(), "the page asked somebody for something");
    Ok(browser.to_owned())
}

/// What a page has come to once its scripts have run.
fn dumped(browser: &str, file: &Path, fragment: &str, folder: &Path) -> anyhow::Result<String> {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args([
            "--disable-component-update",
            "--enable-logging=stderr",
            "--v=0",
            "--timeout=20000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}{fragment}", file.display()))
        .output()
        .with_context(|| format!("cannot start {browser}"))?;
    ensure!(output.status.success(), "{browser} ended with {}", output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    // Scripts that fail, and requests that the page's policy refuses, are told there.
    let console: Vec<&str> = said.lines().filter(|line| line.contains("CONSOLE")).collect();
    ensure!(console.is_empty(), "the console says {console:?}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A report of one check, in whose every text there is `text`.
fn report(verdict: &str, text: &str) -> anyhow::Result<CheckReport> {
    let attempt: Value = json!({
        "kind": "attempt", "connection": 1, "offset_us": 1_500, "method": "POST", "bytes": 7, "sent": text,
        "webhook": { "kind": "cdr", "status": text, "leg": "a", "cmiuuid": text },
        "status": 409, "latency_us": 1_200, "answer": text, "end": "closed", "trouble": text,
    });
    let check = json!({
        "id": "TRN-001", "title": text, "group": "TRN", "severity": "must", "observability": "H",
        "verdict": verdict, "detail": text, "by_answers_alone": false, "is_stale_known_failure": false, "took_ms": 5,
        "evidence": [{
            "case": text, "stimulus": text, "findings": [{ "verdict": verdict, "text": text }],
            "ladder": { "connections": 1, "rungs": [attempt], "observed": [{ "seq": 1, "status": text }] },
        }],
        "reproducer": { "command": text },
    });
    let document = json!({
        "schema": "piopiy-mock.check/v1", "run_id": "0", "version": "0", "seed": "0x7", "nonce": "0x8", "target": text,
        "profile": "global", "observation": "none", "baseline_us": 1, "took_ms": 5, "rerun": text,
        "interrupted": false, "checks": [check], "summary": { "selected": 1, "failed": u8::from(verdict == "fail") },
    });
    serde_json::from_value(document).context("the report is not one")
}
