//! Pieces of runs, and samples of them: what a figure might have been had the same runs gone a little differently.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Unit;
use crate::load::report::{LoadInterval, LoadReport, histogram_of};
use crate::plan::draw::split_mix;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    P50,
    P90,
    P99,
    P999,
    Errors,
    Rate,
    Lost,
    Duplicated,
}

impl Measure {
    pub(super) const ALL: [Self; MEASURES] =
        [Self::P50, Self::P90, Self::P99, Self::P999, Self::Errors, Self::Rate, Self::Lost, Self::Duplicated];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Errors => "errors",
            Self::Rate => "rate",
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
        }
    }

    pub(super) const fn unit(self) -> Unit {
        match self {
            Self::P50 | Self::P90 | Self::P99 | Self::P999 => Unit::Us,
            Self::Errors | Self::Lost | Self::Duplicated => Unit::Share,
            Self::Rate => Unit::PerSecond,
        }
    }

    /// Whether the pieces of a run do not have it.
    pub(super) const fn is_of_whole_runs(self) -> bool {
        matches!(self, Self::Lost | Self::Duplicated)
    }

    pub(super) fn worse_by(self, before: f64, after: f64) -> f64 {
        match self.unit() {
            Unit::Us => after / before.max(1.0) - 1.0,
            Unit::Share => after - before,
            Unit::PerSecond => 1.0 - after / before.max(1e-9),
        }
    }

    /// Which quantile it is.
    pub(super) const fn thousandths(self) -> Option<u16> {
        match self {
            Self::P50 => Some(500),
            Self::P90 => Some(900),
            Self::P99 => Some(990),
            Self::P999 => Some(999),
            _ => None,
        }
    }

    fn quantile(self) -> Option<f64> {
        Some(f64::from(self.thousandths()?) / 1e3)
    }
}

const MEASURES: usize = 8;

/// What every measure has on both sides, in the order of [`Measure::ALL`].
pub(super) type Sample = [[Option<f64>; MEASURES]; 2];

/// At most so many pieces of a run: what lies near is alike, and is left together.
const PIECES: usize = 60;
const SAMPLES: u64 = 1_000;
/// The same runs compare the same each time.
const SEED: u64 = 0x5eed;

/// The runs of one side, or a sample of their pieces.
#[derive(Debug, Clone)]
pub(super) struct Side {
    runs: Arc<Vec<Vec<Piece>>>,
    /// Every time that occurs on either side, in order.
    grid: Arc<Vec<u64>>,
    /// How many took which time of the grid.
    counts: Vec<u64>,
    attempts: u64,
    errors: u64,
    seconds: f64,
    lost: Option<f64>,
    duplicated: Option<f64>,
}

#[derive(Debug, Default)]
struct Piece {
    /// Places in the grid, and how many.
    latencies: Vec<(usize, u64)>,
    attempts: u64,
    errors: u64,
    seconds: f64,
}

impl Side {
    /// Both sides, whole.
    pub(super) fn pair(before: &[LoadReport], after: &[LoadReport]) -> [Self; 2] {
        let read = |reports: &[LoadReport]| reports.iter().map(pieces).collect::<Vec<_>>();
        let raw = [read(before), read(after)];
        let times = raw.iter().flatten().flatten().flat_map(|(_, latencies)| latencies.keys().copied());
        let grid: Arc<Vec<u64>> = Arc::new(times.collect::<BTreeSet<u64>>().into_iter().collect());
        let [one, other] = raw.map(|runs| {
            let place = |time: u64| grid.binary_search(&time).unwrap_or_else(|at| at);
            let piece = |(piece, latencies): (Piece, BTreeMap<u64, u64>)| Piece {
                latencies: latencies.into_iter().map(|(time, count)| (place(time), count)).collect(),
                ..piece
            };
            let runs = runs.into_iter().map(|run| run.into_iter().map(piece).collect()).collect();
            Self::empty(Arc::new(runs), Arc::clone(&grid))
        });
        [one.whole(before), other.whole(after)]
    }

    fn empty(runs: Arc<Vec<Vec<Piece>>>, grid: Arc<Vec<u64>>) -> Self {
        let counts = vec![0; grid.len()];
        Self { runs, grid, counts, attempts: 0, errors: 0, seconds: 0.0, lost: None, duplicated: None }
    }

