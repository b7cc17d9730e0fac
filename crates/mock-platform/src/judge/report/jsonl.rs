use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    AttemptRecord, CaseFinding, CheckReport, CheckResult, CheckSummary, Exploration, Reporter, Rung,
};
use crate::deliver::ledger::leave_out_examples;
use crate::judge::check::Outcome;
use crate::judge::{Effect, day};

/// JSON Lines: a line for the run, for each attempt, effect and check, and for the sum.
pub(super) struct JsonLines;

/// The schema that every line names.
const SCHEMA: &str = "piopiy-mock.check-lines/v1";

impl Reporter for JsonLines {
    fn render(&self, report: &CheckReport) -> String {
        LineWriter::default().end(report)
    }
}

/// Makes the lines of a run while it goes on: each call gives those that are new.
///
/// A check whose verdict has changed in the end is told once more: the last of its lines holds.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::report::LineWriter;
///
/// # fn told(report: &piopiy_mock_platform::judge::report::CheckReport) {
/// let mut lines = LineWriter::default();
/// print!("{}", lines.begin(report));
/// for check in &report.checks {
///     print!("{}", lines.check(check));
/// }
/// print!("{}", lines.end(report));
/// # }
/// ```
#[derive(Debug, Default)]
pub struct LineWriter {
    run_id: String,
    started_ms: u64,
    seq: u64,
    /// What was told last, from the begin of the run.
    now_us: u64,
    has_begun: bool,
    /// What each check was said to be.
    told: BTreeMap<String, Outcome>,
}

impl LineWriter {
    /// The line of the run, once.
    pub fn begin(&mut self, report: &CheckReport) -> String {
        let mut text = String::new();
        if std::mem::replace(&mut self.has_begun, true) {
            return text;
        }
        report.run_id.clone_into(&mut self.run_id);
        self.started_ms = report.started_ms;
        let run = Entry::Run(RunLine {
            version: &report.version,
            started_ms: report.started_ms,
            seed: &report.seed,
            nonce: &report.nonce,
            target: &report.target,
            profile: report.profile.as_str(),
            observation: &report.observation,
            rerun: &report.rerun,
        });
        self.add(&mut text, &run);
        text
    }

    /// The lines of a check that was judged.
    pub fn check(&mut self, check: &CheckResult) -> String {
        self.now_us = self.now_us.max(check.judged_us);
        let mut text = String::new();
        for case in &check.evidence {
            for rung in &case.ladder.rungs {
                if let Rung::Attempt(attempt) = rung {
                    let line = AttemptLine { check: &check.id, case: &case.case, attempt };
                    self.add(&mut text, &Entry::Attempt(line));
                }
            }
            for effect in &case.ladder.observed {
                let line = ObserveLine { check: &check.id, case: &case.case, effect };
                self.add(&mut text, &Entry::Observe(line));
            }
        }
        self.add(&mut text, &Entry::Check(CheckLine::of(check)));
        self.told.insert(check.id.clone().into_owned(), check.outcome.clone());
        text
    }

    /// All that is left to tell, and the sum.
    pub fn end(&mut self, report: &CheckReport) -> String {
        let mut text = self.begin(report);
        let is_new = |check: &&CheckResult| self.told.get(check.id.as_ref()) != Some(&check.outcome);
        let mut left: Vec<&CheckResult> = report.checks.iter().filter(is_new).collect();
        left.sort_by_key(|check| check.judged_us);
        for check in left {
            if self.told.contains_key(check.id.as_ref()) {
                self.add(&mut text, &Entry::Check(CheckLine::of(check)));
            } else {
                text.push_str(&self.check(check));
            }
        }
        self.now_us = self.now_us.max(report.took_ms.saturating_mul(1_000));
        if let Some(exploration) = &report.exploration {
            self.add(&mut text, &Entry::Exploration(ExplorationLine { exploration }));
        }
        let summary = Entry::Summary(SummaryLine {
            took_ms: report.took_ms,
            interrupted: report.interrupted,
            error: report.error.as_deref(),
            not_run: report.not_run.iter().map(AsRef::as_ref).collect(),
            summary: report.summary,
        });
        self.add(&mut text, &summary);
        text
    }

    fn add(&mut self, text: &mut String, entry: &Entry<'_>) {
        let line = Line {
            schema: SCHEMA,
            run_id: &self.run_id,
            seq: self.seq,
            ts: wall(self.started_ms.saturating_add(self.now_us / 1_000)),
            t_ns: self.now_us.saturating_mul(1_000),
            entry,
        };
        // Texts, numbers and lists of them: nothing that could not be written.
        text.push_str(&serde_json::to_string(&line).unwrap_or_default());
        text.push('\n');
        self.seq += 1;
    }
}

