use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    AttemptRecord, CaseFinding, CheckReport, CheckResult, CheckSummary, Exploration, Reporter, Rung,
};
use crate::deliver::ledger::leave_out_examples;
use crate::judge::Effect;

/// JSON Lines: a line for the run, for each attempt, effect and check, and for the sum.
pub(super) struct JsonLines;

/// The schema that every line names.
const SCHEMA: &str = "piopiy-mock.check-lines/v1";

impl Reporter for JsonLines {
    fn render(&self, report: &CheckReport) -> String {
        let mut lines = Lines { run_id: &report.run_id, seq: 0, text: String::new() };
        lines.add(&Entry::Run(RunLine {
            version: &report.version,
            started_ms: report.started_ms,
            seed: &report.seed,
            nonce: &report.nonce,
            target: &report.target,
            profile: report.profile.as_str(),
            observation: &report.observation,
            rerun: &report.rerun,
        }));
        for check in &report.checks {
            for case in &check.evidence {
                for rung in &case.ladder.rungs {
                    if let Rung::Attempt(attempt) = rung {
                        lines.add(&Entry::Attempt(AttemptLine {
                            check: &check.id,
                            case: &case.case,
                            attempt,
                        }));
                    }
                }
                for effect in &case.ladder.observed {
                    lines.add(&Entry::Observe(ObserveLine { check: &check.id, case: &case.case, effect }));
                }
            }
            lines.add(&Entry::Check(CheckLine::of(check)));
        }
        if let Some(exploration) = &report.exploration {
            lines.add(&Entry::Exploration(ExplorationLine { exploration }));
        }
        lines.add(&Entry::Summary(SummaryLine {
            took_ms: report.took_ms,
            interrupted: report.interrupted,
            error: report.error.as_deref(),
            not_run: report.not_run.iter().map(AsRef::as_ref).collect(),
            summary: report.summary,
        }));
        lines.text
    }
}

struct Lines<'a> {
    run_id: &'a str,
    seq: u64,
    text: String,
}

impl Lines<'_> {
    fn add(&mut self, entry: &Entry<'_>) {
        let line = Line { schema: SCHEMA, run_id: self.run_id, seq: self.seq, entry };
        // Texts, numbers and lists of them: nothing that could not be written.
        self.text.push_str(&serde_json::to_string(&line).unwrap_or_default());
        self.text.push('\n');
        self.seq += 1;
    }
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    run_id: &'a str,
    seq: u64,
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

/// What came of one check.
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