    fn whole(mut self, reports: &[LoadReport]) -> Self {
        let runs = Arc::clone(&self.runs);
        runs.iter().flatten().for_each(|piece| self.add(piece));
        let share = |of: fn(&LoadReport) -> Option<u64>| {
            let count: Option<u64> = reports.iter().map(of).sum();
            let acknowledged: u64 = reports.iter().map(|report| report.summary.acknowledged).sum();
            count.map(|count| count as f64 / acknowledged.max(1) as f64)
        };
        self.lost = share(|report| report.summary.lost);
        self.duplicated = share(|report| report.summary.duplicated);
        self
    }

    fn add(&mut self, piece: &Piece) {
        for &(place, count) in &piece.latencies {
            self.counts[place] += count;
        }
        self.attempts += piece.attempts;
        self.errors += piece.errors;
        self.seconds += piece.seconds;
    }

    /// How many pieces there are.
    pub(super) fn pieces(&self) -> usize {
        self.runs.iter().map(Vec::len).sum()
    }

    /// Samples of both sides: runs are drawn, and pieces of them, each as often as chance has it.
    pub(super) fn samples(sides: &[Self; 2]) -> Vec<Sample> {
        let sample = |n| [sides[0].sample(2 * n).values(), sides[1].sample(2 * n + 1).values()];
        (0..SAMPLES).map(sample).collect()
    }

    fn values(&self) -> [Option<f64>; MEASURES] {
        Measure::ALL.map(|measure| self.value(measure))
    }

    fn sample(&self, number: u64) -> Self {
        let mut sample = Self::empty(Arc::clone(&self.runs), Arc::clone(&self.grid));
        let seed = split_mix(SEED, number);
        let mut drawn = 0;
        let mut draw = |of: usize| {
            drawn += 1;
            (split_mix(seed, drawn) % of.max(1) as u64) as usize
        };
        for _ in 0..self.runs.len() {
            let run = &self.runs[draw(self.runs.len())];
            for _ in 0..run.len() {
                sample.add(&run[draw(run.len())]);
            }
        }
        sample
    }

    /// The figure; `None` where it is not known.
    pub(super) fn value(&self, measure: Measure) -> Option<f64> {
        match (measure, measure.quantile()) {
            (_, Some(quantile)) => self.quantile(quantile),
            (Measure::Errors, _) => Some(self.errors as f64 / self.attempts.max(1) as f64),
            (Measure::Rate, _) => (self.seconds > 0.0).then(|| self.attempts as f64 / self.seconds),
            (Measure::Lost, _) => self.lost,
            _ => self.duplicated,
        }
    }

    fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.counts.iter().sum();
        let rank = ((total as f64 * quantile).ceil() as u64).max(1);
        let mut passed = 0;
        let place = self.counts.iter().position(|count| {
            passed += count;
            passed >= rank
        })?;
        self.grid.get(place).map(|us| *us as f64)
    }
}

/// The pieces of a run, in order; one that is cut short at the end is a part of the one before.
fn pieces(report: &LoadReport) -> Vec<(Piece, BTreeMap<u64, u64>)> {
    let width = report.series.first().map_or(1.0, |first| first.seconds);
    let whole = report.series.iter().filter(|interval| interval.seconds >= width / 2.0).count().max(1);
    let together = whole.div_ceil(PIECES).max(1);
    let mut pieces: Vec<(Piece, BTreeMap<u64, u64>)> = Vec::new();
    for (n, interval) in report.series.iter().enumerate() {
        if n < whole && n % together == 0 {
            pieces.push(Default::default());
        }
        if let Some((piece, latencies)) = pieces.last_mut() {
            add(piece, latencies, interval);
        }
    }
    pieces
}

fn add(piece: &mut Piece, latencies: &mut BTreeMap<u64, u64>, interval: &LoadInterval) {
    piece.attempts += interval.sent;
    piece.errors += interval.errors;
    piece.seconds += interval.seconds;
    for value in histogram_of(&interval.latency).iter_recorded() {
        *latencies.entry(value.value_iterated_to()).or_default() += value.count_since_last_iteration();
    }
}
