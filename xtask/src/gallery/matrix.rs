//! The matrix as it is committed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use piopiy_gallery::flaws;
use piopiy_mock_platform::judge::check::{Check, Tag, all, find};
use serde::{Deserialize, Serialize};

use super::names;
use crate::workspace;

/// Where it lies.
pub(super) const PATH: &str = "fixtures/receivers/gallery/matrix.json";

/// Every check against every flaw.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Matrix {
    /// The checks that every receiver was run against.
    pub(super) checks: BTreeSet<String>,
    pub(super) rows: Vec<Row>,
}

/// What the checks said of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    /// It was gone when all was over: what else failed is a matter of the order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) died: bool,
    /// Checks that fail for what was answered or done.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) fails: BTreeSet<String>,
    /// Checks that fail for how long it took, or that measure and load: no two machines need to agree.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) slow: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) warns: BTreeSet<String>,
    /// Checks that could not tell this time, as where the machine was too slow for them: no reason to say that they survive.
    #[serde(skip)]
    pub(super) undecided: BTreeSet<String>,
    /// What each check said that found something now.
    #[serde(skip)]
    pub(super) details: BTreeMap<String, String>,
}

impl Row {
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            died: false,
            fails: BTreeSet::new(),
            slow: BTreeSet::new(),
            warns: BTreeSet::new(),
            undecided: BTreeSet::new(),
            details: BTreeMap::new(),
        }
    }

    /// What was found by one part or another.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.died |= other.died;
        self.fails.extend(other.fails);
        self.slow.extend(other.slow);
        self.warns.extend(other.warns);
        self.undecided.extend(other.undecided);
        self.details.extend(other.details);
        self
    }

    /// Every check that has found something.
    pub(super) fn found(&self) -> impl Iterator<Item = &String> {
        self.fails.iter().chain(&self.slow).chain(&self.warns)
    }

    /// What is told to people: without what a slow machine alone may have made of a check that measures nothing.
    pub(super) fn told(&self) -> impl Iterator<Item = &String> {
        let slow = self.slow.iter().filter(|id| find(id).is_some_and(is_measured));
        self.fails.iter().chain(slow).chain(&self.warns)
    }

    pub(super) fn is_killed_by(&self, id: &str) -> bool {
        self.found().any(|found| found == id)
    }

    /// What two runs must agree about. Where a flaw is unsteady, or the receiver dies, that is nothing but what its table says.
    fn steady(&self, checks: &[&'static Check]) -> BTreeSet<&str> {
        let flaw = flaws().find(|flaw| flaw.name == self.name);
        let is_steady = !self.died && flaw.is_none_or(|flaw| !flaw.is_unsteady);
        let is_told = |id: &str| flaw.is_some_and(|flaw| flaw.kills.contains(&id));
        let is_run = |id: &&String| checks.iter().any(|check| check.id == **id);
        let failed = self.fails.iter().filter(is_run).filter(|_| is_steady);
        let told = self.found().filter(is_run).filter(|id| is_told(id));
        failed.chain(told).map(String::as_str).collect()
    }

    /// Forgets what these checks said.
    fn without(&mut self, checks: &[&'static Check]) {
        for found in [&mut self.fails, &mut self.slow, &mut self.warns] {
            found.retain(|id| !checks.iter().any(|check| check.id == id));
        }
    }
}

/// Whether a check's verdict depends on the machine.
pub(super) fn is_measured(check: &Check) -> bool {
    check.tags.iter().any(|tag| matches!(tag, Tag::Latency | Tag::Load | Tag::Slow | Tag::Soak))
}

impl Matrix {
    /// What is committed; nothing where there is no such file.
    pub(super) fn read() -> anyhow::Result<Self> {
        match std::fs::read(workspace::root().join(PATH)) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{PATH} is no matrix")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {PATH}")),
        }
    }

    /// Writes it, one row a line, and the page that shows it.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let rows: Vec<String> = self.rows.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let checks = serde_json::to_string(&self.checks)?;
        let text = format!("{{\"checks\":{checks},\n\"rows\":[\n{}\n]}}\n", rows.join(",\n"));
        for (path, text) in [(PATH, text), (super::page::PATH, super::page::text(self))] {
            std::fs::write(workspace::root().join(path), text)
                .with_context(|| format!("cannot write {path}"))?;
        }
        Ok(())
    }

    pub(super) fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// With what was run now; `is_whole` if every receiver was.
    pub(super) fn with(mut self, rows: Vec<Row>, checks: &[&'static Check], is_whole: bool) -> Self {
        for row in rows {
            match self.rows.iter_mut().find(|known| known.name == row.name) {
                Some(known) => {
                    known.without(checks);
                    known.died = false;
                    *known = known.clone().and(row);
                }
                None => self.rows.push(row),
            }
        }
        if is_whole {
            self.checks.extend(checks.iter().map(|check| check.id.to_owned()));
        }
        let place = |name: &str| names().position(|known| known == name);
        self.rows.retain(|row| place(&row.name).is_some());
        self.rows.sort_by_key(|row| place(&row.name));
        self.checks.retain(|id| find(id).is_some());
        self
    }

    /// Where rows that were run now say something else.
    pub(super) fn differences(&self, rows: &[Row], checks: &[&'static Check]) -> Vec<String> {
        let mut differences = Vec::new();
        for row in rows {
            let Some(committed) = self.row(&row.name) else {
                differences.push(format!("{} is not there", row.name));
                continue;
            };
            let (before, now) = (committed.steady(checks), row.steady(checks));
            if committed.died != row.died {
                continue;
            }
            let survived = before.difference(&now).filter(|id| !row.undecided.contains(**id));
            differences.extend(survived.map(|id| format!("{} survives {id} now", row.name)));
            differences.extend(now.difference(&before).map(|id| {
                let said = row.details.get(*id).map(|detail| format!(": {detail}")).unwrap_or_default();
                format!("{id} kills {} now{said}", row.name)
            }));
        }
        differences
    }

    /// What the tables have and the matrix does not.
    pub(super) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        let absent = names().filter(|name| self.row(name).is_none());
        gaps.extend(absent.map(|name| format!("{name} has no row: `cargo xtask gallery --only {name}`")));
        let gone = self.rows.iter().filter(|row| !names().any(|name| name == row.name));
        gaps.extend(gone.map(|row| format!("{} is in no table", row.name)));
        let unrun = all().into_iter().filter(|check| !self.checks.contains(check.id));
        gaps.extend(
            unrun.map(|check| format!("{0} was not run: `cargo xtask gallery --against {0}`", check.id)),
        );
        for flaw in flaws() {
            let Some(row) = self.row(flaw.name) else { continue };
            let survived = flaw.kills.iter().filter(|id| !row.is_killed_by(id));
            gaps.extend(survived.map(|id| format!("{} is not killed by {id}", flaw.name)));
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, fails: &[&str]) -> Row {
        Row { fails: fails.iter().map(|&id| id.to_owned()).collect(), ..Row::of(name) }
    }

    fn check(committed: Row, now: Row, expected: &[&str]) {
        let matrix = Matrix { rows: vec![committed], ..Matrix::default() };
        assert_eq!(matrix.differences(&[now], &all()), expected);
    }

    #[test]
    fn what_is_killed_now_and_was_not_is_told() {
        check(row("redirects", &["TRN-001"]), row("redirects", &["TRN-001"]), &[]);
        check(row("redirects", &["TRN-001"]), row("redirects", &[]), &["redirects survives TRN-001 now"]);
        check(row("redirects", &[]), row("redirects", &["DUP-001"]), &["DUP-001 kills redirects now"]);
        check(row("redirects", &[]), row("none", &[]), &["none is not there"]);
        // Depends on how many requests there were, and on what came before.
        check(row("doubles", &[]), row("doubles", &["DUP-001"]), &[]);
        check(row("stumbles-over-poison", &[]), row("stumbles-over-poison", &["DUP-001"]), &[]);
        let undecided = Row { undecided: ["TRN-018".to_owned()].into(), ..row("wants-capitals", &[]) };
        check(row("wants-capitals", &["TRN-018"]), undecided, &[]);
    }

    #[test]
    fn what_is_run_again_is_replaced_and_the_rest_stays() {
        let matrix = Matrix { rows: vec![row("redirects", &["TRN-001", "DUP-001"])], ..Matrix::default() };
        let checks = [find("DUP-001").unwrap()];
        let matrix = matrix.with(vec![row("redirects", &[]), row("none", &[])], &checks, false);
        assert_eq!(matrix.rows, [row("none", &[]), row("redirects", &["TRN-001"])]);
        assert!(matrix.checks.is_empty());
    }
}
