use std::collections::BTreeMap;
use std::str::FromStr;

use super::resample::Measure;

/// How much worse which figure may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerances {
    most: BTreeMap<&'static str, f64>,
    floor_us: f64,
}

/// Why a text says of no figure how much worse it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} tolerates nothing: {reason}; write it like p99=10%")]
pub struct ToleranceError {
    text: String,
    reason: String,
}

impl Default for Tolerances {
    /// A tenth for half, 90 and 99 in 100, a thousandth more errors, a twentieth of the rate, and nothing lost or doubled. 999 in
    /// 1,000 are shown, and judged only where that is asked for.
    fn default() -> Self {
        let most = [
            ("p50", 0.1),
            ("p90", 0.1),
            ("p99", 0.1),
            ("errors", 0.001),
            ("rate", 0.05),
            ("lost", 0.0),
            ("duplicated", 0.0),
        ];
        Self { most: BTreeMap::from(most), floor_us: 200.0 }
    }
}

impl Tolerances {
    /// Takes in one more.
    pub fn tolerate(&mut self, tolerance: &Tolerance) {
        self.most.insert(tolerance.name, tolerance.most);
    }

    /// Times that differ by no more than this are the same.
    pub fn set_floor(&mut self, floor: std::time::Duration) {
        self.floor_us = floor.as_secs_f64() * 1e6;
    }

    pub(super) fn of(&self, name: &str) -> Option<f64> {
        self.most.get(name).copied()
    }

    pub(super) fn floor_us(&self) -> f64 {
        self.floor_us
    }
}

/// How much worse one figure may be, such as `p99=10%`: of times and rates a part of what it was; of errors, lost and
/// duplicated webhooks a part of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    name: &'static str,
    most: f64,
}

impl FromStr for Tolerance {
    type Err = ToleranceError;

    fn from_str(text: &str) -> Result<Self, ToleranceError> {
        let wrong = |reason: String| ToleranceError { text: text.to_owned(), reason };
        let (name, most) = text.split_once('=').ok_or_else(|| wrong("it names no figure".to_owned()))?;
        let known = Measure::ALL.map(Measure::name);
        let name = known
            .into_iter()
            .find(|known| *known == name.trim())
            .ok_or_else(|| wrong(format!("there is no figure {name:?}; there are {}", known.join(", "))))?;
        let digits =
            most.trim().strip_suffix('%').ok_or_else(|| wrong(format!("{most:?} is no part in %")))?;
        let percent = digits.trim().parse::<f64>().ok().filter(|percent| (0.0..=1e6).contains(percent));
        let percent = percent.ok_or_else(|| wrong(format!("{digits:?} is no number")))?;
        Ok(Self { name, most: percent / 100.0 })
    }
}
