use std::collections::BTreeMap;

use super::{CheckReport, CheckResult};

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
    /// One for each check of any run: those whose verdict changed first, then by id.
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
    /// Its id.
    pub id: &'a str,
    /// What was sent, in a few words.
    pub title: &'a str,
    /// In the order of the runs; `None` where it was not run.
    pub results: Vec<Option<&'a CheckResult>>,
    /// Whether not all verdicts are the same.
    pub has_changed: bool,
}

impl<'a> Comparison<'a> {
    /// Compares runs, each with what it is called.
    #[must_use]
    pub fn of(reports: &'a [(String, CheckReport)]) -> Self {
        let mut by_id: BTreeMap<&str, Vec<Option<&CheckResult>>> = BTreeMap::new();
        for (n, (_, report)) in reports.iter().enumerate() {
            for check in &report.checks {
                by_id.entry(&check.id).or_insert_with(|| vec![None; reports.len()])[n] = Some(check);
            }
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

fn row<'a>(id: &'a str, results: Vec<Option<&'a CheckResult>>) -> Row<'a> {
    let title = results.iter().flatten().next().map_or("", |check| check.title.as_ref());
    let verdict = |result: &Option<&CheckResult>| result.map(|check| check.outcome.verdict);
    let has_changed = results.windows(2).any(|pair| verdict(&pair[0]) != verdict(&pair[1]));
    Row { id, title, results, has_changed }
}
