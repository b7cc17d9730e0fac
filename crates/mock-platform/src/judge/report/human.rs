use std::fmt::Write;

use textwrap::{Options, WordSeparator, WordSplitter};

use super::account::{one_line, word};
use super::{CheckReport, CheckResult, CheckSummary, Comparison, Exploration, Reporter, Reproducer, unlock};
use crate::judge::check::{Group, Severity, Verdict};

/// Text for people: a line for each group, a few for each check that is not as it should be, what would unlock those
/// that could not be seen, and a sum.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it has no options")]
pub struct Human;

/// What a terminal can do, and how much is wanted.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "whoever renders says all of it")]
pub struct TextStyle {
    /// Whether colours are understood.
    pub color: bool,
    /// Whether more than ASCII is.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
    /// Whether what could not be seen is listed too.
    pub verbose: bool,
}

impl TextStyle {
    /// For a file.
    pub const PLAIN: Self = Self { color: false, unicode: true, width: 110, verbose: false };
}

impl Reporter for Human {
    fn render(&self, report: &CheckReport) -> String {
        self.render_styled(report, &TextStyle::PLAIN)
    }

    fn compare(&self, comparison: &Comparison<'_>) -> Option<String> {
        Some(compared(comparison))
    }
}

impl Human {
    /// For a terminal.
    #[must_use]
    pub fn render_styled(&self, report: &CheckReport, style: &TextStyle) -> String {
        let mut page = Page { style, text: String::new() };
        for group in Group::ALL {
            let of_group = report.checks.iter().filter(|check| check.group == group);
            let checks: Vec<&CheckResult> = of_group.collect();
            if !checks.is_empty() {
                page.group(group, &checks);
            }
        }
        if let Some(exploration) = &report.exploration {
            page.explored(exploration);
        }
        page.unseen(report);
        if let Some(error) = &report.error {
            page.wrapped(
                "",
                "",
                &format!("{} {}", page.painted(RED, "the checks could not be run:"), one_line(error)),
            );
        } else if !report.not_run.is_empty() {
            let count = report.not_run.len();
            page.wrapped("", "", &format!("the run was stopped before its end: {count} checks were not run"));
        }
        if report.summary.selected > 0 || report.exploration.is_none() {
            page.wrapped("", "  ", &sum(&report.summary));
        }
        if style.unicode { page.text } else { ascii(&page.text) }
    }
}

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;
const DIM: u8 = 2;
const BOLD: u8 = 1;

struct Page<'a> {
    style: &'a TextStyle,
    text: String,
}

