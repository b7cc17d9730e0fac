//! The frame of a drawing: axes with words beside it, so that these stay readable however narrow it is.

use std::fmt::Write as _;

use maud::{Markup, html};

/// The side of every drawing, in units of its own; it is stretched to the page.
pub(super) const SIDE: f64 = 1_000.0;

/// Where a value is, from 0 to 1, and what is written beside it.
pub(super) type Tick = (f64, String);

/// A drawing with its axes. What it shows is told to those who cannot see it.
pub(super) fn framed(shows: &str, across: &[Tick], up: &[Tick], drawn: &Markup) -> Markup {
    html! {
        div.plot {
            div.ys aria-hidden="true" {
                @for (at, word) in up { span style={ "bottom:" (percent(*at)) } { (word) } }
            }
            svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label=(shows) {
                @for (at, _) in up {
                    @let y = number((1.0 - at) * SIDE);
                    line.grid x1="0" x2="1000" y1=(y) y2=(y) {}
                }
                (drawn)
            }
            div.xs aria-hidden="true" {
                @for (at, word) in across { span style={ "left:" (percent(*at)) } { (word) } }
            }
        }
    }
}

fn percent(at: f64) -> String {
    format!("{:.2}%", at * 100.0)
}

/// A coordinate, in as few digits as can be seen.
pub(super) fn number(value: f64) -> String {
    format!("{value:.1}")
}

/// A line through points, each from 0 to 1; where there is none the line is broken.
pub(super) fn line(class: &str, points: impl Iterator<Item = Option<(f64, f64)>>) -> Markup {
    let mut path = String::new();
    let mut is_drawn = false;
    for point in points {
        if let Some((x, y)) = point {
            let turn = if is_drawn { 'L' } else { 'M' };
            // Writing to a String cannot fail.
            let _ = write!(path, "{turn}{} {}", number(x * SIDE), number((1.0 - y) * SIDE));
        }
        is_drawn = point.is_some();
    }
    html! { path class={ "curve " (class) } d=(path) {} }
}

/// An axis of times, in microseconds, where each tenfold is as long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Times {
    from: f64,
    to: f64,
}

impl Times {
    /// From the shortest to the longest, in whole tenfolds.
    pub(super) fn new(shortest_us: u64, longest_us: u64) -> Self {
        let from = (shortest_us.max(1) as f64).log10().floor();
        Self { from, to: ((longest_us.max(1) as f64).log10()).ceil().max(from + 1.0) }
    }

    pub(super) fn at(self, us: u64) -> f64 {
        (((us.max(1) as f64).log10() - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(self) -> Vec<Tick> {
        let decades = (self.to - self.from) as i32;
        let within: &[u64] = if decades <= 2 { &[1, 2, 5] } else { &[1] };
        let first = self.from as u32;
        let all = (0..=decades as u32)
            .flat_map(|up| within.iter().map(move |times| times * 10_u64.pow(first + up)));
        let last = 10_f64.powf(self.to);
        all.filter(|us| *us as f64 <= last).map(|us| (self.at(us), time(us))).collect()
    }
}

/// A time as people say it.
pub(super) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us as f64 / 1e3),
        _ => format!("{} s", us as f64 / 1e6),
    }
}

/// An axis of numbers from 0 on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Numbers {
    to: f64,
    step: f64,
}

impl Numbers {
    /// Up to the most, in some four round steps.
    pub(super) fn new(most: f64) -> Self {
        let rough = most.max(1e-3) / 4.0;
        let tenfold = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * tenfold).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        Self { to: (most / step).ceil().max(1.0) * step, step }
    }

    pub(super) fn at(self, value: f64) -> f64 {
        (value / self.to).clamp(0.0, 1.0)
    }

    pub(super) fn ticks(self, unit: &str) -> Vec<Tick> {
        let steps = (self.to / self.step).round() as u32;
        let digits = if self.step < 1.0 { 1 } else { 0 };
        let tick = |n: u32| {
            let value = f64::from(n) * self.step;
            (self.at(value), format!("{value:.digits$}{unit}"))
        };
        (0..=steps).map(tick).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(words(Numbers::new(2_013.0).ticks("/s")), ["0/s", "1000/s", "2000/s", "3000/s"]);
        assert_eq!(words(Numbers::new(9.0).ticks(" s")), ["0 s", "5 s", "10 s"]);
        assert_eq!(words(Numbers::new(0.0).ticks("")).len(), 2);
        assert_eq!(
            words(Times::new(80, 220_000).ticks()),
            ["10 µs", "100 µs", "1 ms", "10 ms", "100 ms", "1 s"]
        );
        assert_eq!(words(Times::new(0, 0).ticks()), ["1 µs", "2 µs", "5 µs", "10 µs"]);
    }

    #[test]
    fn a_value_is_where_its_axis_says() {
        let times = Times::new(1_000, 90_000);
        assert_eq!([times.at(1_000), times.at(10_000), times.at(1 << 40)], [0.0, 0.5, 1.0]);
        let numbers = Numbers::new(100.0);
        assert_eq!([numbers.at(0.0), numbers.at(100.0), numbers.at(1e9)], [0.0, 1.0, 1.0]);
    }
}
