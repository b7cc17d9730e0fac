use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::account::{account, explored, one_line, word};
use super::{CheckReport, CheckResult, Reporter};
use crate::judge::check::{Group, Verdict};

/// JUnit's XML: a suite for each group. Viewers show the text of a failure and little else, so all is in there.
pub(super) struct Junit;

/// Bytes of text in one test case.
const MOST: usize = 64 * 1024;

impl Reporter for Junit {
    fn render(&self, report: &CheckReport) -> String {
        let mut document = Report::new("piopiy-mock check");
        document.set_time(Duration::from_millis(report.took_ms));
        for group in Group::ALL {
            let checks = report.checks.iter().filter(|check| check.group == group).map(test_case);
            let not_run = report.not_run.iter().filter(|id| id.starts_with(group.as_str()));
            let not_run = not_run.map(|id| {
                let mut status = TestCaseStatus::skipped();
                status.set_message("not run: the run was stopped before");
                TestCase::new(id.as_ref(), status).with_classname(group)
            });
            let cases: Vec<TestCase> = checks.chain(not_run).collect();
            if !cases.is_empty() {
                let mut suite = suite(report, &format!("{group} {}", group.title()));
                let took =
                    report.checks.iter().filter(|check| check.group == group).map(|check| check.took_ms);
                suite.set_time(Duration::from_millis(took.sum()));
                suite.add_test_cases(cases);
                document.add_test_suite(suite);
            }
        }
        let explored = explored(report);
        if !explored.is_empty() {
            let mut suite = suite(report, "EXP exploration");
            suite.set_time(Duration::from_millis(explored.iter().map(|find| find.took_ms).sum()));
            suite.add_test_cases(explored.iter().map(|find| {
                let mut case = test_case(find);
                case.set_classname("exp");
                case
            }));
            document.add_test_suite(suite);
        }
        if let Some(error) = &report.error {
            let mut suite = suite(report, "piopiy-mock");
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("environment").set_message(one_line(error)).set_description(error.as_str());
            suite.add_test_case(TestCase::new("the checks can be run", status));
            document.add_test_suite(suite);
        }
        // Written to memory: nothing that could fail.
        document.to_string().unwrap_or_default()
    }
}

trait InGroup {
    fn with_classname(self, group: Group) -> Self;
}

impl InGroup for TestCase {
    fn with_classname(mut self, group: Group) -> Self {
        self.set_classname(group.as_str().to_ascii_lowercase());
        self
    }
}

fn suite(report: &CheckReport, name: &str) -> TestSuite {
    let mut suite = TestSuite::new(name);
    let interrupted = report.interrupted.to_string();
    for (name, value) in [
        ("seed", report.seed.as_str()),
        ("nonce", &report.nonce),
        ("profile", report.profile.as_str()),
        ("version", &report.version),
        ("target", &report.target),
        ("observation", &report.observation),
        ("rerun", &report.rerun),
        ("interrupted", &interrupted),
    ] {
        suite.add_property(Property::new(name, value));
    }
    suite
}

fn test_case(check: &CheckResult) -> TestCase {
    let text = || account(check, MOST);
    let message = one_line(&check.outcome.detail);
    let non_success = |kind, what: &str| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(what).set_message(message.as_str()).set_description(text());
        status
    };
    let status = match check.outcome.verdict {
        Verdict::Pass if check.is_stale_known_failure => {
            let mut status = non_success(NonSuccessKind::Failure, "known_failure");
            status.set_message("it is in the list of known failures, and passes");
            status
        }
        Verdict::Pass | Verdict::Warn => TestCaseStatus::success(),
        Verdict::Fail => non_success(NonSuccessKind::Failure, check.severity.as_str()),
        // Neither blames the receiver.
        verdict @ (Verdict::Error | Verdict::Inconclusive) => {
            non_success(NonSuccessKind::Error, verdict.as_str())
        }
        verdict @ (Verdict::NotObserved | Verdict::NotApplicable | Verdict::KnownFailure) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {message}", word(verdict)));
            status
        }
    };
    let mut case = TestCase::new(format!("{} {}", check.id, check.title), status).with_classname(check.group);
    case.set_time(Duration::from_millis(check.took_ms));
    case.add_property(Property::new("severity", check.severity.as_str()));
    case.add_property(Property::new("verdict", check.outcome.verdict.as_str()));
    if check.outcome.verdict == Verdict::Warn {
        case.set_system_out(text());
    }
    case
}