/// As RFC 3339 has it, in UTC.
fn wall(ms: u64) -> String {
    let (year, month, day) = day::of(ms / 86_400_000);
    let (second, milli) = (ms / 1_000 % 86_400, ms % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    run_id: &'a str,
    seq: u64,
    ts: String,
    t_ns: u64,
    #[serde(flatten)]
    entry: &'a Entry<'a>,
}

/// What a line tells.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Entry<'a> {
    Run(RunLine<'a>),
    Attempt(AttemptLine<'a>),
    Observe(ObserveLine<'a>),
    Check(CheckLine<'a>),
    Exploration(ExplorationLine<'a>),
    Summary(SummaryLine<'a>),
}

/// What holds for all lines.
#[derive(Serialize, JsonSchema)]
struct RunLine<'a> {
    /// The version of the suite.
    version: &'a str,
    /// When it began, in milliseconds since 1970.
    started_ms: u64,
    /// `0x…`
    seed: &'a str,
    /// `0x…`
    nonce: &'a str,
    /// The URL.
    target: &'a str,
    /// The revision of the wire.
    profile: &'a str,
    /// How effects were seen: `none`, `verify-cmd`, `observe-file` or `observe-url`.
    observation: &'a str,
    /// The command that does it again.
    rerun: &'a str,
}

/// One request, and what became of it.
#[derive(Serialize, JsonSchema)]
struct AttemptLine<'a> {
    /// The id of the check.
    check: &'a str,
    /// What is special about the case.
    case: &'a str,
    /// What was sent and answered.
    attempt: &'a AttemptRecord,
}

/// One effect that was seen.
#[derive(Serialize, JsonSchema)]
struct ObserveLine<'a> {
    /// The id of the check.
    check: &'a str,
    /// What is special about the case.
    case: &'a str,
    /// As the receiver told it.
    effect: &'a Effect,
}

/// What came of one check; of several lines of one check the last holds.
#[derive(Serialize, JsonSchema)]
struct CheckLine<'a> {
    id: &'a str,
    title: &'a str,
    group: crate::judge::check::Group,
    severity: crate::judge::check::Severity,
    verdict: crate::judge::check::Verdict,
    /// Why, for people; empty where it passed.
    detail: &'a str,
    /// Whether it was judged by the answers, and there are effects that nobody saw.
    by_answers_alone: bool,
    /// In milliseconds.
    took_ms: u64,
    /// What was found, case by case.
    findings: Vec<FindingLine<'a>>,
    /// What does it again.
    reproducer: &'a super::Reproducer,
}

/// What was found in one case.
#[derive(Serialize, JsonSchema)]
struct FindingLine<'a> {
    case: &'a str,
    finding: &'a CaseFinding,
}

/// What random schedules have come to.
#[derive(Serialize, JsonSchema)]
struct ExplorationLine<'a> {
    /// All of it.
    exploration: &'a Exploration,
}

/// The end.
#[derive(Serialize, JsonSchema)]
struct SummaryLine<'a> {
    /// In milliseconds.
    took_ms: u64,
    /// Whether it was stopped before its end.
    interrupted: bool,
    /// Why the checks could not be run.
    error: Option<&'a str>,
    /// The ids of those that were selected, and not run.
    not_run: Vec<&'a str>,
    /// Counts.
    summary: CheckSummary,
}

impl<'a> CheckLine<'a> {
    fn of(check: &'a CheckResult) -> Self {
        let findings = check
            .evidence
            .iter()
            .flat_map(|case| case.findings.iter().map(|finding| FindingLine { case: &case.case, finding }));
        Self {
            id: &check.id,
            title: &check.title,
            group: check.group,
            severity: check.severity,
            verdict: check.outcome.verdict,
            detail: &check.outcome.detail,
            by_answers_alone: check.outcome.by_answers_alone,
            took_ms: check.took_ms,
            findings: findings.collect(),
            reproducer: &check.reproducer,
        }
    }
}

/// The JSON Schema (2020-12) of one line of `--report jsonl=…`.
///
/// Additive by design: lines of other kinds, and other keys, are valid.
#[must_use]
pub fn lines_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = [
        case::<RunLine<'_>>(&mut generator, "run"),
        case::<AttemptLine<'_>>(&mut generator, "attempt"),
        case::<ObserveLine<'_>>(&mut generator, "observe"),
        case::<CheckLine<'_>>(&mut generator, "check"),
        case::<ExplorationLine<'_>>(&mut generator, "exploration"),
        case::<SummaryLine<'_>>(&mut generator, "summary"),
    ];
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "description": "One line of the report of a run of checks: what was sent, answered, seen and judged.",
        "type": "object",
        "required": ["schema", "run_id", "seq", "kind"],
        "properties": {
            "schema": { "const": SCHEMA },
            "run_id": { "type": "string", "description": "Different for each run." },
            "seq": { "type": "integer", "minimum": 0, "description": "Which line, from 0." },
            "ts": { "type": "string", "format": "date-time", "description": "When it was told, by the clock." },
            "t_ns": {
                "type": "integer", "minimum": 0,
                "description": "When it was told, in nanoseconds from the begin of the run; it never goes back.",
            },
            "kind": { "type": "string", "description": "What the line tells; unknown kinds are passed over." },
        },
        "allOf": kinds,
        "$defs": generator.take_definitions(true),
    });
    leave_out_examples(&mut schema);
    schema
}

fn case<T: JsonSchema>(generator: &mut SchemaGenerator, kind: &str) -> Value {
    json!({
        "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
        "then": generator.subschema_for::<T>(),
    })
}
