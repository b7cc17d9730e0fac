//! `piopiy-mock check` on the documented receivers finds what was measured of them, where it can be seen, and nothing
//! that the measurements contradict.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::check::Verdict::{self, Fail, NotObserved, Pass, Warn};
use piopiy_mock_platform::judge::report::CheckReport;
use tokio::process::Command;
use tokio::time::timeout;

use crate::receivers::Documented;
use crate::workspace;

/// How long a run may take before it counts as hanging.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// One thing that was measured, the check that is about it, and what it has to say.
struct Row {
    measured: &'static str,
    check: &'static str,
    /// By the answers alone; `None` where the check waits for a minute, and is run once only.
    by_answers: Option<Verdict>,
    by_effects: Verdict,
}

const fn row(measured: &'static str, check: &'static str, by_answers: Verdict, by_effects: Verdict) -> Row {
    Row { measured, check, by_answers: Some(by_answers), by_effects }
}

const fn slow(measured: &'static str, check: &'static str) -> Row {
    Row { measured, check, by_answers: None, by_effects: Warn }
}

const EXPRESS: &[Row] = &[
    row("another method: 404", "TRN-003", Warn, Warn),
    row("no Content-Type: 200, and lost", "JSN-002", NotObserved, Fail),
    row("text/plain, a form: 200, and lost", "JSN-003", NotObserved, Fail),
    row("an empty body: 200", "JSN-005", Pass, Warn),
    row("[]: 200", "JSN-006", Pass, Warn),
    row("invalid UTF-8: 200, stored as U+FFFD", "JSN-012", Fail, Fail),
    row("2^53+1, an integer of 30 digits: rounded", "JSN-017", NotObserved, Fail),
    row("1e400: null", "JSN-018", NotObserved, Fail),
    row("5,000 arrays in one another: 500", "JSN-022", Fail, Fail),
    row("it stores nothing", "DUP-001", Pass, Fail),
    row("outside of production an error page has its stack", "SEC-011", Fail, Fail),
    row("a chunk extension and a trailer: 200", "TRN-010", Pass, Pass),
    row("two lengths: 400", "TRN-014", Pass, Pass),
    row("a second request on a connection: 200", "TRN-019", Pass, Pass),
    row("gzip: 200", "TRN-026", Pass, Pass),
    row("a byte order mark: 200", "JSN-010", Pass, Pass),
    row("UTF-16: 400", "JSN-011", Pass, Pass),
    row("a lone surrogate: 200", "JSN-013", Pass, Pass),
    row("NaN: 400", "JSN-016", Pass, Pass),
    row("12.0: 200", "JSN-019", Pass, Pass),
    row("a key twice: the last", "JSN-020", NotObserved, Pass),
    row("an unknown status: 200", "SCH-002", NotObserved, Pass),
    row("an unknown direction: 200", "SCH-003", Pass, Pass),
    row("a duration as a text: 200", "SCH-005", NotObserved, Pass),
    row("numbers as texts, a SIP user: 200", "SCH-007", NotObserved, Pass),
    row("call_rate 0: 200", "PIO-002", NotObserved, Pass),
    row("app_id: 200", "PIO-003", Pass, Pass),
    row("extra_params as an object: 200", "PIO-005", NotObserved, Pass),
    row("20 MB: 413", "SEC-001", Pass, Pass),
    row("a header of 70 KB: 431", "SEC-010", Pass, Pass),
    row("300 half-open connections: nothing", "SEC-008", Pass, Pass),
    slow("silent: held for 88 s", "SEC-005"),
    slow("half a head: held for 88 s", "SEC-006"),
    slow("half a body: held for 140 s", "SEC-007"),
];

