//! Numbers of interleaved rounds: medians and spreads, of values and of ratios inside a round.

use std::fmt;

/// One number per round.
#[derive(Debug, Clone, Default)]
pub(super) struct Series(Vec<f64>);

impl Series {
    /// What was measured once.
    pub(super) fn of(value: f64) -> Self {
        Self(vec![value])
    }

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

    /// The median with the lowest and the highest value, in this form; of one value that alone.
    pub(super) fn told(&self, form: impl Fn(f64) -> String) -> String {
        if let [only] = self.0[..] {
            return form(only);
        }
        let lowest = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} ({} to {})", form(self.median()), form(lowest), form(highest))
    }
}

/// What a median is to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    AtMost(f64),
    LessThan(f64),
    AtLeast(f64),
    /// From the one to the other.
    Within(f64, f64),
}

impl Goal {
    fn is_met(self, median: f64) -> bool {
        match self {
            Self::AtMost(most) => median <= most,
            Self::LessThan(bound) => median < bound,
            Self::AtLeast(least) => median >= least,
            Self::Within(least, most) => (least..=most).contains(&median),
        }
    }

    fn told(self, form: impl Fn(f64) -> String) -> String {
        match self {
            Self::AtMost(most) => format!("at most {}", form(most)),
            Self::LessThan(bound) => format!("less than {}", form(bound)),
            Self::AtLeast(least) => format!("at least {}", form(least)),
            Self::Within(least, most) => format!("{} to {}", form(least), form(most)),
        }
    }
}

/// A figure, and what it is to be.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    value: String,
    /// The goal, and whether the median meets it.
    goal: Option<(String, bool)>,
}

impl Row {
    pub(super) fn new(name: impl Into<String>, series: &Series, form: impl Fn(f64) -> String) -> Self {
        Self { name: name.into(), value: series.told(form), goal: None }
    }

    pub(super) fn with_goal(
        name: impl Into<String>,
        series: &Series,
        form: impl Fn(f64) -> String,
        goal: Goal,
    ) -> Self {
        let is_met = goal.is_met(series.median());
        Self { goal: Some((goal.told(&form), is_met)), ..Self::new(name, series, form) }
    }
}

/// What one bench found.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    /// How it was measured: rounds, how long each, with which programs.
    pub(super) note: String,
    pub(super) rows: Vec<Row>,
}

impl Section {
    /// What does not meet its goal, each in a line.
    pub(super) fn missed(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter_map(|row| match &row.goal {
            Some((goal, false)) => {
                Some(format!("{}: {}: {}, and not {goal}", self.title, row.name, row.value))
            }
            _ => None,
        })
    }
}

impl fmt::Display for Section {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "### {}\n\n{}.\n", self.title, self.note)?;
        writeln!(out, "| measured | median (lowest to highest round) | goal |\n|---|---|---|")?;
        self.rows.iter().try_for_each(|row| {
            write!(out, "| {} | {} |", row.name, row.value)?;
            match &row.goal {
                Some((goal, true)) => writeln!(out, " {goal} |"),
                Some((goal, false)) => writeln!(out, " {goal}: **missed** |"),
                None => writeln!(out, " |"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Goal, Row, Section, Series};

    #[test]
    fn what_misses_its_goal_is_told() {
        let rates = Series(vec![1.2, 1.3, 1.0]);
        let row = |goal| Row::with_goal("over theirs", &rates, |it| format!("{it:.1}"), goal);
        let check = |goal, expected: &str| {
            let section =
                Section { title: "Speed".to_owned(), note: "3 rounds".to_owned(), rows: vec![row(goal)] };
            let missed: Vec<String> = section.missed().collect();
            assert_eq!(missed.join("\n"), expected, "{goal:?}");
            assert_eq!(section.to_string().contains("**missed**"), !missed.is_empty(), "{section}");
        };
        check(Goal::AtLeast(1.2), "");
        check(Goal::AtLeast(1.3), "Speed: over theirs: 1.2 (1.0 to 1.3), and not at least 1.3");
        check(Goal::AtMost(1.2), "");
        check(Goal::AtMost(1.1), "Speed: over theirs: 1.2 (1.0 to 1.3), and not at most 1.1");
        check(Goal::LessThan(1.2), "Speed: over theirs: 1.2 (1.0 to 1.3), and not less than 1.2");
        check(Goal::Within(1.1, 1.2), "");
        check(Goal::Within(1.3, 1.4), "Speed: over theirs: 1.2 (1.0 to 1.3), and not 1.3 to 1.4");
        let nothing = Row::with_goal("nothing", &Series::default(), |it| it.to_string(), Goal::AtMost(1.0));
        assert!(nothing.goal.is_some_and(|(_, is_met)| !is_met), "what was not measured meets no goal");
    }

    #[test]
    fn ratios_are_taken_inside_a_round() {
        let (ours, theirs) = (Series(vec![2.0, 30.0, 8.0]), Series(vec![1.0, 10.0, 2.0]));
        let ratios = ours.over(&theirs);
        assert_eq!(ratios.told(|ratio| format!("{ratio:.1}")), "3.0 (2.0 to 4.0)");
        assert_eq!(Series(vec![1.0, 4.0, 2.0, 9.0]).median().to_string(), "3");
    }
}
