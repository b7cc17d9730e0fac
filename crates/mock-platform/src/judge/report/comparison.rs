use std::borrow::Cow;
use std::collections::BTreeMap;

use super::account::{as_check, found, whole};
use super::{CheckReport, CheckResult, Exploration};
use crate::judge::check::Verdict;

/// Several runs side by side.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::report::{CheckReport, Comparison};
///
/// let reports: Vec<(String, CheckReport)> = Vec::new();
/// assert_eq!(Comparison::of(&reports).changed(), 0);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Comparison<'a> {
    /// In the order in which they were given.
    pub runs: Vec<Run<'a>>,
    /// One for each check of any run, and for each kind of fault that random schedules found in any: those whose verdict
    /// changed first, then by id.
    pub rows: Vec<Row<'a>>,
}

/// One of the runs.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run<'a> {
    /// What it is called, such as the name of its file.
    pub label: &'a str,
    /// What came of it.
    pub report: &'a CheckReport,
}

/// What came of one check in each run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Row<'a> {
    /// Its id; `EXP-duplicated` and the like where random schedules found that fault, whose ids are those of one run.
    pub id: Cow<'a, str>,
    /// What was sent, in a few words.
    pub title: Cow<'a, str>,
    /// In the order of the runs; `None` where it was not run.
    pub results: Vec<Option<Cow<'a, CheckResult>>>,
    /// Whether not all verdicts are the same.
    pub has_changed: bool,
}

impl<'a> Comparison<'a> {
    /// Compares runs, each with what it is called.
    #[must_use]
    pub fn of(reports: &'a [(String, CheckReport)]) -> Self {
        let mut by_id: BTreeMap<Cow<'a, str>, Vec<Option<Cow<'a, CheckResult>>>> = BTreeMap::new();
        for (n, (_, report)) in reports.iter().enumerate() {
            for check in &report.checks {
                let results =
                    by_id.entry(Cow::Borrowed(&check.id)).or_insert_with(|| vec![None; reports.len()]);
                results[n] = Some(Cow::Borrowed(check));
            }
        }
        let explored = |report: &'a CheckReport| report.exploration.iter();
        for find in reports.iter().flat_map(|(_, report)| explored(report)).flat_map(|it| &it.findings) {
            let of_kind = |(_, report): &'a (String, CheckReport)| {
                explored(report)
                    .next()
                    .and_then(|exploration| of_kind(exploration, &find.kind))
                    .map(Cow::Owned)
            };
            by_id.entry(Cow::Owned(id(&find.kind))).or_insert_with(|| reports.iter().map(of_kind).collect());
        }
        let mut rows: Vec<Row<'a>> = by_id.into_iter().map(|(id, results)| row(id, results)).collect();
        rows.sort_by_key(|row| !row.has_changed);
        let runs = reports.iter().map(|(label, report)| Run { label, report }).collect();
        Self { runs, rows }
    }

    /// How many verdicts changed.
    #[must_use]
    pub fn changed(&self) -> usize {
        self.rows.iter().filter(|row| row.has_changed).count()
    }
}

fn row<'a>(id: Cow<'a, str>, results: Vec<Option<Cow<'a, CheckResult>>>) -> Row<'a> {
    // What was found is told better than that nothing was.
    let first = results.iter().flatten().find(|check| !check.title.is_empty());
    let title = first.map_or(Cow::Borrowed(""), |check| Cow::Owned(check.title.clone().into_owned()));
    let verdict = |result: &Option<Cow<'_, CheckResult>>| result.as_ref().map(|check| check.outcome.verdict);
    let has_changed = results.windows(2).any(|pair| verdict(&pair[0]) != verdict(&pair[1]));
    Row { id, title, results, has_changed }
}

/// What one run's random schedules say of a kind of fault; `None` where none were tried.
fn of_kind(exploration: &Exploration, kind: &str) -> Option<CheckResult> {
    if let Some(find) = exploration.findings.iter().find(|find| find.kind == kind) {
        return Some(found(find));
    }
    let mut outcome = whole(exploration);
    if outcome.verdict == Verdict::Pass {
        outcome.detail = format!("not found in {} random schedules", exploration.schedules);
    }
    (outcome.verdict != Verdict::NotObserved).then(|| as_check("EXP", String::new(), outcome))
}

/// What a kind of fault is called where it stands beside checks.
fn id(kind: &str) -> String {
    let word: String = kind.chars().map(|char| if char.is_alphanumeric() { char } else { '-' }).collect();
    format!("EXP-{word}")
}
