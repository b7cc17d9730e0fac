//! Numbers of interleaved rounds: medians and spreads, of values and of ratios inside a round.

use std::fmt;

/// One number per round.
#[derive(Debug, Clone, Default)]
pub(super) struct Series(Vec<f64>);

impl Series {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value; of an even count, the mean of the two in the middle. Not a number where there is none.
    pub(super) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            even if even % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        }
    }

    /// Each round's value over the other's of the same round.
    pub(super) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(value, other)| value / other).collect())
    }

    /// The median with the lowest and the highest value, in this form.
    pub(super) fn told(&self, form: impl Fn(f64) -> String) -> String {
        let lowest = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} ({} to {})", form(self.median()), form(lowest), form(highest))
    }
}

/// What one bench found: rows of name and value.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<(String, String)>,
}

impl fmt::Display for Section {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "### {}\n", self.title)?;
        writeln!(out, "| measured | median (lowest to highest round) |\n|---|---|")?;
        self.rows.iter().try_for_each(|(name, value)| writeln!(out, "| {name} | {value} |"))
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn ratios_are_taken_inside_a_round() {
        let (ours, theirs) = (Series(vec![2.0, 30.0, 8.0]), Series(vec![1.0, 10.0, 2.0]));
        let ratios = ours.over(&theirs);
        assert_eq!(ratios.told(|ratio| format!("{ratio:.1}")), "3.0 (2.0 to 4.0)");
        assert_eq!(Series(vec![1.0, 4.0, 2.0, 9.0]).median().to_string(), "3");
    }
}
