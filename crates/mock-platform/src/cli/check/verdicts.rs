use piopiy_mock_platform::judge::check::{Severity, Verdict};
use piopiy_mock_platform::judge::report::{CheckReport, CheckResult};

use super::FailOn;
use crate::cli::exit::Exit;

/// The exit code of a report. Where several hold, the first: broken, failed, inconclusive.
pub(super) fn exit(report: &CheckReport, fail_on: FailOn) -> Exit {
    let any = |test: &dyn Fn(&CheckResult) -> bool| report.checks.iter().any(test);
    let counts = |check: &CheckResult| match fail_on {
        FailOn::Must => check.severity == Severity::Must,
        FailOn::Should => check.severity != Severity::May,
        FailOn::Never => false,
    };
    if any(&|check| check.outcome.verdict == Verdict::Error) {
        Exit::Environment
    } else if any(&|check| {
        check.is_stale_known_failure || (check.outcome.verdict == Verdict::Fail && counts(check))
    }) {
        Exit::Failed
    } else if report.checks.is_empty() || any(&|check| check.outcome.verdict == Verdict::Inconclusive) {
        Exit::Inconclusive
    } else {
        Exit::Fine
    }
}