impl Page<'_> {
    fn painted(&self, color: u8, text: &str) -> String {
        if self.style.color { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        // Ids have hyphens, and are searched for whole.
        let options = Options::new(self.style.width)
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_splitter(WordSplitter::NoHyphenation)
            .word_separator(WordSeparator::AsciiSpace);
        for line in textwrap::wrap(text, options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    fn group(&mut self, group: Group, checks: &[&CheckResult]) {
        let count = |verdict| checks.iter().filter(|check| check.outcome.verdict == verdict).count();
        let (passed, unseen) =
            (count(Verdict::Pass), count(Verdict::NotObserved) + count(Verdict::NotApplicable));
        let ran = checks.len() - unseen;
        let mark = match () {
            () if ran == 0 => self.painted(DIM, "-"),
            () if checks.iter().any(|check| is_wrong(check)) => self.painted(RED, "✗"),
            () if passed < ran => self.painted(YELLOW, "!"),
            () => self.painted(GREEN, "✓"),
        };
        let mut counts = format!("{passed} of {} passed", checks.len());
        if unseen > 0 {
            // Writing to a String cannot fail.
            let _ = write!(counts, ", {unseen} not seen");
        }
        let name = self.painted(BOLD, group.as_str());
        self.wrapped("", "       ", &format!("{mark} {name}  {}: {counts}", group.title()));
        for check in checks {
            let is_fine = check.outcome.verdict == Verdict::Pass && !check.is_stale_known_failure;
            let is_unseen = matches!(check.outcome.verdict, Verdict::NotObserved | Verdict::NotApplicable);
            if !is_fine && (!is_unseen || self.style.verbose) {
                self.check(check);
            }
        }
    }

    fn check(&mut self, check: &CheckResult) {
        let verdict = check.outcome.verdict;
        let (mark, color) = mark(verdict);
        let title = format!("{mark} {}  {} ({})", check.id, word(verdict), check.severity);
        let line = format!("{}  {}", self.painted(color, &one_line(&title)), one_line(&check.title));
        self.wrapped("  ", "      ", &line);
        for part in check.outcome.detail.lines() {
            self.wrapped("      ", "      ", &one_line(part));
        }
        if check.is_stale_known_failure {
            self.wrapped("      ", "      ", "the list of known failures is wrong about it: take it out");
        }
        if verdict == Verdict::Fail {
            // In one line however long it is: it is there to be copied.
            let _ = writeln!(
                self.text,
                "      {} {}",
                self.painted(DIM, "again:"),
                one_line(&check.reproducer.command)
            );
        }
        self.reproducer(&check.reproducer);
    }

    fn reproducer(&mut self, reproducer: &Reproducer) {
        if let Some(folder) = &reproducer.folder {
            let _ = writeln!(self.text, "      {} {}", self.painted(DIM, "reproducer:"), one_line(folder));
        }
    }

    fn explored(&mut self, exploration: &Exploration) {
        let Exploration { schedules, webhooks, deliveries, findings, .. } = exploration;
        let (mark, color) = match () {
            () if !findings.is_empty() => ("✗", RED),
            () if *schedules == 0 || exploration.error.is_some() => ("-", DIM),
            () => ("✓", GREEN),
        };
        let found = if findings.is_empty() { "nothing".to_owned() } else { findings.len().to_string() };
        let line = format!(
            "{} {}  exploration: {schedules} random schedules, {deliveries} deliveries of {webhooks} webhooks: {found} found",
            self.painted(color, mark),
            self.painted(BOLD, "EXP")
        );
        self.wrapped("", "       ", &line);
        for find in findings {
            let (mark, color) = self::mark(find.verdict);
            let title = format!("{mark} {}  {} ({})", find.id, word(find.verdict), Severity::Must);
            self.wrapped(
                "  ",
                "      ",
                &format!("{}  {}", self.painted(color, &one_line(&title)), one_line(&find.title)),
            );
            let extent = match (find.verdict, find.is_smallest) {
                (Verdict::Inconclusive, _) => "it did not fail again",
                (_, true) => "nothing smaller fails",
                (_, false) => "there was no time to try all that is smaller",
            };
            let origin =
                format!("{}, found in schedule {}, {}; {extent}", find.kind, find.found_in, find.found_as);
            self.wrapped("      ", "      ", &one_line(&origin));
            let again = one_line(&find.reproducer.command);
            let _ = writeln!(self.text, "      {} {again}", self.painted(DIM, "again:"));
            self.reproducer(&find.reproducer);
        }
        for reason in &exploration.not_observed {
            let reason = self.painted(DIM, &format!("not observed: {}", one_line(reason)));
            self.wrapped("  ", "      ", &reason);
        }
        if let Some(error) = &exploration.error {
            let error = format!("{} {}", self.painted(RED, "it ended early:"), one_line(error));
            self.wrapped("  ", "      ", &error);
        }
    }

    fn unseen(&mut self, report: &CheckReport) {
        for locked in unlock::locked(report) {
            self.wrapped("", "  ", &self.painted(DIM, &one_line(&locked.text)));
        }
    }
}

fn is_wrong(check: &CheckResult) -> bool {
    matches!(check.outcome.verdict, Verdict::Fail | Verdict::Error) || check.is_stale_known_failure
}

fn mark(verdict: Verdict) -> (&'static str, u8) {
    match verdict {
        Verdict::Pass => ("✓", GREEN),
        Verdict::Fail | Verdict::Error => ("✗", RED),
        Verdict::Warn | Verdict::Inconclusive => ("!", YELLOW),
        Verdict::KnownFailure => ("~", YELLOW),
        Verdict::NotObserved | Verdict::NotApplicable => ("-", DIM),
    }
}

/// What of the texts is not ASCII has a spelling in it; what comes from outside may not.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '✓' => plain.push_str("ok"),
            '✗' => plain.push('x'),
            '…' => plain.push_str("..."),
            '·' => plain.push('-'),
            '→' => plain.push_str("->"),
            '×' => plain.push('x'),
            char if char.is_ascii() => plain.push(char),
            _ => plain.push('?'),
        }
    }
    plain
}

/// `120 passed (37 by their answers alone), 2 failed`.
fn sum(summary: &CheckSummary) -> String {
    let mut parts = vec![format!("{} passed", summary.passed)];
    if summary.passed_by_answers_alone > 0 {
        parts[0].push_str(&format!(" ({} by their answers alone)", summary.passed_by_answers_alone));
    }
    parts.push(format!("{} failed", summary.failed));
    for (count, word) in [
        (summary.warned, "warned"),
        (summary.known_failures, "known to fail"),
        (summary.inconclusive, "inconclusive"),
        (summary.errors, "broken"),
        (summary.not_observed, "not observed"),
        (summary.not_applicable, "not applicable"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}

/// A line for each run, the checks that changed, and how many did not.
fn compared(comparison: &Comparison<'_>) -> String {
    let mut text = String::new();
    for run in &comparison.runs {
        let _ = writeln!(
            text,
            "{}  {}: {}",
            one_line(run.label),
            one_line(&run.report.target),
            sum(&run.report.summary)
        );
    }
    for row in comparison.rows.iter().filter(|row| row.has_changed) {
        let verdicts: Vec<&str> = row
            .results
            .iter()
            .map(|result| result.as_ref().map_or("not run", |it| word(it.outcome.verdict)))
            .collect();
        let _ = writeln!(text, "  {}  {}: {}", one_line(&row.id), one_line(&row.title), verdicts.join(" → "));
    }
    let _ = writeln!(
        text,
        "{} changed, {} the same",
        comparison.changed(),
        comparison.rows.len() - comparison.changed()
    );
    text
}
