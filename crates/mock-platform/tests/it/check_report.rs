//! What a report tells of a real run, and that its document is what the schema says.

mod cli;
mod reporters;

use piopiy_mock_platform::judge::check::{Verdict, find};
use piopiy_mock_platform::judge::report::{AttemptRecord, CheckReport, Role, Rung, reporter, schema};

use piopiy_gallery as gallery;

use crate::check::{options_for, run};

/// A run with a failure, a pass, connections side by side, and effects.
async fn report() -> CheckReport {
    let receiver = gallery::start("conflict-for-repeats").await;
    let checks = ["TRN-001", "TRN-020", "DUP-001", "CON-005"].map(|id| find(id).unwrap());
    run(&receiver.url, &checks, &options_for(&receiver)).await
}

/// Those of the first case.
fn attempts(report: &CheckReport, id: &str) -> Vec<AttemptRecord> {
    let check = report.checks.iter().find(|check| check.id == id).unwrap();
    let rungs = check.evidence[0].ladder.rungs.iter();
    let attempt = |rung: &Rung| match rung {
        Rung::Attempt(attempt) => Some((**attempt).clone()),
        _ => None,
    };
    rungs.filter_map(attempt).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ladder_tells_what_was_sent_and_answered() {
    let report = report().await;
    let failed = report.checks.iter().find(|check| check.id == "DUP-001").unwrap();
    assert_eq!(failed.outcome.verdict, Verdict::Fail);
    assert!(failed.evidence[0].findings.iter().any(|finding| finding.text.contains("409")));
    let attempts = attempts(&report, "DUP-001");
    let stimuli: Vec<_> = attempts.iter().filter(|attempt| attempt.role == Role::Stimulus).collect();
    assert_eq!(stimuli[0].status, Some(200));
    assert_eq!(stimuli[1].status, Some(409));
    for attempt in &stimuli {
        let webhook = attempt.webhook.as_ref().unwrap();
        assert_eq!(webhook.kind, "cdr");
        assert!(
            attempt.sent.starts_with("POST ") && attempt.sent.contains(webhook.cmiuuid.as_ref().unwrap())
        );
        assert!(attempt.bytes >= attempt.sent.len() as u64 && attempt.latency_us.is_some());
    }
    assert!(stimuli[0].offset_us < stimuli[1].offset_us);
    assert_eq!(attempts.last().unwrap().role, Role::Canary);
    assert_eq!(failed.evidence[0].ladder.observed.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_sent_at_once_are_told_apart() {
    let attempts = attempts(&report().await, "TRN-020");
    let stimuli: Vec<_> = attempts.iter().filter(|attempt| attempt.role == Role::Stimulus).collect();
    assert_eq!(stimuli.len(), 2);
    for attempt in &stimuli {
        assert_eq!((attempt.connection, attempt.status), (Some(1), Some(200)));
        assert!(attempt.sent.starts_with("POST ") && attempt.webhook.is_some(), "{attempt:?}");
    }
    assert_ne!(stimuli[0].webhook, stimuli[1].webhook);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_valid_and_reads_back_as_it_is() {
    let text = reporter("json").unwrap().render(&report().await);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = schema.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let read: CheckReport = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), document);
}