const FLASK: &[Row] = &[
    row("a chunk extension and a trailer: 500", "TRN-010", Fail, Fail),
    row("no Host: 200", "TRN-015", Warn, Warn),
    row("[], null, \"x\", 0: 200", "JSN-006", Pass, Warn),
    row("UTF-16: 200", "JSN-011", Fail, Fail),
    row("NaN: 200", "JSN-016", Fail, Fail),
    row("1e400: infinite", "JSN-018", NotObserved, Fail),
    row("5,000 and 200,000 arrays in one another: 500", "JSN-022", Fail, Fail),
    row("20 MB: 200", "SEC-001", Warn, Warn),
    row("it stores nothing", "DUP-001", Pass, Fail),
    row("another method: 405", "TRN-003", Pass, Pass),
    row("two lengths: 200, and closed", "TRN-014", Pass, Pass),
    row("one request a connection, and said so", "TRN-019", Pass, Pass),
    row("gzip: 400", "TRN-026", Pass, Pass),
    row("no Content-Type: 415", "JSN-002", Pass, Pass),
    row("text/plain, a form: 415", "JSN-003", Pass, Pass),
    row("an empty body: 400", "JSN-005", Pass, Pass),
    row("a byte order mark: 200", "JSN-010", Pass, Pass),
    row("invalid UTF-8: 400", "JSN-012", Pass, Pass),
    row("a lone surrogate: 200", "JSN-013", Pass, Pass),
    row("2^53+1, an integer of 30 digits: 200", "JSN-017", NotObserved, Pass),
    row("12.0: 200", "JSN-019", Pass, Pass),
    row("a key twice: the last", "JSN-020", NotObserved, Pass),
    row("an unknown status: 200", "SCH-002", NotObserved, Pass),
    row("an unknown direction: 200", "SCH-003", Pass, Pass),
    row("a duration as a text: 200", "SCH-005", NotObserved, Pass),
    row("numbers as texts, a SIP user: 200", "SCH-007", NotObserved, Pass),
    row("call_rate 0: 200", "PIO-002", NotObserved, Pass),
    row("app_id: 200", "PIO-003", Pass, Pass),
    row("extra_params as an object: 200", "PIO-005", NotObserved, Pass),
    row("a header of 70 KB: 431", "SEC-010", Pass, Pass),
    row("300 half-open connections: nothing", "SEC-008", Pass, Pass),
    row("without its debugger an error is a short text", "SEC-011", Pass, Pass),
    slow("silent: held for 140 s", "SEC-005"),
    slow("half a head: held for 140 s", "SEC-006"),
    slow("half a body: held for 140 s", "SEC-007"),
];

/// Runs the checks of the table by answers alone, and with the effects observed.
///
/// # Errors
/// Where a check says something else than was measured.
pub(super) async fn run(receiver: Documented) -> anyhow::Result<String> {
    let rows = match receiver {
        Documented::Express => EXPRESS,
        Documented::Flask => FLASK,
    };
    let by_answers: Vec<_> = rows.iter().filter_map(|row| Some((row, row.by_answers?))).collect();
    verdicts(receiver, &[], false, &by_answers).await.context("by answers alone")?;
    let by_effects: Vec<_> = rows.iter().map(|row| (row, row.by_effects)).collect();
    verdicts(receiver, &[], true, &by_effects).await.context("with the effects observed")?;
    Ok(format!("{} rows as measured", rows.len()))
}

/// The documentation's `debug=True` gives its source away.
///
/// # Errors
/// Where that is not found.
pub(super) async fn debugger() -> anyhow::Result<String> {
    let row = row("5,000 arrays in one another, with debug=True: the debugger", "SEC-011", Fail, Fail);
    verdicts(Documented::Flask, &["--debug"], false, &[(&row, Fail)]).await?;
    Ok("found".to_owned())
}

async fn verdicts(
    receiver: Documented,
    options: &[&str],
    is_observed: bool,
    expected: &[(&Row, Verdict)],
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let effects = folder.path().join("effects.jsonl");
    let process = receiver.start_with(&effects, options).await?;
    let only = expected.iter().flat_map(|(row, _)| ["--only", row.check]);
    let mut suite = check_command(process.url())?;
    suite.args(only).args(if is_observed { &["--all"][..] } else { &[] });
    if is_observed {
        suite.arg("--observe-file").arg(&effects);
    }
    let report = report_of(suite).await?;
    process.stop().await?;
    let mut wrong = Vec::new();
    for (Row { measured, check, .. }, verdict) in expected {
        let found = report.checks.iter().find(|result| result.id == *check);
        let said = found.map(|result| (result.outcome.verdict, result.outcome.detail.as_str()));
        let (said, detail) = said.with_context(|| format!("{check} was not run"))?;
        if said != *verdict {
            wrong.push(format!("{measured}: {check} says {said} ({detail}), expected {verdict}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

/// `piopiy-mock check URL`, with its report on stdout.
pub(super) fn check_command(url: &str) -> anyhow::Result<Command> {
    let mock: &Path = &workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let mut suite = Command::new(mock);
    suite.args(["check", url, "--report", "json=-"]);
    Ok(suite)
}

pub(super) async fn report_of(mut suite: Command) -> anyhow::Result<CheckReport> {
    let output = timeout(PATIENCE, suite.kill_on_drop(true).output()).await;
    let output = output.with_context(|| format!("it was not over within {PATIENCE:?}"))??;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no report; it said: {}", String::from_utf8_lossy(&output.stderr)))
}
