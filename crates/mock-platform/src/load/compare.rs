//! Two loads, or several of each: what has changed, and whether that may be chance. Pure.

mod resample;
mod tell;
mod tolerance;

use std::collections::BTreeSet;

use serde::Serialize;

use self::resample::{Measure, Sample, Side};
pub use self::tolerance::{Tolerance, ToleranceError, Tolerances};
use super::report::{Difference, LoadReport};
use super::saturation::is_own_lateness;

/// Why loads do not compare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A side has no run.
    #[error("there is no run to compare with")]
    None,
    /// They were not made alike.
    #[error("the loads are not alike, so they do not compare: one has {what} {one:?}, another {other:?}")]
    Differ {
        /// What differs.
        what: &'static str,
        /// What one has.
        one: String,
        /// What another has.
        other: String,
    },
}

/// What has changed from some runs to others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LoadComparison {
    /// The pace of all of them.
    pub pace: String,
    /// How many runs there were before, and after.
    pub runs: [usize; 2],
    /// What changed, figure by figure.
    pub figures: Vec<ComparedFigure>,
    /// In what the loads differ that may be the reason for a change.
    pub warnings: Vec<String>,
    /// Why nothing can be said: a run was stopped or saturated, all are too short, or what was lost is not known any more. What is proven to be lost or
    /// doubled is said all the same, and then this is `null`.
    pub inconclusive: Option<String>,
}

/// One figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComparedFigure {
    /// What it is called in a threshold, such as `p99`.
    pub name: &'static str,
    /// What it is measured in: `us`, `share` or `per_second`.
    pub unit: Unit,
    /// Before.
    pub before: Option<f64>,
    /// After.
    pub after: Option<f64>,
    /// How much worse it is: of times and rates a share of what it was, of shares the difference. Less than 0 is better.
    pub worse_by: Option<f64>,
    /// The interval in which 95 of 100 samples of the runs' own pieces have it.
    pub interval: Option<[f64; 2]>,
    /// What is tolerated; `null` where nothing is judged.
    pub tolerated: Option<f64>,
    /// What that comes to.
    pub change: Change,
}

impl ComparedFigure {
    /// Takes back that it is worse where the generator, which woke up so late, may be all that was: why, then.
    fn excused(&mut self, lag_us: u64, tolerances: &Tolerances) -> Option<String> {
        let (before, after) = self.before.zip(self.after).filter(|_| self.change == Change::Worse)?;
        let bound = (before * (1.0 + self.tolerated?)).max(before + tolerances.floor_us());
        is_own_lateness(after as u64, lag_us, bound).then(|| {
            self.change = Change::Unclear;
            let ms = lag_us as f64 / 1e3;
            format!(
                "{} may be worse only because the generator woke up {ms} ms late for as many itself",
                self.name
            )
        })
    }

    fn is_of_effects(&self) -> bool {
        [Measure::Lost, Measure::Duplicated].iter().any(|measure| measure.name() == self.name)
    }
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// Microseconds.
    Us,
    /// A part of all webhooks.
    Share,
    /// Webhooks per second.
    PerSecond,
}

/// What a figure did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// Worse by more than is tolerated, and not by chance.
    Worse,
    /// Better by as much.
    Better,
    /// Neither.
    Same,
    /// It may be worse by more than is tolerated, and it may be chance: more or longer runs would tell.
    Unclear,
    /// Nobody looked, on one side at least.
    Unknown,
}

impl LoadComparison {
    /// Compares.
    ///
    /// # Errors
    /// Where the loads are not alike in pace or profile.
    pub fn of(
        before: &[LoadReport],
        after: &[LoadReport],
        tolerances: &Tolerances,
    ) -> Result<Self, CompareError> {
        let first = before.first().ok_or(CompareError::None)?;
        after.first().ok_or(CompareError::None)?;
        for report in before.iter().chain(after) {
            for (what, one, other) in [
                ("pace", first.pace.clone(), report.pace.clone()),
                ("profile", first.profile.clone(), report.profile.clone()),
                ("connections", first.connections.to_string(), report.connections.to_string()),
            ] {
                if one != other {
                    return Err(CompareError::Differ { what, one, other });
                }
            }
        }
        let sides = Side::pair(before, after);
        let samples = Side::samples(&sides);
        let figures = Measure::ALL.into_iter().enumerate().map(|(place, measure)| {
            let values = [sides[0].value(measure), sides[1].value(measure)];
            compared(measure, values, interval(measure, place, &samples), tolerances)
        });
        let mut figures: Vec<ComparedFigure> = figures.collect();
        let late: Vec<String> = Measure::ALL
            .into_iter()
            .zip(&mut figures)
            .filter_map(|(measure, figure)| figure.excused(latest(measure, after)?, tolerances))
            .collect();
        let mut comparison = Self {
            pace: first.pace.clone(),
            runs: [before.len(), after.len()],
            warnings: warnings(first, before.iter().chain(after)).into_iter().chain(late).collect(),
            inconclusive: inconclusive(before, after, &sides),
            figures,
        };
        if after.iter().any(LoadReport::is_proven_wrong) {
            comparison.keep_what_is_proven();
        }
        if comparison.inconclusive.is_none() && comparison.regressions().next().is_none() {
            comparison.inconclusive = comparison.unseen();
        }
        Ok(comparison)
    }

    /// What is lost or doubled is so, however late a generator was or whoever stopped it; of the rest nothing is said then.
    fn keep_what_is_proven(&mut self) {
        let is_proven = |figure: &ComparedFigure| figure.is_of_effects() && figure.change == Change::Worse;
        if !self.figures.iter().any(is_proven) {
            return;
        }
        let Some(reason) = self.inconclusive.take() else { return };
        self.warnings.push(format!("{reason}; what was lost or doubled is so all the same"));
        for figure in &mut self.figures {
            if figure.change == Change::Worse && !is_proven(figure) {
                figure.change = Change::Unclear;
            }
        }
    }

    /// Why it cannot be said that nothing more was lost or doubled, where that was known before.
    fn unseen(&self) -> Option<String> {
        let is_unseen = |figure: &&ComparedFigure| {
            figure.is_of_effects() && figure.before.is_some() && figure.after.is_none()
        };
        let unseen = self.figures.iter().find(is_unseen)?;
        Some(format!(
            "what was {} was seen before, and not after: look at the effects there, too",
            unseen.name
        ))
    }

    /// The figures that are worse.
    pub fn regressions(&self) -> impl Iterator<Item = &ComparedFigure> {
        self.figures.iter().filter(|figure| figure.change == Change::Worse)
    }

    /// As people read it in a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        tell::text(self)
    }

    /// As GitHub and GitLab show it.
    #[must_use]
    pub fn markdown(&self) -> String {
        tell::markdown(self)
    }
}

/// In what a load was not made as the first one was, each kind of it once.
fn warnings<'a>(first: &LoadReport, all: impl Iterator<Item = &'a LoadReport>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let differences = all.filter_map(|report| first.asked.differs(&report.asked));
    differences
        .filter(|difference| seen.insert(difference.what))
        .map(|Difference { what, one, other }| {
            format!("the loads differ in {what}, {one:?} and {other:?}: what has changed may be that")
        })
        .collect()
}

/// Pieces that a side has at least, or chance cannot be told from change.
const PIECES: usize = 5;

fn inconclusive(before: &[LoadReport], after: &[LoadReport], sides: &[Side; 2]) -> Option<String> {
    let unfit = before.iter().chain(after).find_map(|report| {
        let (saturation, gave_way) = (report.saturation.as_deref(), report.gave_way.as_deref());
        let is_idle = (report.summary.attempts == 0).then_some("nothing was sent");
        let is_cut = report.stopped || report.ledger_failed.is_some();
        match (is_cut, saturation.or(is_idle), gave_way) {
            (true, ..) => Some(format!("the run with seed {} was stopped before its end", report.seed)),
            (_, Some(reason), _) => {
                Some(format!("the run with seed {} was so itself: {reason}", report.seed))
            }
            // What was not sent has no latency, and was late all the same.
            (.., Some(reason)) => Some(format!("the run with seed {} gave way: {reason}", report.seed)),
            _ => None,
        }
    });
    let few = || {
        let fewest = sides.iter().map(Side::pieces).min().unwrap_or_default();
        (fewest < PIECES).then(|| {
            format!("a side has {fewest} whole seconds, and chance needs {PIECES} at least: let it run longer, or more often")
        })
    };
    unfit.or_else(few)
}

fn compared(
    measure: Measure,
    [before, after]: [Option<f64>; 2],
    interval: Option<[f64; 2]>,
    tolerances: &Tolerances,
) -> ComparedFigure {
    let worse_by = before.zip(after).map(|(before, after)| measure.worse_by(before, after));
    let interval = worse_by.and(interval);
    let tolerated = tolerances.of(measure.name());
    let is_little = measure.unit() == Unit::Us
        && before.zip(after).is_some_and(|(before, after)| (after - before).abs() <= tolerances.floor_us());
    let change = match (worse_by, interval, tolerated) {
        (None, ..) => Change::Unknown,
        (Some(_), ..) if is_little => Change::Same,
        (Some(by), Some([low, _]), Some(most)) if by > most && low > 0.0 => Change::Worse,
        (Some(by), Some(_), Some(most)) if by > most => Change::Unclear,
        // Of counts of single webhooks nothing is chance.
        (Some(by), None, Some(most)) if by > most => Change::Worse,
        (Some(by), Some([_, high]), most) if -by > most.unwrap_or_default() && high < 0.0 => Change::Better,
        _ => Change::Same,
    };
    ComparedFigure {
        name: measure.name(),
        unit: measure.unit(),
        before,
        after,
        worse_by,
        interval,
        tolerated,
        change,
    }
}

/// How late the generator woke up for as many as a time leaves out, in microseconds, in every one of these runs at least.
fn latest(measure: Measure, runs: &[LoadReport]) -> Option<u64> {
    let thousandths = measure.thousandths()?;
    runs.iter().map(|report| report.summary.scheduling_lag_us.at(thousandths)).min()
}

/// Where 95 of 100 samples are.
fn interval(measure: Measure, place: usize, samples: &[Sample]) -> Option<[f64; 2]> {
    if measure.is_of_whole_runs() {
        return None;
    }
    let by = |[before, after]: &Sample| Some(measure.worse_by(before[place]?, after[place]?));
    let mut all: Vec<f64> = samples.iter().filter_map(by).collect();
    all.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| all.get(((all.len() as f64 - 1.0) * part).round() as usize).copied();
    Some([at(0.025)?, at(0.975)?])
}

#[cfg(test)]
mod tests;
